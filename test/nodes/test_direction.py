"""Where sounds came from, over DDS: into sounds, alerts and transcripts; and who mutes answers."""

import math

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseStamped, Vector3Stamped
from rclpy.qos import DurabilityPolicy, QoSProfile
from std_msgs.msg import Bool, Float32, String

from audio_interaction_msgs.msg import (
    Alert,
    AlertArray,
    EncodedChunk,
    Reply,
    SoundEvent,
    Transcript,
)
from audio_interaction_ros.nodes.decoding.direction_input import read_direction
from audio_interaction_ros.nodes.io.chunk_messages import chunk_message
from audio_interaction_ros.nodes.io.stamps import time_message
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.protocol import CHUNK_NS
from audio_interaction_ros.stream import chunk as chunks

pytestmark = pytest.mark.ros

START = 1_000_000_000_000
RULES = """
default_profile: home
profiles: {home: {smoke_alarm: 0.6}}
labels:
  smoke: {category: ALARM, severity: CRITICAL, en: [smoke alarm], sounds: [smoke_alarm],
          detect: {hits: 2}, say: {en: A smoke alarm is sounding., zh: 烟雾报警器在响。}}
"""


def pose(degrees, *, frame='mic', stamp=START):
    message = PoseStamped()
    message.header.stamp, message.header.frame_id = time_message(stamp), frame
    message.pose.orientation.z = math.sin(math.radians(degrees) / 2)
    message.pose.orientation.w = math.cos(math.radians(degrees) / 2)
    return message


def vector(x, y, z=0.0):
    message = Vector3Stamped()
    message.vector.x, message.vector.y, message.vector.z = x, y, z
    return message


@pytest.mark.parametrize(('message', 'degrees'), [
    (pose(30), 30), (pose(-170), -170), (vector(0.0, 2.0), 90), (vector(-1.0, 0.0, 5.0), 180),
    (Float32(data=math.pi / 4), 45)])
def test_each_type_says_a_direction(message, degrees):
    assert math.degrees(read_direction(message)) == pytest.approx(degrees, abs=1e-4)


def test_what_says_none_is_no_number():
    empty = PoseStamped()
    empty.pose.orientation.w = 0.0
    for message in (empty, vector(0.0, 0.0, 1.0), vector(math.inf, 0.0),
                    Float32(data=float('nan'))):
        assert math.isnan(read_direction(message))


class Array:
    """Stands in for a microphone array and for the encoder beside it."""

    def __init__(self, robot, decoder, kind=PoseStamped):
        self._robot, self._decoder, self._sent, self._seq = robot, decoder, 0, 0
        self._directions = robot.watcher.create_publisher(kind, 'sound_direction', 10)
        self._chunks = robot.watcher.create_publisher(
            EncodedChunk, 'encoded', qos.encoded_profile(32))
        for publisher in (self._directions, self._chunks):
            robot.wait(lambda it=publisher: decoder.ready and it.get_subscription_count() > 0,
                       'the decoder listens')

    def tell(self, *messages):
        for message in messages:
            self._directions.publish(message)
        self._sent += len(messages)
        self._robot.wait(lambda: self._decoder.boards.directions._received == self._sent, 'told')

    def hear(self, *scores):
        for score in scores:
            sounds = chunks.SoundScores(names=('smoke_alarm',),
                                        scores=np.array([score], np.float32))
            self._chunks.publish(chunk_message(chunks.EncodedChunk(
                features=np.zeros((2, 4), np.float32), stamp_ns=START + self._seq * CHUNK_NS,
                epoch=1, seq=self._seq, model_id='scripted', rms_dbfs=-30.0, sounds=sounds),
                frame_id='mic'))
            self._seq += 1
            # One after another: a backlog is drained in one pass, and a script's cue missed.
            self._robot.wait(lambda: self._decoder._progress.consumed == self._seq
                             and self._decoder.idle, 'decided')


@pytest.fixture
def hear_alarm(robot, tmp_path):
    """Return a function that lets an alarm sound, an array beside it; it returns the topics."""
    def hear(messages, settings=None, kind=PoseStamped):
        rules = tmp_path / 'rules.yaml'
        rules.write_text(RULES, encoding='utf-8')
        seen = [robot.watch(kind, topic, profile) for kind, topic, profile in (
            (SoundEvent, 'sounds', qos.EVENTS), (Alert, 'alerts', qos.EVENTS),
            (AlertArray, 'alerts/active', qos.ALERTS_ACTIVE))]
        decoder = robot.decoder({'alerts.rules': str(rules),
                                 'direction.topic': 'sound_direction', **(settings or {})})
        array = Array(robot, decoder, kind)
        array.tell(*messages)
        array.hear(0.0, 0.9, 0.9, 0.0, 0.0, 0.0)
        robot.wait(lambda: len(seen[0]) == 2 and seen[1], 'it began and ended')
        robot.wait(lambda: seen[2] and seen[2][-1].alerts, 'it is open')
        return (*seen, decoder)
    return hear


