"""Final translations over DDS: Whisper reads in the encoder, it or the decoder translates."""

import math
import os
import threading

import pytest
from std_msgs.msg import String

from audio_interaction_msgs.msg import Transcript, Translation
from audio_interaction_ros.nodes.decoding import draft_board
from audio_interaction_ros.nodes.io.stamps import stamp_ns
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.runtimes.base import Recognition

pytestmark = pytest.mark.ros


class Broken:
    """A model that loads and fails."""

    def transcribe(self, samples, languages=()):
        raise RuntimeError('no')


class Mandarin:
    """Reads the same of everything and remembers what it was asked."""

    def __init__(self, text='早上好', language='zh', english='Morning!'):
        self.text, self.language, self.english, self.asked = text, language, english, []
        self.signs = {}

    def transcribe(self, samples, languages=()):
        self.asked.append(tuple(languages))
        return Recognition(text=self.text, language=self.language,
                           write_english=self._translate, **self.signs)

    def _translate(self):
        self.asked.append('English')
        return self.english


KNOWN = {'早上好': 'Good morning.', 'Good morning.': '早上好。'}
TRANSLATING = {'translation.second_pass': 'whisper'}


def hear(robot, decoder, encoder, *, drafts='translation', read=lambda: False):
    """Let the encoder hear some chunks, once drafts are wanted; ``read``: one is being read."""
    microphone = robot.microphone()
    robot.wait(lambda: microphone.get_subscription_count() > 0, 'encoder listens')
    robot.wait(lambda: encoder._input._subscriptions
               and encoder._input._subscriptions[0].get_publisher_count() > 0, 'it is heard')
    robot.wait(lambda: encoder._outlet.decoder_seen, 'decoder offers credit')
    if drafts:
        robot.wait(lambda: decoder.boards.replies.has_reader(drafts), 'drafts are wanted')
    for _ in range(7):
        robot.tell(microphone, encoder, 1, settle=False)
        robot.wait(lambda: encoder.idle or read(), 'decided')


def translate(robot, whisper, settings, script):
    """Let a robot with a second pass hear some chunks; return its topics and nodes."""
    def load(_name):
        if whisper is None:
            raise OSError('no such file')
        return whisper
    seen = [robot.watch(kind, topic, qos.EVENTS) for kind, topic in (
        (Transcript, 'transcript'), (Translation, 'translation'))]
    decoder = robot.decoder(settings, runtime=robot.scripted(script=script, translations=KNOWN))
    encoder = robot.encoder(settings, transcriber=load)
    hear(robot, decoder, encoder)
    return (*seen, decoder, encoder)


@pytest.mark.parametrize(('to_english', 'source', 'target', 'asked'), [
    ('whisper', ('早上好', 'zh'), ('Morning!', 'en'), ['English']),
    ('whisper', ('Good morning.', 'en'), ('早上好。', 'zh'), []),
    ('model', ('早上好', 'zh'), ('Good morning.', 'en'), [])])
def test_a_translation_becomes_final_with_what_was_said(robot, to_english, source, target, asked):
    texts = robot.watch(String, 'translation/text', qos.FINAL_TEXT)
    whisper = Mandarin(*source)
    _, translations, decoder, encoder = translate(
        robot, whisper, {**TRANSLATING, 'translation.to_english': to_english},
        {0: {2: 'a transcript'}, 1: {3: '(Chinese)'}})
    robot.wait(lambda: robot.finals(translations) and texts, 'final translation')
    *shown, final = translations
    assert {one.text for one in shown} >= {'(Chinese'} and not any(one.is_final for one in shown)
    assert (final.text, final.language) == target
    assert (final.source_text, final.source_language) == source
    assert final.stable_length == len(final.text)
    assert (final.start, final.utterance_id) == (shown[-1].start, shown[-1].utterance_id)
    assert final.decode_latency_s >= shown[-1].decode_latency_s
    assert final.revision > max(one.revision for one in shown)
    assert final.transcript_utterance_id
    assert whisper.asked == [('en', 'zh'), *asked]
    assert [one.data for one in texts] == [target[0]]
    assert decoder._model.session.stats.translated == 1 and decoder.idle
    assert (encoder._second_pass.done, encoder._second_pass.kept) == (1, 0)


@pytest.mark.parametrize('whisper', [
    Broken(), Mandarin('Guten Morgen', 'de'), Mandarin(english='')],
    ids=['broken', 'german', 'no English'])
def test_a_translation_that_fails_keeps_its_streamed_text(robot, whisper):
    _, translations, decoder, _ = translate(
        robot, whisper, TRANSLATING, {1: {3: '(Chinese)'}})
    robot.wait(lambda: robot.finals(translations), 'final translation')
    assert robot.finals(translations) == ['(Chinese)'] and not translations[-1].language
    assert decoder._model.session.stats.kept == 1


