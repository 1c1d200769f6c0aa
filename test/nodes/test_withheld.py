"""A reply of unsure words at the node: nothing is said, and the diagnostics say why."""

import time

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import String

from audio_interaction_msgs.msg import Alert, Decision, Reply
from audio_interaction_ros.config import LaneDefaults
from audio_interaction_ros.nodes.decoding.withheld_replies import WithheldReplies
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import OK, StatusReport
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.stream.events import ReplyWithheld

pytestmark = pytest.mark.ros

TEXT = 'There is a smoke alarm!'


def doubting(robot):
    """Return a source of a runtime that doubts its words and whose model wants them withheld."""
    made = robot.scripted(script={2: {2: TEXT}})()
    speak = made.decoder._speak
    made.decoder._speak = lambda request: speak(request) * 0.2
    made.config.lanes = {'assistant': LaneDefaults(min_confidence=0.5)}
    return lambda _model: made


def hear(robot, settings):
    """Return what is published of a cue at the assistant's third chunk."""
    seen = [robot.watch(kind, topic, profile) for kind, topic, profile in (
        (Reply, 'reply', qos.EVENTS), (Alert, 'alerts', qos.EVENTS),
        (String, 'reply/text', qos.FINAL_TEXT), (Decision, 'decisions', qos.DECISIONS),
        (DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS))]
    robot.decoder(settings, runtime=doubting(robot))
    encoder, microphone = robot.encoder(), robot.microphone()
    robot.wait(lambda: microphone.get_subscription_count() > 0, 'encoder listens')
    robot.wait(lambda: encoder._input._subscriptions
               and encoder._input._subscriptions[0].get_publisher_count() > 0, 'it is heard')
    robot.wait(lambda: encoder._outlet.fifo.stats(time.monotonic()).decoder_present,
               'decoder is there')
    robot.tell(microphone, encoder, 5)
    return seen


def test_nothing_is_said_and_the_diagnostics_say_why(robot):
    replies, alerts, texts, decisions, diagnostics = hear(robot, {})

    def values():
        return robot.values(diagnostics, 'decoder_node: input')
    robot.wait(lambda: values().get('assistant.withheld') == '1', 'it is counted')
    found = robot.status(diagnostics, 'decoder_node: input')
    assert values()['assistant.withheld_text'] == TEXT
    assert values()['assistant.min_confidence'] == '0.5'
    assert 'transcript.withheld' not in values()
    assert 'assistant: a reply was withheld, confidence 0.03 below 0.50' in found.message
    assert found.level == OK
    assert any(one.respond for one in decisions)
    assert (replies, alerts, texts) == ([], [], [])


def test_a_user_switches_the_models_gate_off(robot):
    replies, alerts, texts, _, diagnostics = hear(robot, {'lane.assistant.min_confidence': -1.0})
    robot.wait(lambda: alerts and texts and replies and replies[-1].is_final, 'it is said')
    assert replies[-1].text == texts[-1].data == TEXT and len(replies) > 1
    assert robot.values(diagnostics, 'decoder_node: input').get('assistant.withheld') is None


def test_words_about_one_that_is_long_ago_are_left_out():
    event = ReplyWithheld(lane='a', stamp_ns=0, epoch=0, seq=0, reply_id='0-0', text='Moving.',
                          emotion=Emotion.NORMAL, confidence=0.25, start_ns=0, end_ns=0,
                          p_respond=0.9)
    for shown_s, told in ((1e9, 1), (0.0, 0)):
        lane, report = WithheldReplies(0.5, shown_s=shown_s), StatusReport()
        lane.check('a', report)
        assert report.values == {'a.min_confidence': 0.5, 'a.withheld': 0}
        lane.note(event)
        lane.check('a', report)
        assert report.values['a.withheld'] == 1 and report.values['a.withheld_confidence'] == 0.25
        assert len(report.messages) == told
