"""Push-to-talk over DDS: while the button is held all is one utterance, and it ends with it."""

import pytest

pytest.importorskip('rclpy', reason='ROS 2 is not installed: run make setup')
# the sources of the messages look like a package; only built ones have classes
if not hasattr(pytest.importorskip('audio_interaction_msgs.msg'), 'AudioChunk'):
    pytest.skip('the messages are not built: run make setup', allow_module_level=True)

import numpy as np
from std_srvs.srv import SetBool

from audio_interaction_msgs.msg import Transcript
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.runtimes.base import ReadWord, Recognition, WindowReading

pytestmark = pytest.mark.ros

WORDS = ('alpha', 'bravo', 'charlie', 'delta', 'echo', 'foxtrot', 'golf', 'hotel')
READS = {'transcript.second_pass': 'whisper', 'transcript.end': 'smart'}


class Whisper:
    """Hears speech in all that is louder than 0 and reads a word for each second."""

    step_s = 0.04

    def open_voice(self):
        return self

    def reset(self):
        pass

    def push(self, samples):
        return (samples.reshape(-1, 640).max(axis=1) > 1e-3).astype(np.float32)

    def read_closed(self, samples, *, before=(), language=''):
        return self.read_window(samples, before=before)

    def read_window(self, samples, *, agreed=(), before=(), language=''):
        words = [ReadWord(text=f' {name}', mark='.', start_s=n * 1.0, end_s=n + 0.5)
                 for n, name in enumerate(WORDS[:max(1, len(samples) // 16_000)])]
        return WindowReading(words=(*agreed, *words[len(agreed):]), language='en')

    def transcribe(self, samples, languages=()):
        return Recognition(text=f'{round(len(samples) / 16_000)} s', language='en')


def start(robot, judge):
    """Return a robot whose encoder reads words, its microphone, and what it understood."""
    heard = robot.watch(Transcript, 'transcript', qos.EVENTS)
    decoder = robot.decoder(READS, runtime=robot.scripted(script={}))
    encoder = robot.encoder(READS, transcriber=lambda _name: Whisper(),
                            turn_judge=lambda threads: judge)
    microphone = robot.microphone()
    robot.wait(lambda: encoder._input._subscriptions
               and encoder._input._subscriptions[0].get_publisher_count() > 0, 'heard')
    robot.wait(lambda: encoder._outlet.decoder_seen, 'decoder offers credit')
    robot.wait(lambda: encoder._second_pass.words.working, 'words are read')
    robot.wait(lambda: encoder._second_pass._partials.get_subscription_count() > 0
               and decoder.active, 'words are wanted')
    return encoder, microphone, heard


def test_all_that_is_said_while_it_is_held_is_one_utterance(robot):
    encoder, microphone, heard = start(robot, lambda samples: 1.0)
    answer = robot.call(SetBool, 'encoder_node/push_to_talk', data=True)
    assert answer.success and 'one utterance' in answer.message
    robot.tell(microphone, encoder, 3)
    robot.tell(microphone, encoder, 8, level=0.0)
    robot.tell(microphone, encoder, 3)
    robot.wait(lambda: len(heard) > 1, 'words are shown')
    assert not robot.finals(heard)
    assert robot.call(SetBool, 'encoder_node/push_to_talk', data=False).success
    robot.tell(microphone, encoder, 2)
    robot.wait(lambda: robot.finals(heard), 'a final')
    final = next(one for one in heard if one.is_final)
    assert (final.ended_by, final.text) == ('push_to_talk', '6 s'), 'all of it was read'
    assert {one.utterance_id for one in heard[:heard.index(final)]} == {final.utterance_id}


def test_who_is_muted_while_holding_it_has_let_go(robot):
    encoder, microphone, heard = start(robot, lambda samples: 0.0)
    assert robot.call(SetBool, 'encoder_node/push_to_talk', data=True).success
    robot.tell(microphone, encoder, 3)
    assert robot.call(SetBool, 'encoder_node/set_listening', data=False).success
    robot.wait(lambda: robot.finals(heard), 'a final')
    assert [one.ended_by for one in heard if one.is_final] == ['push_to_talk']
    answer = robot.call(SetBool, 'encoder_node/push_to_talk', data=True)
    assert not answer.success and 'set_listening' in answer.message


def test_without_it_a_voice_that_sounds_through_ends_an_utterance(robot):
    encoder, microphone, heard = start(robot, lambda samples: 1.0)
    robot.tell(microphone, encoder, 4)
    robot.tell(microphone, encoder, 2, level=0.0)
    robot.wait(lambda: robot.finals(heard), 'a final')
    final, = (one for one in heard if one.is_final)
    assert (final.ended_by, final.text) == ('silence', 'alpha. bravo.'), 'nobody reads it again'


def test_a_judge_that_fails_stops_nothing_and_diagnostics_say_so(robot):
    def judge(samples):
        raise RuntimeError('a broken net')

    encoder, microphone, heard = start(robot, judge)
    for count in (1, 2):
        robot.tell(microphone, encoder, 4)
        robot.tell(microphone, encoder, 4, level=0.0)
        robot.wait(lambda count=count: len(robot.finals(heard)) == count, 'finals by silence')
    said = ' '.join(encoder._report_model().messages)
    assert 'a broken net' in said and 'silence alone' in said


def test_where_no_words_are_read_the_button_says_what_to_change(robot):
    encoder = robot.encoder()
    robot.wait(lambda: encoder._ready, 'loaded')
    answer = robot.call(SetBool, 'encoder_node/push_to_talk', data=True)
    assert not answer.success and 'transcript.partial_ms' in answer.message
