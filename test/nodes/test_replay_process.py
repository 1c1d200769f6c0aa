"""Recordings through the real nodes: the same on every run, at every speed, from every family."""

import io
import json
import time

import numpy as np
import pytest
import soundfile

pytest.importorskip('rosbags.rosbag2', reason='rosbags is not installed')

from rosbags import rosbag2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

from audio_interaction_ros.nodes import replay_process
from audio_interaction_ros.nodes.scripted_process import scripted
from audio_interaction_ros.runtimes.base import Recognition

pytestmark = pytest.mark.ros

CONFIG = """
/**:
  ros__parameters:
    lanes: [transcript, assistant]
    reply: {source: model}
    alerts: {evidence: model}
"""
SCRIPT = {0: {3: 'good morning'}, 1: {5: 'A smoke alarm is sounding.'}}
SAMPLES = (np.random.default_rng(2).standard_normal(4 * 16_000) * 3000).astype(np.int16)


def runtime(model):
    return scripted(model, script=SCRIPT)


def wave(folder):
    path = folder / 'kitchen.wav'
    soundfile.write(path, SAMPLES, 16_000)
    return path


def bag(folder, kind, make, text=None):
    """Return a bag with a message of 50 ms each, made of samples and a number."""
    store = get_typestore(Stores.ROS2_HUMBLE)
    for name, definition in (text or {}).items():
        store.register(get_types_from_msg(definition, name))
    writer = rosbag2.Writer(folder / 'bag', version=9,
                            storage_plugin=rosbag2.StoragePlugin.MCAP)
    with writer:
        connection = writer.add_connection('/mic', kind, typestore=store)
        for number, start in enumerate(range(0, len(SAMPLES), 800)):
            message = make(store.types, SAMPLES[start:start + 800], number)
            writer.write(connection, 10 ** 18 + (number + 1) * 50_000_000,
                         store.serialize_cdr(message, kind))
    return folder / 'bag'


def array_message(types, samples, _number):
    layout = types['std_msgs/msg/MultiArrayLayout'](dim=[], data_offset=0)
    return types['std_msgs/msg/Int16MultiArray'](layout=layout, data=samples)


FRAME = {'audio_utils_msgs/msg/AudioFrame': (
    'std_msgs/Header header\nstring format\nuint32 channel_count\nuint32 sampling_frequency\n'
    'uint32 frame_sample_count\nuint8[] data')}


def frame_message(types, samples, number):
    stamp = types['builtin_interfaces/msg/Time'](
        sec=10 ** 9 + number // 20, nanosec=number % 20 * 50_000_000)
    return types['audio_utils_msgs/msg/AudioFrame'](
        header=types['std_msgs/msg/Header'](stamp=stamp, frame_id='mic'), format='signed_16',
        channel_count=1, sampling_frequency=16_000, frame_sample_count=len(samples),
        data=np.frombuffer(samples.tobytes(), np.uint8))


@pytest.fixture
def replayed(tmp_path, monkeypatch, capsys):
    """Return a function that replays recordings at speeds and returns what each answer says."""
    (tmp_path / 'config.yaml').write_text(CONFIG)

    def run(*asked):
        lines = [json.dumps({'recording': str(path), 'topic': '', 'speed': speed})
                 for path, speed in asked]
        monkeypatch.setattr('sys.stdin', io.StringIO('\n'.join(lines) + '\n'))
        assert replay_process.main(['--config', str(tmp_path / 'config.yaml')],
                                   runtime=runtime) == 0
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()
                if line.startswith('{"replayed"')]
    return run


def test_any_speed_and_any_family_give_the_same_and_a_wrong_one_is_told(replayed, tmp_path):
    for name in ('array', 'frame'):
        (tmp_path / name).mkdir()
    (tmp_path / 'broken.wav').write_bytes(b'no audio')
    arrays = bag(tmp_path / 'array', 'std_msgs/msg/Int16MultiArray', array_message)
    frames = bag(tmp_path / 'frame', 'audio_utils_msgs/msg/AudioFrame', frame_message, FRAME)
    plain, wrong, fast, other = replayed(
        (wave(tmp_path), 0.0), (tmp_path / 'broken.wav', 0.0), (arrays, 50.0), (frames, 0.0))
    first = plain['replayed']
    assert [(one['kind'], one['text'] or one['label']) for one in first] == [
        ('transcript', 'good morning'), ('alert', 'A smoke alarm is sounding.'),
        ('reply', 'A smoke alarm is sounding.')]
    assert first[2]['end_s'] == 2.4 and first[1]['severity'] == 'CRITICAL'
    assert 'broken.wav' in wrong['error']
    assert fast == other == plain


class Reader:
    """Reads "Stop." in all that is said, and takes its time."""

    def __init__(self, seconds):
        self.seconds = seconds

    def transcribe(self, samples, languages=()):
        time.sleep(self.seconds)  # a slow machine
        return Recognition(text='Stop.', language='en')


@pytest.mark.parametrize(('reading_s', 'step_s'), [(0.0, 0.01), (0.5, 0.0)])
def test_who_is_slow_does_not_decide_whether_a_reply_was_stopped(tmp_path, reading_s, step_s):
    """A word such as "stop" ends the reply under way at the same place, whoever is slow."""
    (tmp_path / 'config.yaml').write_text(
        '/**:\n  ros__parameters:\n    lanes: [transcript, assistant]\n'
        '    transcript: {second_pass: whisper, partial_ms: 0}\n    alerts: {evidence: model}\n')
    script = {0: {3: 'stop'}, 1: {3: 'Well, ' * 9 + 'a smoke alarm is sounding.'}}
    heard = replay_process.replay(
        {'recording': str(wave(tmp_path)), 'topic': '', 'speed': 0.0},
        ['--ros-args', '--params-file', str(tmp_path / 'config.yaml')],
        lambda model: scripted(model, script=script, step_s=step_s),
        lambda name: Reader(reading_s))
    assert [(one.kind, one.text) for one in heard] == [
        ('transcript', 'Stop.'), ('reply', 'Stopping.')]  # and no alert of what was not said
