"""Who publishes the audio and what it means, and who says that the robot speaks."""

import sys
import types

import numpy as np
import pytest
import rclpy
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool, Int16MultiArray, UInt8MultiArray
from std_srvs.srv import SetBool

from audio_interaction_msgs.msg import AudioChunk
from audio_interaction_ros.nodes.encoding import audio_info, audio_input
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.stream.robot_speech import RobotSpeech

pytestmark = pytest.mark.ros


def latest(messages, name):
    for array in reversed(messages):
        for item in array.status:
            if item.name == name:
                return item.message
    return ''


@pytest.fixture
def look(robot):
    """Return a function that tells whether a task of the diagnostics says some words."""
    seen = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    return lambda words, task='encoder_node: audio input': words in latest(seen, task)


def another(robot, name):
    return robot.add(rclpy.create_node(name, namespace=robot.namespace, context=robot.context))


def test_two_publishers_of_audio_are_named(robot, look):
    robot.encoder()
    robot.microphone()
    second = another(robot, 'second')
    publisher = second.create_publisher(AudioChunk, 'audio', qos.AUDIO_OUT)
    robot.wait(lambda: look('mixed up: /robot/second, /robot/watcher'), 'both are named')
    second.destroy_publisher(publisher)
    robot.wait(lambda: not look('mixed up'), 'one of them went')


def test_a_publisher_whose_type_has_other_fields_is_named(robot, look, monkeypatch):
    encoder = robot.encoder()
    microphone = robot.microphone()
    robot.wait(lambda: microphone.get_subscription_count() > 0, 'the encoder listens')
    publishers = encoder._input._publishers
    (own,) = publishers.find_own()
    if getattr(own, 'topic_type_hash', None) is None:
        return  # this ROS 2 says nothing of the fields of a type
    robot.wait(lambda: look('no audio for'), 'said while both have the same fields')
    assert not look('other fields')

    def find_publishers():
        for info in (found := find()):
            info.topic_type_hash = type(own.topic_type_hash)(version=1, value=bytes(32))
        return found
    find = publishers.find
    monkeypatch.setattr(publishers, 'find', find_publishers)
    robot.wait(lambda: look('/robot/watcher publishes audio_interaction_msgs/msg/AudioChunk with '
                            'other fields'), 'named')


def test_a_silent_publisher_is_subscribed_to_anew_and_then_heard(robot, monkeypatch):
    monkeypatch.setattr(audio_input, '_RENEW_AFTER_S', 0.2)
    encoder = robot.encoder()
    microphone = robot.microphone()
    seen = []
    robot.wait(lambda: seen.extend(encoder._input._subscriptions) or seen, 'encoder listens')
    robot.wait(lambda: encoder._input.renewed > 1, 'anew')
    assert encoder._input._patience_s > 0.4
    # for a moment there is none
    robot.wait(lambda: encoder._input._subscriptions
               and encoder._input._subscriptions[0] is not seen[0], 'another one')

    def heard():
        robot.speak(microphone)
        return encoder._input.received > 0
    robot.wait(heard, 'heard')


def test_a_publisher_that_comes_back_with_another_type_is_heard(robot, robots):
    encoder = robot.encoder()
    first, second = robots(robot.namespace), robots(robot.namespace)
    microphone = first.microphone()
    robot.wait(lambda: microphone.get_subscription_count() > 0, 'encoder listens')
    first.watcher.destroy_publisher(microphone)
    microphone = second.microphone(Int16MultiArray)

    def heard():
        microphone.publish(Int16MultiArray(data=[100] * 1600))
        return encoder._outlet.fifo.stats(0.0).offered > 0
    robot.wait(heard, 'the new type is heard')


@pytest.mark.parametrize('half', ['encoder', 'decoder'])
def test_two_encoders_or_decoders_in_one_namespace_are_named(robot, look, half):
    robot.encoder()
    robot.decoder()
    getattr(robot, half)()
    words = f'more than one {half} in this namespace: /robot/{half}_node (2 times)'
    robot.wait(lambda: look(words, 'encoder_node: fifo'), 'named')


def test_a_robot_that_never_stops_speaking_is_doubted():
    speech = RobotSpeech(holdoff_s=0.4, timeout_s=30.0)
    speech.set_speaking(True, 100.0)
    for now in (101.0, 115.0, 129.0):
        speech.set_speaking(True, now)  # said again and again is the same speech
        speech.check_doubt(now, publishers=1)
    assert speech.is_active(129.9) and not speech.doubt
    speech.check_doubt(130.0, publishers=1)
    assert 'longer than audio.robot_speaking_timeout_s (30 s)' in speech.doubt
    assert speech.is_active(130.3) and not speech.is_active(130.5)
    speech.set_speaking(True, 131.0)
    assert not speech.is_active(131.0)
    speech.set_speaking(False, 140.0)
    assert not speech.doubt and not speech.is_active(140.1)
    speech.set_speaking(True, 141.0)
    assert speech.is_active(142.0)