def test_where_nobody_spoke_finals_have_no_text(robot):
    """They end what revisions showed, and nobody who waits for words is told."""
    texts = [robot.watch(String, f'{kind}/text', qos.FINAL_TEXT)
             for kind in ('transcript', 'translation')]
    transcripts, translations, decoder, _ = translate(
        robot, Mandarin('', 'en'), {**TRANSLATING, 'transcript.second_pass': 'whisper'},
        {0: {3: '(noise)'}, 1: {3: '(Chinese)'}})
    robot.wait(lambda: robot.finals(translations) and robot.finals(transcripts), 'finals')
    for final in (transcripts[-1], translations[-1]):
        assert (final.text, final.language, final.source) == ('', '', 'second_pass')
        assert math.isnan(final.word_confidence)
    assert texts == [[], []] and decoder.idle


def test_a_streamed_text_that_is_sure_stands_against_a_second_pass_that_is_not(robot):
    transcripts, translations, _, encoder = translate(
        robot, Mandarin('', 'en'), {**TRANSLATING, 'transcript.second_pass': 'whisper'},
        {0: {3: 'good'}, 1: {3: '早'}})
    robot.wait(lambda: robot.finals(translations) and robot.finals(transcripts), 'finals')
    for final, text in ((transcripts[-1], 'good'), (translations[-1], '早')):
        assert (final.text, final.source) == (text, 'streamed')
        assert final.word_confidence > 0.9
    assert encoder._second_pass.kept == 2


def test_final_messages_say_where_the_speech_was_and_how_sure_who_is(robot):
    whisper = Mandarin('Good morning.', 'en')
    whisper.signs = {'span_s': (0.5, 1.0), 'mean_log_prob': math.log(0.25)}
    transcripts, translations, *_ = translate(
        robot, whisper, {**TRANSLATING, 'transcript.second_pass': 'whisper'},
        {0: {3: 'good morning'}, 1: {3: '早上'}})
    robot.wait(lambda: robot.finals(translations) and robot.finals(transcripts), 'finals')
    for messages in (transcripts, translations):
        shown, final = messages[0], messages[-1]
        assert stamp_ns(final.start) == stamp_ns(shown.start) + 500_000_000
        assert stamp_ns(final.end) == stamp_ns(shown.start) + 1_000_000_000
        assert final.header.stamp == final.start and final.source == 'second_pass'
        assert final.word_confidence == pytest.approx(0.25)
        assert shown.source == 'streamed'


def test_a_second_pass_that_does_not_load_keeps_streamed_texts(robot):
    """What waits while loading goes on as well."""
    transcripts, translations, _, encoder = translate(
        robot, None, {**TRANSLATING, 'transcript.second_pass': 'whisper'},
        {0: {3: 'draft'}, 1: {3: '(Chinese)'}})
    robot.wait(lambda: robot.finals(translations) and robot.finals(transcripts), 'finals')
    assert robot.finals(transcripts) == ['draft']
    assert robot.finals(translations) == ['(Chinese)']
    assert encoder._second_pass.kept == 2


def test_both_second_passes_share_a_model_and_a_reading(robot):
    whisper = Mandarin('Good morning.', 'en')
    transcripts, translations, _, encoder = translate(
        robot, whisper, {**TRANSLATING, 'transcript.second_pass': 'whisper'},
        {0: {3: 'good'}, 1: {3: 'a longer streamed text'}})
    robot.wait(lambda: robot.finals(translations) and robot.finals(transcripts), 'finals')
    assert robot.finals(transcripts) == ['Good morning.']
    assert robot.finals(translations) == ['早上好。']
    assert whisper.asked == [()] and encoder._second_pass.reused == 1


def test_a_transcript_and_its_english_share_a_reading(robot):
    whisper = Mandarin()
    transcripts, translations, _, encoder = translate(
        robot, whisper, {**TRANSLATING, 'transcript.second_pass': 'whisper'},
        {0: {3: 'zao'}, 1: {3: '(Chinese)'}})
    robot.wait(lambda: robot.finals(translations) and robot.finals(transcripts), 'finals')
    assert robot.finals(transcripts) == ['早上好']
    assert robot.finals(translations) == ['Morning!']
    assert whisper.asked == [(), 'English'] and encoder._second_pass.reused == 1


KINDS = {'transcript': (0, Transcript), 'translation': (1, Translation)}


