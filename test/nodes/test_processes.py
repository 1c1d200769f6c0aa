"""Real processes: one dies by kill -9 and comes back, the other goes on; ends are clean."""

import json
import os
import signal
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np
import pytest

from audio_interaction_msgs.msg import Decision, FifoCredit
from audio_interaction_ros.nodes.lifecycle import qos

pytestmark = pytest.mark.ros

SCRIPT = Path(__file__).with_name('scripted_process.py')


def hear(robot, microphone, offers):
    """Wait until an encoder process listens and a decoder process offers credit."""
    robot.wait(lambda: microphone.get_subscription_count() > 0, 'an encoder listens')
    robot.wait(lambda: offers, 'a decoder offers credit')


def speak_until(robot, microphone, condition, *, at_most):
    """Speak chunk by chunk until something happened; return how many chunks that took."""
    for count in range(1, at_most + 1):
        robot.speak(microphone, 1)
        limit = time.monotonic() + 3.0
        while time.monotonic() < limit:
            if condition():
                return count
            time.sleep(0.02)
    pytest.fail(f'did not happen within {at_most} chunks')


def last(decisions):
    return (decisions[-1].epoch, decisions[-1].seq) if decisions else None


@pytest.mark.parametrize('victim', ['encoder_node', 'decoder_node'])
def test_after_kill_9_the_other_goes_on_within_two_chunks(robot, victim):
    decisions = robot.watch(Decision, 'decisions', qos.DECISIONS)
    offers = robot.watch(FifoCredit, 'encoded/credit', qos.CREDIT)
    microphone = robot.microphone()
    processes = {name: robot.process(name) for name in ('encoder_node', 'decoder_node')}
    hear(robot, microphone, offers)
    speak_until(robot, microphone, lambda: decisions, at_most=4)
    epoch = decisions[-1].epoch
    processes[victim].send_signal(signal.SIGKILL)
    processes[victim].wait()
    robot.speak(microphone, 2)
    survivor = processes['decoder_node' if victim == 'encoder_node' else 'encoder_node']
    assert survivor.poll() is None
    if victim == 'encoder_node':
        robot.wait(lambda: microphone.get_subscription_count() == 0, 'it is gone')
    consumers = {one.header.frame_id for one in offers}
    robot.process(victim)
    if victim == 'encoder_node':
        robot.wait(lambda: microphone.get_subscription_count() > 0, 'it is back')
    else:
        robot.wait(lambda: offers[-1].header.frame_id not in consumers, 'it is back')
    time.sleep(0.5)  # both ends of every topic find each other
    before = last(decisions)
    taken = speak_until(robot, microphone, lambda: last(decisions) != before, at_most=4)
    # a chunk is complete with the first block after it, so two chunks take three to be spoken
    assert taken <= 3
    assert survivor.poll() is None
    if victim == 'encoder_node':
        assert decisions[-1].epoch > epoch
    else:
        assert decisions[-1].epoch == epoch


def test_an_interrupt_ends_a_node_in_good_order(robot):
    offers = robot.watch(FifoCredit, 'encoded/credit', qos.CREDIT)
    microphone = robot.microphone()
    processes = [robot.process(name, STEP_S='0.2') for name in ('encoder_node', 'decoder_node')]
    hear(robot, microphone, offers)
    robot.speak(microphone, 6)
    for process in processes:
        process.send_signal(signal.SIGINT)
    assert [process.wait(timeout=30) for process in processes] == [0, 0]


def recording(path, seconds=4):
    with wave.open(str(path), 'wb') as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16000)
        noise = np.random.default_rng(0).normal(0, 3000, seconds * 16000)
        file.writeframes(noise.astype('<i2').tobytes())
    return path


def assistant(*arguments, **environment):
    return subprocess.run(
        [sys.executable, str(SCRIPT), 'assistant', *map(str, arguments)], text=True, timeout=120,
        env={**os.environ, **environment}, capture_output=True)


@pytest.mark.parametrize('processes', [[], ['--processes']], ids=['one', 'three'])
def test_the_assistant_plays_a_file_and_exits(tmp_path, processes):
    path = recording(tmp_path / 'noise.wav')
    script = json.dumps({0: {3: 'hello'}, 2: {6: 'There is a smoke alarm!'}})
    result = assistant('--source', 'file', '--file', path, '--exit-at-end', '--print', *processes,
                       '--ros-args', '-r', '__ns:=/somewhere', SCRIPT=script)
    assert result.returncode == 0, result.stderr
    assert 'transcript   hello' in result.stdout
    assert 'CRITICAL smoke_alarm active x1' in result.stdout
    assert 'somewhere.encoder_node' in result.stderr
    assert 'terminate called' not in result.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ['noise.wav']


