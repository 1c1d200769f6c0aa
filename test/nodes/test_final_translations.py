"""Final translations over DDS: Whisper reads in the encoder, the decoder translates its text."""

import functools
import importlib.util
from pathlib import Path

import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed: run make setup')
# the sources of the messages look like a package; only built ones have classes
if not hasattr(pytest.importorskip('audio_interaction_msgs.msg'), 'AudioChunk'):
    pytest.skip('the messages are not built: run make setup', allow_module_level=True)

from audio_interaction_msgs.msg import Transcript, Translation
from std_msgs.msg import String

from audio_interaction_ros.nodes import qos, reply_board

pytestmark = pytest.mark.ros

SPEC = importlib.util.spec_from_file_location(
    'scripted_process', Path(__file__).with_name('scripted_process.py'))
SCRIPTED = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(SCRIPTED)


def runtime(**options):
    return functools.partial(SCRIPTED.scripted, **options)


def finals(messages):
    return [message.text for message in messages if message.is_final]


class Broken:
    """A model that loads and fails."""

    def transcribe(self, samples, languages=()):
        raise RuntimeError('no')


class Mandarin:
    """Reads the same of everything and remembers what it was asked."""

    def __init__(self, text='早上好', language='zh'):
        self.text, self.language, self.asked = text, language, []

    def transcribe(self, samples, languages=()):
        self.asked.append(tuple(languages))
        return self.text, self.language


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
    decoder = robot.decoder(settings, runtime=runtime(script=script, translations=KNOWN))
    encoder = robot.encoder(settings, transcriber=load)
    hear(robot, decoder, encoder)
    return (*seen, decoder, encoder)


def test_a_translation_becomes_final_with_what_was_said(robot):
    texts = robot.watch(String, 'translation/text', qos.FINAL_TEXT)
    whisper = Mandarin()
    _, translations, decoder, _ = translate(
        robot, whisper, TRANSLATING, {0: {2: 'a transcript'}, 1: {3: '(Chinese)'}})
    robot.wait(lambda: finals(translations) and texts, 'final translation')
    *shown, final = translations
    assert {one.text for one in shown} >= {'(Chinese'} and not any(one.is_final for one in shown)
    assert (final.text, final.language) == ('Good morning.', 'en')
    assert (final.source_text, final.source_language) == ('早上好', 'zh')
    assert final.stable_length == len(final.text)
    assert final.revision > max(one.revision for one in shown)
    assert final.transcript_utterance_id
    assert whisper.asked == [('en', 'zh')]
    assert [one.data for one in texts] == ['Good morning.']
    assert decoder._session.stats.translated == 1 and decoder.idle


@pytest.mark.parametrize('whisper', [
    Broken(), Mandarin('', 'zh'), Mandarin('Guten Morgen', 'de')],
    ids=['broken', 'nothing', 'german'])
def test_a_translation_that_fails_keeps_its_streamed_text(robot, whisper):
    _, translations, decoder, _ = translate(
        robot, whisper, TRANSLATING, {1: {3: '(Chinese)'}})
    robot.wait(lambda: finals(translations), 'final translation')
    assert finals(translations) == ['(Chinese)'] and not translations[-1].language
    assert decoder._session.stats.kept == 1


def test_a_second_pass_that_does_not_load_keeps_streamed_texts(robot):
    """What waits while loading goes on as well."""
    transcripts, translations, _, encoder = translate(
        robot, None, {**TRANSLATING, 'transcript.second_pass': 'whisper'},
        {0: {3: 'draft'}, 1: {3: '(Chinese)'}})
    robot.wait(lambda: finals(translations) and finals(transcripts), 'finals')
    assert (finals(transcripts), finals(translations)) == (['draft'], ['(Chinese)'])
    assert encoder._second_pass.kept == 2


def test_both_second_passes_share_a_model_and_a_reading(robot):
    whisper = Mandarin('Good morning.', 'en')
    transcripts, translations, _, encoder = translate(
        robot, whisper, {**TRANSLATING, 'transcript.second_pass': 'whisper'},
        {0: {3: 'good'}, 1: {3: 'a longer streamed text'}})
    robot.wait(lambda: finals(translations) and finals(transcripts), 'finals')
    assert (finals(transcripts), finals(translations)) == (['Good morning.'], ['早上好。'])
    assert whisper.asked == [()] and encoder._second_pass.reused == 1


def test_a_draft_that_nobody_answers_becomes_final(robot, monkeypatch):
    """Somebody listens there, but it is no encoder."""
    monkeypatch.setattr(reply_board, '_PATIENCE_S', 0.5)
    translations = robot.watch(Translation, 'translation', qos.EVENTS)
    drafts = robot.watch(Translation, 'translation/draft', qos.EVENTS)
    decoder = robot.decoder(TRANSLATING, runtime=runtime(script={1: {3: '(Chinese)'}}))
    hear(robot, decoder, robot.encoder())
    robot.wait(lambda: finals(translations), 'final translation')
    assert finals(translations) == ['(Chinese)'] and not drafts[0].is_final
    assert decoder.idle


def test_without_an_encoder_that_reads_translations_are_final_at_once(robot):
    translations = robot.watch(Translation, 'translation', qos.EVENTS)
    decoder = robot.decoder(TRANSLATING, runtime=runtime(script={1: {3: '(Chinese)'}}))
    hear(robot, decoder, robot.encoder(), drafts=False)
    robot.wait(lambda: finals(translations), 'final translation')
    assert finals(translations) == ['(Chinese)'] and not decoder._board.awaits


def test_what_waits_becomes_final_when_the_decoder_is_deactivated(robot):
    translations = robot.watch(Translation, 'translation', qos.EVENTS)
    drafts = robot.watch(Translation, 'translation/draft', qos.EVENTS)
    decoder = robot.decoder(TRANSLATING, runtime=runtime(script={1: {3: '(Chinese)'}}))
    hear(robot, decoder, robot.encoder())
    robot.wait(lambda: drafts, 'draft')
    assert not finals(translations) and not decoder.idle
    decoder.trigger_deactivate()
    robot.wait(lambda: finals(translations) == ['(Chinese)'], 'final translation')