@pytest.mark.parametrize('kind', KINDS)
def test_a_draft_that_nobody_answers_becomes_final(robot, monkeypatch, kind):
    """Somebody listens there, but it is no encoder."""
    monkeypatch.setattr(draft_board, '_PATIENCE_S', 0.5)
    lane, message_type = KINDS[kind]
    messages = robot.watch(message_type, kind, qos.EVENTS)
    texts = robot.watch(String, f'{kind}/text', qos.FINAL_TEXT)
    drafts = robot.watch(message_type, f'{kind}/draft', qos.EVENTS)
    decoder = robot.decoder({f'{kind}.second_pass': 'whisper'},
                            runtime=robot.scripted(script={lane: {3: 'as it was'}}))
    hear(robot, decoder, robot.encoder(), drafts=kind)
    robot.wait(lambda: robot.finals(messages) and texts, 'it is final')
    assert robot.finals(messages) == [texts[0].data] == ['as it was']
    assert messages[-1].source == 'streamed' and not drafts[0].is_final
    assert decoder.idle
    said = decoder._report_decode()
    assert said.values['unread'] == 1 and f'no answer on {kind}/read in 0.5 s' in said.messages[-1]


@pytest.mark.parametrize('kind', KINDS)
def test_a_draft_becomes_final_where_the_encoder_that_reads_it_is_gone(robot, kind):
    """What comes of the reading later changes it no more."""
    lane, message_type = KINDS[kind]
    messages = robot.watch(message_type, kind, qos.EVENTS)
    drafts = robot.watch(message_type, f'{kind}/draft', qos.EVENTS)
    under_way, go_on = threading.Event(), threading.Event()

    class Slow:
        def transcribe(self, samples, languages=()):
            under_way.set()
            assert go_on.wait(60)
            return Recognition(text='read', language='en')
    settings = {f'{kind}.second_pass': 'whisper'}
    decoder = robot.decoder(settings, runtime=robot.scripted(script={lane: {3: 'as it was'}}))
    encoder = robot.encoder(settings, transcriber=lambda _name: Slow())
    hear(robot, decoder, encoder, drafts=kind, read=under_way.is_set)
    robot.wait(under_way.is_set, 'it is read')
    robot.watcher.destroy_subscription(next(
        one for one in robot.watcher.subscriptions if one.topic_name.endswith(f'{kind}/draft')))
    reading = encoder._second_pass
    encoder.trigger_deactivate()
    encoder.trigger_cleanup()
    robot.wait(lambda: robot.finals(messages), 'it is final')
    said = decoder._report_decode()
    assert said.values['unread'] == 1
    assert f'no encoder listens on {kind}/draft' in said.messages[-1]
    go_on.set()
    robot.wait(lambda: reading.done == 1, 'read')
    robot.wait(lambda: decoder.idle, 'settled')
    assert robot.finals(messages) == ['as it was'] and messages[-1].source == 'streamed'
    assert drafts


def test_without_an_encoder_that_reads_translations_are_final_at_once(robot):
    translations = robot.watch(Translation, 'translation', qos.EVENTS)
    decoder = robot.decoder(TRANSLATING, runtime=robot.scripted(script={1: {3: '(Chinese)'}}))
    hear(robot, decoder, robot.encoder(), drafts='')
    robot.wait(lambda: robot.finals(translations), 'final translation')
    assert robot.finals(translations) == ['(Chinese)'] and not decoder.boards.replies.waiting


def test_a_translation_names_the_transcript_of_its_own_speech_only(robot):
    translations = robot.watch(Translation, 'translation', qos.EVENTS)
    decoder = robot.decoder(runtime=robot.scripted(
        script={0: {1: 'one'}, 1: {2: '(one)', 5: '(two)'}}))
    hear(robot, decoder, robot.encoder(), drafts='')
    robot.wait(lambda: len(robot.finals(translations)) == 2, 'two translations')
    one, two = (message for message in translations if message.is_final)
    assert one.transcript_utterance_id.endswith('-1-transcript')
    assert two.transcript_utterance_id == ''


def test_what_waits_becomes_final_when_the_decoder_is_deactivated(robot):
    translations = robot.watch(Translation, 'translation', qos.EVENTS)
    drafts = robot.watch(Translation, 'translation/draft', qos.EVENTS)
    decoder = robot.decoder(TRANSLATING, runtime=robot.scripted(script={1: {3: '(Chinese)'}}))
    hear(robot, decoder, robot.encoder())
    robot.wait(lambda: drafts, 'draft')
    assert not robot.finals(translations) and not decoder.idle
    decoder.trigger_deactivate()
    robot.wait(lambda: robot.finals(translations) == ['(Chinese)'], 'final translation')


def test_the_second_pass_gives_way_to_all_other_threads(robot):
    niceness = []

    class Watched(Mandarin):
        def transcribe(self, samples, languages=()):
            niceness.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
            return super().transcribe(samples, languages)

    translate(robot, Watched('Good morning.', 'en'), TRANSLATING, {1: {3: '(Chinese)'}})
    robot.wait(lambda: niceness, 'something was read')
    assert niceness[0] == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 10)