def test_a_robot_whose_voice_died_is_doubted_until_another_speaks():
    speech = RobotSpeech(holdoff_s=0.0, timeout_s=0.0)
    speech.set_speaking(True, 0.0)
    for look in range(4):
        speech.check_doubt(look * 0.2, publishers=0)
    assert speech.is_active(1.0)
    speech.check_doubt(1.0, publishers=0)
    assert 'nobody publishes it' in speech.doubt and not speech.is_active(1.0)
    speech.set_speaking(True, 2.0)
    assert speech.is_active(2.0) and not speech.doubt
    speech.check_doubt(9e9, publishers=1)
    assert speech.is_active(9e9)


def test_the_robot_hears_again_when_who_said_that_it_speaks_is_gone(robot, look):
    encoder = robot.encoder()
    voice = robot.watcher.create_publisher(Bool, 'robot_speaking', qos.FLAG)
    robot.wait(lambda: voice.get_subscription_count() > 0, 'robot_speaking is heard')
    voice.publish(Bool(data=True))
    robot.wait(lambda: encoder._voice.speech.is_active(0.0), 'it speaks')
    robot.watcher.destroy_publisher(voice)
    robot.wait(lambda: look('the robot hears again'), 'it is said')
    assert not encoder._voice.speech.is_active(float('inf'))


@pytest.fixture
def drivers(monkeypatch):
    """Put real messages in the place of those of ros-drivers, which are not installed here."""
    module = types.ModuleType('audio_common_msgs.msg')
    module.AudioData, module.AudioInfo = UInt8MultiArray, AudioChunk
    monkeypatch.setattr(AudioChunk, 'coding_format', 'WAVE', raising=False)
    monkeypatch.setattr(AudioChunk, 'sample_format', 'S16LE', raising=False)
    monkeypatch.setitem(sys.modules, 'audio_common_msgs', types.ModuleType('audio_common_msgs'))
    monkeypatch.setitem(sys.modules, 'audio_common_msgs.msg', module)


DRIVERS = {'audio.msg_type': 'audio_common_msgs/msg/AudioData'}
STEREO = AudioChunk(sample_rate=48000, channels=2)


def info_publisher(robot, topic, durability):
    return robot.watcher.create_publisher(AudioChunk, topic, QoSProfile(
        depth=1, durability=durability, reliability=ReliabilityPolicy.RELIABLE))


def play(publisher, blocks=1):
    """Publish 0.1 s of 48 kHz stereo per block."""
    samples = np.random.default_rng(0).normal(0, 3000, (4800, 2)).astype('<i2')
    for _ in range(blocks):
        publisher.publish(UInt8MultiArray(data=samples.tobytes()))


@pytest.mark.parametrize('durability', [DurabilityPolicy.TRANSIENT_LOCAL,
                                        DurabilityPolicy.VOLATILE])
def test_audio_waits_until_its_description_is_there(robot, look, drivers, durability):
    info = info_publisher(robot, 'audio_info', durability)
    latched = durability is DurabilityPolicy.TRANSIENT_LOCAL
    if latched:
        info.publish(STEREO)  # long before anybody listens
    encoder = robot.encoder(DRIVERS)
    audio = robot.microphone(UInt8MultiArray)
    robot.wait(lambda: audio.get_subscription_count() > 0, 'encoder listens')
    play(audio, 10)
    if not latched:
        robot.wait(lambda: encoder._input.received == 10, 'all of it arrived')
        assert encoder._input._format == (0, 0)
        info.publish(STEREO)
    robot.wait(lambda: encoder._outlet.fifo.stats(0.0).offered == 2, 'it is heard')
    assert encoder._input._format == (48000, 2)
    assert encoder._ears.stats.samples == 10 * 9600
    assert encoder._ears.stats.format_changes == 0


def test_a_description_that_was_said_once_holds_after_a_mute_and_a_new_subscription(
        robot, drivers):
    info = info_publisher(robot, 'audio_info', DurabilityPolicy.VOLATILE)
    encoder = robot.encoder(DRIVERS)
    audio = robot.microphone(UInt8MultiArray)
    robot.wait(lambda: audio.get_subscription_count() > 0, 'encoder listens')
    robot.wait(lambda: info.get_subscription_count() > 0, 'its description is looked for')
    info.publish(STEREO)
    robot.wait(lambda: encoder._input._info._info is not None, 'it is known')

    def heard_at_once(format_):
        before = encoder._input.received
        robot.wait(lambda: encoder._input._subscriptions and encoder._input._subscriptions[0]
                   .get_publisher_count() > 0 and audio.get_subscription_count() == 1, 'listens')
        play(audio, 2)
        robot.wait(lambda: encoder._input.received == before + 2, 'it arrived')
        assert not encoder._input._info._held and encoder._input._format == format_
    for data in (False, True):
        assert robot.call(SetBool, 'encoder_node/set_listening', data=data).success
    heard_at_once((48000, 2))
    with encoder.lock:
        encoder._input._unsubscribe()
    heard_at_once((48000, 2))
    encoder.trigger_deactivate()
    encoder.trigger_cleanup()
    encoder.autostart()
    robot.wait(lambda: encoder._input.is_open, 'it listens again')
    heard_at_once((48000, 2))

    def another_is_known():  # and counts as before
        info.publish(AudioChunk(sample_rate=24000, channels=2))
        return encoder._input._info._info.sample_rate == 24000
    robot.wait(another_is_known, 'it is known')
    heard_at_once((24000, 2))


