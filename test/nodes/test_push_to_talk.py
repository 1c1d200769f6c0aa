"""Push-to-talk over DDS: while the button is held all is one utterance, and it ends with it."""

import pytest
from std_srvs.srv import SetBool, Trigger
from whisper_stand_in import ClosingWhisper

from audio_interaction_msgs.msg import Transcript
from audio_interaction_ros.nodes.lifecycle import qos

pytestmark = pytest.mark.ros

READS = {'transcript.second_pass': 'whisper', 'transcript.end': 'smart'}


def start(robot, judge):
    """Return a robot whose encoder reads words, its microphone, and what it understood."""
    heard = robot.watch(Transcript, 'transcript', qos.EVENTS)
    decoder = robot.decoder(READS, runtime=robot.scripted(script={}))
    encoder = robot.encoder(READS, transcriber=lambda _name: ClosingWhisper(),
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
    robot.tell(microphone, encoder, 5)
    robot.tell(microphone, encoder, 2, level=0.0)
    robot.wait(lambda: robot.finals(heard), 'a final')
    final, = (one for one in heard if one.is_final)
    assert (final.ended_by, final.text) == ('silence', 'alpha. bravo.'), 'nobody reads it again'


@pytest.mark.parametrize('way', ['reset', 'clean-up'])
def test_words_that_are_dropped_come_to_an_end(robot, way):
    encoder, microphone, heard = start(robot, lambda samples: 0.0)
    robot.tell(microphone, encoder, 4)
    robot.wait(lambda: heard, 'words are shown')
    if way == 'reset':
        assert robot.call(Trigger, 'encoder_node/reset').success
    else:
        encoder.trigger_deactivate()
        encoder.trigger_cleanup()
    robot.wait(lambda: robot.finals(heard), 'a final')
    final, = (one for one in heard if one.is_final)
    assert {one.utterance_id for one in heard} == {final.utterance_id}
    if way == 'reset':
        assert (final.text, final.ended_by) == ('', 'reset'), 'nobody acts on half a sentence'


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
    robot.wait(lambda: encoder.ready, 'loaded')
    answer = robot.call(SetBool, 'encoder_node/push_to_talk', data=True)
    assert not answer.success and 'transcript.partial_ms' in answer.message