@pytest.mark.parametrize('processes', [[], ['--processes']], ids=['one', 'three'])
def test_the_assistant_names_a_file_that_is_missing(processes):
    result = assistant('--source', 'file', '--file', 'nowhere.wav', '--exit-at-end', *processes)
    assert result.returncode == 1
    assert 'Expected an audio file at nowhere.wav' in result.stderr


def children(process):
    return [int(pid) for pid in Path(
        f'/proc/{process.pid}/task/{process.pid}/children').read_text().split()]


def alive(pid):
    state = Path(f'/proc/{pid}/stat')
    return state.exists() and state.read_text().rpartition(')')[2].split()[0] != 'Z'


@pytest.mark.parametrize('victim', ['a half', 'the command'])
def test_processes_of_an_assistant_end_together(robot, victim):
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), 'assistant', '--processes', '--ros-args', '-r',
         f'__ns:={robot.namespace}'], stderr=subprocess.PIPE, text=True)
    robot.processes.append(process)
    robot.wait(lambda: len(children(process)) == 2, 'both begin')
    robot.wait(lambda: robot.sees('encoder_node', 'decoder_node'), 'both are there')
    halves = children(process)
    if victim == 'the command':
        process.kill()
    else:
        os.kill(halves[0], signal.SIGKILL)
    said = process.communicate(timeout=60)[1]
    if victim == 'a half':
        assert process.returncode == 1 and 'encoder_node ended by itself with code -9' in said
    robot.wait(lambda: not any(map(alive, halves)), 'nobody is left')


@pytest.mark.parametrize('ending', [signal.SIGINT, signal.SIGTERM])
def test_a_model_that_is_being_loaded_does_not_hold_up_the_end(robot, ending):
    environment = {**os.environ, 'LOAD_S': '600'}
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), 'encoder_node', '--ros-args', '-r',
         f'__ns:={robot.namespace}'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=environment)
    robot.processes.append(process)
    robot.wait(lambda: robot.sees('encoder_node'), 'it is there')
    robot.wait(lambda: robot.watcher.count_subscribers('encoded/credit'), 'it is configured')
    process.send_signal(ending)
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, '')


@pytest.mark.parametrize('ending', [signal.SIGINT, signal.SIGTERM, None])
def test_nothing_is_printed_at_the_end(robot, tmp_path, ending):
    offers = robot.watch(FifoCredit, 'encoded/credit', qos.CREDIT)
    path = recording(tmp_path / 'noise.wav', seconds=2)
    process = subprocess.Popen(
        [sys.executable, str(SCRIPT), 'assistant', '--source', 'file', '--file', str(path),
         '--pace', 'consumed', *(['--exit-at-end'] if ending is None else []), '--ros-args', '-r',
         f'__ns:={robot.namespace}', '--log-level', 'warn'],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    robot.processes.append(process)
    # played as fast as it is taken, it may be over before the two have found each other
    robot.wait(lambda: any(one.consumed_seq >= 4 for one in offers)
               or (ending is None and process.poll() is not None), 'it listens')
    if ending is not None:
        process.send_signal(ending)
    said, _ = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, '')


def test_a_bag_is_played_as_recorded(robot, tmp_path):
    rosbag2 = pytest.importorskip('rosbags.rosbag2', reason='rosbags is not installed')
    from rclpy.serialization import serialize_message
    from rosbags.typesys import Stores, get_types_from_msg, get_typestore

    from audio_interaction_msgs.msg import AudioChunk
    from audio_interaction_ros.audio.block import AudioBlock
    from audio_interaction_ros.nodes.audio_file_node import AudioFileNode
    from audio_interaction_ros.nodes.io.audio_messages import audio_message
    store = get_typestore(Stores.ROS2_HUMBLE)
    text = (Path(__file__).parents[2] / 'audio_interaction_msgs/msg/AudioChunk.msg').read_text()
    store.register(get_types_from_msg(text, 'audio_interaction_msgs/msg/AudioChunk'))
    with rosbag2.Writer(tmp_path / 'bag', version=9) as writer:
        connection = writer.add_connection(
            '/microphone', 'audio_interaction_msgs/msg/AudioChunk', typestore=store)
        for index in range(4):
            message = audio_message(AudioBlock(
                samples=np.full(1600, index, np.int16), sample_rate_hz=16000,
                stamp_ns=10 ** 12 + index), seq=index, frame_id='mic')
            writer.write(connection, index * 10 ** 8, serialize_message(message))
    heard = robot.watch(AudioChunk, 'audio', qos.AUDIO_IN)
    node = robot.add(AudioFileNode(**robot.options(
        {'path': str(tmp_path / 'bag'), 'wait_for_decoder': False})))
    robot.wait(lambda: node.finished, 'played')
    assert not node.failure
    robot.wait(lambda: len(heard) == 4, 'four messages')
    assert [one.seq for one in heard] == [0, 1, 2, 3]
    assert heard[3].header.stamp.nanosec == 3
