"""Final translations over DDS: Whisper reads in the encoder, it or the decoder translates."""

import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed: run make setup')
# the sources of the messages look like a package; only built ones have classes
if not hasattr(pytest.importorskip('audio_interaction_msgs.msg'), 'AudioChunk'):
    pytest.skip('the messages are not built: run make setup', allow_module_level=True)

from audio_interaction_msgs.msg import Transcript, Translation
from std_msgs.msg import String

from audio_interaction_ros.nodes import qos, reply_board
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

    def transcribe(self, samples, languages=()):
        self.asked.append(tuple(languages))
        return Recognition(text=self.text, language=self.language,
                           write_english=self._translate)

    def _translate(self):
        self.asked.append('English')
        return self.english


KNOWN = {'早上好': 'Good morning.', 'Good morning.': '早上好。'}
TRANSLATING = {'translation.second_pass': 'whisper'}


def hear(robot, decoder, encoder, *, drafts=True):
    """Let the encoder hear some chunks, once drafts are wanted."""
    microphone = robot.microphone()
    robot.wait(lambda: microphone.get_subscription_count() > 0, 'encoder listens')
    robot.wait(lambda: encoder._input._subscriptions
               and encoder._input._subscriptions[0].get_publisher_count() > 0, 'it is heard')
    robot.wait(lambda: encoder._was_present, 'decoder offers credit')
    if drafts:
        robot.wait(lambda: decoder._board._drafting('translation'), 'drafts are wanted')
    robot.tell(microphone, encoder, 7)


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
    Broken(), Mandarin('', 'zh'), Mandarin('Guten Morgen', 'de'), Mandarin(english='')],
    ids=['broken', 'nothing', 'german', 'no English'])
def test_a_translation_that_fails_keeps_its_streamed_text(robot, whisper):
    _, translations, decoder, _ = translate(
        robot, whisper, TRANSLATING, {1: {3: '(Chinese)'}})
    robot.wait(lambda: robot.finals(translations), 'final translation')
    assert robot.finals(translations) == ['(Chinese)'] and not translations[-1].language
    assert decoder._model.session.stats.kept == 1


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


def test_a_draft_that_nobody_answers_becomes_final(robot, monkeypatch):
    """Somebody listens there, but it is no encoder."""
    monkeypatch.setattr(reply_board, '_PATIENCE_S', 0.5)
    translations = robot.watch(Translation, 'translation', qos.EVENTS)
    drafts = robot.watch(Translation, 'translation/draft', qos.EVENTS)
    decoder = robot.decoder(TRANSLATING, runtime=robot.scripted(script={1: {3: '(Chinese)'}}))
    hear(robot, decoder, robot.encoder())
    robot.wait(lambda: robot.finals(translations), 'final translation')
    assert robot.finals(translations) == ['(Chinese)'] and not drafts[0].is_final
    assert decoder.idle


def test_without_an_encoder_that_reads_translations_are_final_at_once(robot):
    translations = robot.watch(Translation, 'translation', qos.EVENTS)
    decoder = robot.decoder(TRANSLATING, runtime=robot.scripted(script={1: {3: '(Chinese)'}}))
    hear(robot, decoder, robot.encoder(), drafts=False)
    robot.wait(lambda: robot.finals(translations), 'final translation')
    assert robot.finals(translations) == ['(Chinese)'] and not decoder._board.awaits


def test_what_waits_becomes_final_when_the_decoder_is_deactivated(robot):
    translations = robot.watch(Translation, 'translation', qos.EVENTS)
    drafts = robot.watch(Translation, 'translation/draft', qos.EVENTS)
    decoder = robot.decoder(TRANSLATING, runtime=robot.scripted(script={1: {3: '(Chinese)'}}))
    hear(robot, decoder, robot.encoder())
    robot.wait(lambda: drafts, 'draft')
    assert not robot.finals(translations) and not decoder.idle
    decoder.trigger_deactivate()
    robot.wait(lambda: robot.finals(translations) == ['(Chinese)'], 'final translation')