def test_a_description_serves_no_other_type_and_no_other_topic(robot, drivers):
    mic = ('audio_common_msgs/msg/AudioDataStamped', '/robot/audio_info')
    other = ('audio_common_msgs/msg/AudioData', '/other/audio_info')
    encoder = robot.encoder({**DRIVERS, 'autostart': False})
    encoder._infos.update({mic: STEREO, other: STEREO})
    encoder.trigger_configure()
    encoder.trigger_activate()
    robot.wait(lambda: encoder._input._info is not None, 'it listens')
    assert encoder._input._info.hold(None)


def test_audio_without_a_description_is_taken_at_last_and_it_is_said(
        robot, look, drivers, monkeypatch):
    monkeypatch.setattr(audio_info, '_WAIT_S', 1.5)
    encoder = robot.encoder(DRIVERS)
    audio = robot.microphone(UInt8MultiArray)
    robot.wait(lambda: audio.get_subscription_count() > 0, 'encoder listens')
    play(audio, 4)
    robot.wait(lambda: look('waiting for AudioInfo on /robot/audio_info'), 'it waits')
    robot.wait(lambda: look('no AudioInfo on /robot/audio_info: the audio is taken as 16000 Hz'),
               'it says so')
    robot.wait(lambda: encoder._input._format == (16000, 1), 'it goes on')


def test_no_more_is_held_than_a_bounded_number(robot):
    taken = []
    robot.watcher.exclusive = lambda callback: callback  # as of a node of ours
    topic = audio_info.InfoTopic(
        node=robot.watcher, kind=AudioChunk, name='nothing', group=None,
        take_info=taken.append, take_audio=lambda *message: taken.append(message))
    held = [topic.hold(number) for number in range(600)]
    assert held == [True] * 500 + [False] * 100
    assert taken == [(number,) for number in range(500)]
    topic.close()


@pytest.mark.parametrize(('rules', 'wanted', 'expected'), [
    ([], '', '/robot/audio_info'),
    (['audio:=/mic/audio'], '', '/mic/audio_info'),
    (['audio:=sound'], '', '/robot/sound_info'),
    (['audio:=/mic/audio', 'audio_info:=/mic/info'], '', '/mic/info'),
    (['audio:=/mic/audio'], '/other/info', '/other/info'),
    ([], 'described', '/robot/described')])
def test_the_description_is_looked_for_beside_the_audio(robot, rules, wanted, expected):
    arguments = ['--ros-args', *(part for rule in rules for part in ('-r', rule))]
    node = robot.add(rclpy.create_node('remapped', namespace='/robot', context=robot.context,
                                       cli_args=arguments))
    audio = node.resolve_topic_name('audio')
    assert audio_info.info_topic(node, audio, wanted) == expected


def test_a_bag_brings_the_description_of_its_audio(robot, drivers, tmp_path):
    rosbag2 = pytest.importorskip('rosbags.rosbag2', reason='rosbags is not installed')
    from rclpy.serialization import serialize_message
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    from audio_interaction_ros.nodes.audio_file_node import AudioFileNode
    store = get_typestore(Stores.ROS2_HUMBLE)
    names = {'/mic/audio_info': 'AudioInfo', '/mic/audio': 'AudioData', '/other_info': 'AudioInfo'}
    for name in set(names.values()):
        store.register(get_types_from_msg('uint8[] data', f'audio_common_msgs/msg/{name}'))
    samples = np.random.default_rng(0).normal(0, 3000, (4800, 2)).astype('<i2')
    data = serialize_message(UInt8MultiArray(data=samples.tobytes()))
    with rosbag2.Writer(tmp_path / 'bag', version=9) as writer:
        topics = {topic: writer.add_connection(
            topic, f'audio_common_msgs/msg/{name}', typestore=store)
            for topic, name in names.items()}
        writer.write(topics['/other_info'], 0, serialize_message(AudioChunk(sample_rate=8000)))
        writer.write(topics['/mic/audio_info'], 1, serialize_message(STEREO))
        for index in range(10):
            writer.write(topics['/mic/audio'], index * 10 ** 8, data)
    encoder = robot.encoder(DRIVERS)
    node = robot.add(AudioFileNode(**robot.options(
        {'path': str(tmp_path / 'bag'), 'wait_for_decoder': False})))
    robot.wait(lambda: node.finished, 'played')
    assert not node.failure
    robot.wait(lambda: encoder._ears.stats.samples == 10 * 9600, 'it is heard')
    assert encoder._input._format == (48000, 2)


def test_the_successor_of_a_publisher_that_died_in_doubt_is_believed():
    speech = RobotSpeech(holdoff_s=0.4, timeout_s=30.0)
    speech.set_speaking(True, 0.0)
    speech.check_doubt(31.0, publishers=1)
    assert speech.doubt
    for second in range(40):
        speech.check_doubt(32.0 + second, publishers=0)
    speech.set_speaking(True, 80.0)
    assert speech.is_active(80.1)
