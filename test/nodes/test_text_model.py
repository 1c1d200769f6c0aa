"""A text model beside the decoder node: answers that grow, translations that follow the words."""

import math
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1] / 'dialogue'))
from scripted_text import scripted

from audio_interaction_msgs.msg import Reply, Transcript, Translation
from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.runtimes.base import Recognition

pytestmark = pytest.mark.ros

SETTINGS = {'transcript.second_pass': 'whisper', 'reply.model': 'a-model'}
FOLLOWS = {**SETTINGS, 'translation.source': 'reply_model', 'lanes': ['transcript', 'assistant']}


class Whisper:
    """Reads the same of everything."""

    def __init__(self, text):
        self._text = text

    def transcribe(self, samples, languages=()):
        return Recognition(text=self._text, language='en', mean_log_prob=-0.1)


@pytest.fixture
def ask(robot):
    """Return a function that lets a robot with a text model hear what reads as a text."""
    def hear(text, answer, settings=SETTINGS, before=lambda decoder: None):
        replies = robot.watch(Reply, 'reply', qos.EVENTS)
        transcripts = robot.watch(Transcript, 'transcript', qos.EVENTS)
        lanes = {0: {3: 'a draft'}, len(settings.get('lanes', 'abc')) - 1: {3: 'Dancing now.'}}

        def load(config):
            assert config.reply.model == 'a-model'
            if isinstance(answer, Exception):
                raise answer
            return scripted(answer)[0]
        decoder = robot.decoder(settings, runtime=robot.scripted(script=lanes), text_model=load)
        encoder = robot.encoder(settings, transcriber=lambda _name: Whisper(text))
        microphone = robot.microphone()
        robot.wait(lambda: encoder._input._subscriptions
                   and encoder._input._subscriptions[0].get_publisher_count() > 0, 'heard')
        robot.wait(lambda: encoder._outlet.decoder_seen, 'decoder offers credit')
        robot.wait(lambda: decoder.boards.replies.has_reader('transcript'), 'drafts are wanted')
        texts = decoder.boards.texts
        robot.wait(lambda: texts.ready or texts.failure, 'it is loaded or not')
        before(decoder)
        for _ in range(7):
            robot.tell(microphone, encoder, 1, settle=False)
            robot.wait(lambda: encoder.idle, 'decided')
        robot.wait(lambda: robot.finals(transcripts), 'a final transcript')
        robot.wait(lambda: decoder.idle, 'nothing waits')
        return replies, transcripts, decoder
    return hear


def test_an_answer_grows_under_one_id(robot, ask):
    replies, transcripts, _ = ask('Robot, who made the moon?', lambda turns: 'No 人.')
    robot.wait(lambda: robot.finals(replies), 'an answer')
    assert [reply.text for reply in replies] == ['N', 'No', 'No ', 'No 人', 'No 人.', 'No 人.']
    assert ''.join(reply.delta for reply in replies) == 'No 人.'
    assert [reply.revision for reply in replies] == [0, 1, 2, 3, 4, 5]
    assert len({reply.reply_id for reply in replies}) == 1
    last = replies[-1]
    assert (last.is_final, last.finish_reason, last.intent) == (True, 'end', '')
    assert last.source_text == 'Robot, who made the moon?'
    assert last.transcript_utterance_id == transcripts[-1].utterance_id
    assert last.header.frame_id == 'mic' and last.first_text_latency_s > 0


def test_intents_come_first(robot, ask):
    replies, *_ = ask('Robot, go to the kitchen.', lambda turns: 'Never.')
    robot.wait(lambda: replies, 'an answer')
    assert [(reply.text, reply.intent) for reply in replies] == [('Going to the kitchen.', 'go')]


def test_a_call_ends_what_is_being_written(robot, ask):
    made = []

    def answer(turns):
        made.append(turns)
        if len(made) == 3:
            decoder_of[0].boards.answers.hear_partial('Stop!')
        return 'one two three four'
    decoder_of = []
    replies, *_ = ask('Robot, count for me.', answer, before=decoder_of.append)
    robot.wait(lambda: robot.finals(replies), 'an answer')
    assert (replies[-1].finish_reason, len(replies[-1].text) < 5) == ('cancel', True)


def test_without_the_model_what_no_intent_explains_was_not_caught(robot, ask):
    replies, _, decoder = ask('Robot, who made the moon?', CheckpointError('no such file'))
    robot.wait(lambda: replies, 'an answer')
    assert [(reply.text, reply.is_final) for reply in replies] == [
        ('Sorry, I did not catch that.', True)]
    assert math.isnan(replies[0].first_text_latency_s)
    assert 'no such file' in decoder.boards.texts.failure and decoder.active


def test_words_are_translated_when_they_are_final(robot, ask):
    translations = robot.watch(Translation, 'translation', qos.EVENTS)
    _, transcripts, _ = ask('One two.', lambda turns: turns[-1][1].upper(), settings=FOLLOWS)
    robot.wait(lambda: translations, 'a translation')
    final, = translations
    assert (final.text, final.is_final, final.source) == ('ONE TWO.', True, 'second_pass')
    assert (final.language, final.source_language, final.source_text) == ('zh', 'en', 'One two.')
    assert final.utterance_id == transcripts[-1].utterance_id == final.transcript_utterance_id
    assert final.stable_length == len(final.text) and final.header.frame_id == 'mic'


def test_words_are_translated_while_they_are_spoken(robot):
    translations = robot.watch(Translation, 'translation', qos.EVENTS)
    decoder = robot.decoder(FOLLOWS, text_model=lambda config: scripted(
        lambda turns: turns[-1][1].upper())[0])
    robot.wait(lambda: decoder.boards.texts.ready, 'it is loaded')
    speaks = robot.watcher.create_publisher(Transcript, 'transcript/partial', qos.EVENTS)
    robot.wait(lambda: speaks.get_subscription_count() > 0, 'somebody listens')
    for count, final in ((3, False), (6, False), (7, True)):
        text = ' '.join('abcdefg'[:count])
        speaks.publish(Transcript(
            utterance_id='u-1-words', revision=count, text=text, stable_length=len(text),
            is_final=final, language='en', source='second_pass' if final else 'partial'))
        robot.wait(lambda count=count: any(
            len(one.text) == 2 * count - 1 for one in translations), 'its translation')
    assert [(one.text, one.stable_length, one.is_final) for one in translations] == [
        ('A B C', 0, False), ('A B C D E F', 5, False), ('A B C D E F G', 13, True)]
    assert {one.source for one in translations} == {'second_pass'}
    assert [one.revision for one in translations] == [0, 1, 2]
    assert {one.utterance_id for one in translations} == {'u-1-words'}