def degrees(message):
    return math.degrees(message.bearing)


def test_sounds_and_alerts_say_where_they_came_from(hear_alarm):
    """Directions of before are not those of the sound; the mean of 170° and -170° is 180°."""
    times = [(0, 10), (CHUNK_NS, 170), (CHUNK_NS + CHUNK_NS // 2, -170), (2 * CHUNK_NS, 180)]
    sounds, alerts, active, _ = hear_alarm(
        [pose(value, stamp=START + offset) for offset, value in times])
    for message in (*sounds, alerts[0], active[-1].alerts[0]):
        assert abs(degrees(message)) == pytest.approx(180, abs=1e-3)


def test_without_directions_nobody_says_where(hear_alarm):
    sounds, alerts, _, _ = hear_alarm([])
    assert all(math.isnan(message.bearing) for message in (*sounds, *alerts))


def test_directions_of_another_frame_count_only_where_somebody_says_how_it_is_turned(
        robot, hear_alarm):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    sounds, alerts, _, _ = hear_alarm([pose(90, frame='array', stamp=START + CHUNK_NS)])
    assert all(math.isnan(message.bearing) for message in (*sounds, *alerts))
    robot.wait(lambda: any("directions are in the frame 'array', audio in 'mic'" in item.message
                           for array in diagnostics for item in array.status), 'it is said')


def test_a_frame_that_is_turned_is_turned_back(hear_alarm):
    sounds, *_ = hear_alarm([pose(90, frame='array', stamp=START + CHUNK_NS)], {
        'direction.frame_id': 'array', 'direction.turn_rad': math.pi / 4})
    assert degrees(sounds[0]) == pytest.approx(135, abs=1e-3)


def test_a_transcript_says_where_the_speaker_is(robot):
    finals = robot.watch(Transcript, 'transcript', qos.EVENTS)
    decoder = robot.decoder({'direction.topic': 'sound_direction'},
                            runtime=robot.scripted(script={0: {3: 'come here'}}))
    array = Array(robot, decoder)
    array.tell(*(pose(60, stamp=START + number * CHUNK_NS) for number in range(5)))
    array.hear(*[0.0] * 7)
    robot.wait(lambda: robot.finals(finals), 'a final')
    assert all(degrees(message) == pytest.approx(60, abs=1e-3) for message in finals)


LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)


@pytest.mark.parametrize('profile', [LATCHED, qos.FLAG], ids=['kept', 'said'])
def test_answers_are_muted_while_nobody_listens_actively_and_alerts_are_not(robot, profile):
    """What a latched publisher said before the decoder started counts too."""
    replies = robot.watch(Reply, 'reply', qos.EVENTS)
    texts = robot.watch(String, 'reply/text', qos.FINAL_TEXT)
    alerts = robot.watch(Alert, 'alerts', qos.EVENTS)
    word = robot.watcher.create_publisher(Bool, 'active_listening', profile)
    word.publish(Bool(data=False))
    decoder = robot.decoder(
        {'reply.active_topic': 'active_listening', 'direction.topic': 'sound_direction',
         'lanes': ['assistant'], 'alerts.evidence': 'model'},
        runtime=robot.scripted(script={0: {1: 'A smoke alarm is sounding.', 5: 'Hello.'}}))
    array = Array(robot, decoder)
    robot.wait(lambda: word.get_subscription_count() > 0, 'somebody asks')
    word.publish(Bool(data=False))
    robot.wait(lambda: not decoder.boards.gate._open, 'muted')
    array.hear(*[0.0] * 4)
    robot.wait(lambda: alerts and decoder.boards.gate._muted == 1, 'an alert, and an answer less')
    assert not replies and not texts
    word.publish(Bool(data=True))
    robot.wait(lambda: decoder.boards.gate._open, 'not muted any more')
    array.hear(*[0.0] * 4)
    robot.wait(lambda: texts, 'an answer')
    assert robot.finals(replies) == ['Hello.'] == [text.data for text in texts]


def test_a_reply_that_was_begun_goes_on_to_its_end(robot):
    from audio_interaction_ros.nodes.decoding.answer_gate import AnswerGate
    gate = AnswerGate(node=None, topic='', group=None)
    assert gate.lets_pass(Reply(reply_id='a'))
    gate._on_word(Bool(data=False))
    assert gate.lets_pass(Reply(reply_id='a', is_final=True))
    assert not gate.lets_pass(Reply(reply_id='b'))
    assert not gate.lets_pass(Reply(reply_id='b', is_final=True))
