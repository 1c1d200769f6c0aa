"""The parts of the nodes that need no graph: message families, parameters, names, devices."""

import ast
import re
import subprocess
import sys
import time
import types
from pathlib import Path

import numpy as np
import pytest
from stand_ins import FakeSound

from audio_interaction_ros.audio.mono import to_mono
from audio_interaction_ros.audio.mp3 import looks_like_mp3
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.errors import AudioFormatError, MissingDependencyError
from audio_interaction_ros.nodes import assistant
from audio_interaction_ros.nodes.io.audio_messages import AudioConverter
from audio_interaction_ros.nodes.io.chunk_messages import chunk_from_message, chunk_message
from audio_interaction_ros.nodes.io.stamps import time_message
from audio_interaction_ros.nodes.lifecycle import live_parameters, parameters
from audio_interaction_ros.nodes.microphone_node import MicrophoneNode, choose_device
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.robot_speech import RobotSpeech

pytestmark = pytest.mark.ros

ROOT = Path(__file__).parents[2]
WAVE = np.array([0, 16384, -16384, 8192], np.int16)
HEADER = types.SimpleNamespace(stamp=types.SimpleNamespace(sec=7, nanosec=5), frame_id='mic')


@pytest.fixture
def families(monkeypatch):
    """Put in place message packages that are not installed here."""
    for package, names in {'audio_common_msgs': ('AudioStamped', 'AudioDataStamped', 'AudioData',
                                                 'AudioInfo'),
                           'audio_utils_msgs': ('AudioFrame',)}.items():
        module = types.ModuleType(f'{package}.msg')
        for name in names:
            setattr(module, name, type(name, (), {}))
        monkeypatch.setitem(sys.modules, package, types.ModuleType(package))
        monkeypatch.setitem(sys.modules, f'{package}.msg', module)


def record(**fields):
    return types.SimpleNamespace(**fields)


def stamped(kind, field, data):
    fields = {name: [] for name in ('float32_data', 'int32_data', 'int16_data', 'int8_data',
                                    'uint8_data')}
    fields[field] = data
    return record(header=HEADER, audio=record(
        audio_data=record(**fields), info=record(format=kind, channels=1, rate=16000, chunk=4)))


FAMILY = {
    'audio_common_msgs/msg/AudioStamped': [
        stamped(1, 'float32_data', WAVE / 32768), stamped(8, 'int16_data', WAVE),
        stamped(2, 'int32_data', WAVE.astype(np.int32) << 16),
        stamped(16, 'int8_data', WAVE >> 8), stamped(32, 'uint8_data', (WAVE >> 8) + 128)],
    'audio_common_msgs/msg/AudioDataStamped': [
        record(header=HEADER, audio=record(data=WAVE.tobytes()))],
    'audio_common_msgs/msg/AudioData': [record(data=WAVE.tobytes())],
    'audio_utils_msgs/msg/AudioFrame': [
        record(header=HEADER, format=name, channel_count=1, sampling_frequency=16000,
               frame_sample_count=4, data=data) for name, data in (
                   ('signed_16', WAVE.tobytes()),
                   ('float', (WAVE / 32768).astype('<f4').tobytes()),
                   ('signed_24', (WAVE.astype('<i4') << 16).view('u1').reshape(-1, 4)[:, 1:]
                    .tobytes()),
                   ('signed_padded_24', (WAVE.astype('<i4') << 8).tobytes()))],
    'std_msgs/msg/Int16MultiArray': [record(data=WAVE.tolist())],
    'std_msgs/msg/Float32MultiArray': [record(data=(WAVE / 32768).tolist())],
    'audio_interaction_msgs/msg/AudioChunk': [
        record(header=HEADER, encoding='s16le', sample_rate=16000, channels=1, frames=4,
               seq=3, data=WAVE.tobytes())],
}


@pytest.mark.parametrize('name', FAMILY)
def test_every_family_brings_the_same_sound(families, name):
    for message in FAMILY[name]:
        converter = AudioConverter(type_name=name)
        block = converter.to_block(message, 10 ** 12)
        assert block.sample_rate_hz == 16000
        np.testing.assert_allclose(to_mono(block), WAVE / 32768, atol=1e-6)
        if converter.stamped:
            assert block.stamp_ns == 7_000_000_005
        else:
            assert block.stamp_ns == 10 ** 12 - 250_000
            later = converter.to_block(message, 10 ** 12 + 15 * 10 ** 9, 77)
            assert later.stamp_ns == 10 ** 12 + 15 * 10 ** 9 - 250_000
            assert later.arrival_ns == 77
            assert converter.to_block(message, 0).stamp_ns is None  # no clock yet
        assert block.stamped_on_arrival is not converter.stamped
        assert block.seq == (3 if 'AudioChunk' in name else None)


def test_an_unknown_family_and_a_missing_package_are_named():
    with pytest.raises(AudioFormatError, match='remap audio'):
        AudioConverter(type_name='std_msgs/msg/String')
    if 'audio_utils_msgs' not in sys.modules:
        with pytest.raises(MissingDependencyError, match='audio_utils_msgs'):
            AudioConverter(type_name='audio_utils_msgs/msg/AudioFrame')


MP3 = bytes([0xFF, 0xFB, 0x90, 0x00]) + bytes(413)  # one frame of 128 kbit/s at 44.1 kHz


def test_mp3_is_refused_by_name_and_raw_samples_are_not(families):
    converter = AudioConverter(type_name='audio_common_msgs/msg/AudioData')
    for data in (MP3, MP3 + MP3, b'ID3' + bytes(100)):
        with pytest.raises(AudioFormatError, match='format:=wave'):
            converter.to_block(record(data=data), 0)
    assert not looks_like_mp3(np.full(1600, -1025, '<i2').tobytes())  # FF FB FF FB …
    converter.on_info(record(coding_format='MP3'))
    with pytest.raises(AudioFormatError, match='format:=wave'):
        converter.to_block(record(data=WAVE.tobytes()), 0)


def test_audio_info_describes_the_data(families):
    converter = AudioConverter(type_name='audio_common_msgs/msg/AudioDataStamped')
    converter.on_info(record(coding_format='WAVE', sample_format='S16LE', channels=2,
                             sample_rate=44100))
    block = converter.to_block(record(header=HEADER, audio=record(data=WAVE.tobytes())), 0)
    assert block.samples.shape == (2, 2) and block.sample_rate_hz == 44100


def test_a_chunk_survives_the_wire():
    features = np.random.default_rng(0).normal(size=(5, 8)).astype(np.float32)
    chunk = EncodedChunk(features=features, stamp_ns=123, epoch=4, seq=5, model_id='m',
                         rms_dbfs=-30.0, lost_samples_before=7, quiet=True, discontinuity=True,
                         robot_speaking=True, end_of_stream=True)
    message = chunk_message(chunk, frame_id='mic')
    back = chunk_from_message(message)
    np.testing.assert_array_equal(back.features, features)
    for name in ('stamp_ns', 'epoch', 'seq', 'model_id', 'quiet', 'end_of_stream'):
        assert getattr(back, name) == getattr(chunk, name)
    message.data = message.data[:-4]
    with pytest.raises(AudioFormatError, match='160 bytes'):
        chunk_from_message(message)


def test_the_page_of_parameters_is_the_declaration():
    page = (ROOT / 'docs/parameters.md').read_text(encoding='utf-8')
    assert parameters.format_table(live_parameters.nodes_that_take) in page


def test_every_parameter_has_a_meaning():
    for item in parameters.list_declarations(list(parameters.GROUPS), AssistantConfig().lanes):
        assert item.help.endswith('.'), item.name
        if item.range is not None:
            assert item.range[0] <= item.default <= item.range[1], item.name


def test_no_topic_name_is_absolute():
    calls = re.compile(r'(create|managed)_(lifecycle_)?(publisher|subscription|service|client)')
    for path in (ROOT / 'audio_interaction_ros/nodes').glob('*.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Call) and calls.search(ast.unparse(node.func)):
                for argument in node.args:
                    assert not re.match(r"""f?['"]/""", ast.unparse(argument)), path


def test_the_assistant_says_who_is_still_busy_when_it_gives_up(monkeypatch):
    said = []
    halves = types.SimpleNamespace(failure='', ended='', list_busy=lambda: ['decoder_node'])
    options = assistant.parse_options(['--source', 'file', '--file', 'a', '--exit-at-end'])
    one = assistant.AssistantProcess(options, halves)
    one._file = types.SimpleNamespace(
        failure='', finished=True, held=False, consumed_at=0.0,
        get_logger=lambda: types.SimpleNamespace(warning=said.append))
    assert not one.is_done() and not said
    monkeypatch.setattr(assistant, '_GIVE_UP_S', -1.0)
    one._file.consumed_at = time.monotonic() + 60.0  # it is slow, and gets on
    assert not one.is_done() and not said
    one._file.consumed_at = 0.0
    assert one.is_done() and one.exit_code == 1
    assert 'decoder_node still busy' in said[0] and 'encoder_node' not in said[0]


def test_a_recording_begins_when_what_reads_again_is_loaded_too():
    busy = ['encoder_node']
    halves = types.SimpleNamespace(failure='', ended='', list_busy=lambda: busy)
    one = assistant.AssistantProcess(
        assistant.parse_options(['--source', 'file', '--file', 'a']), halves)
    one._file = types.SimpleNamespace(held=True)
    assert not one.is_done() and one._file.held
    busy.clear()
    assert not one.is_done() and not one._file.held
    busy.append('encoder_node')  # with the recording
    assert not one.is_done() and not one._file.held


def test_the_hold_off_follows_the_robots_voice():
    speech = RobotSpeech(holdoff_s=0.4)
    assert not speech.is_active(0.0)
    speech.set_speaking(True, 1.0)
    assert speech.is_active(9.0)
    speech.set_speaking(False, 10.0)
    assert speech.is_active(10.3) and not speech.is_active(10.5)


def test_a_device_is_chosen_by_name_or_index():
    library = FakeSound()
    assert choose_device(library, '') is None
    assert choose_device(library, 'respeaker') == 2
    assert choose_device(library, '1') == 1
    for wrong in ('webcam', 'e', '0'):
        with pytest.raises(AudioFormatError, match='USB microphone'):
            choose_device(library, wrong)


def test_a_microphone_survives_unplugging_and_mute(robot):
    from std_srvs.srv import SetBool

    from audio_interaction_msgs.msg import AudioChunk
    from audio_interaction_ros.nodes.lifecycle import qos
    library = FakeSound()
    heard = robot.watch(AudioChunk, 'audio', qos.AUDIO_IN)
    node = robot.add(MicrophoneNode(library=library, **robot.options({'device': 'usb'})))
    assert library.streams[0].options['device'] == 1
    robot.wait(lambda: node._publisher.get_subscription_count() > 0, 'somebody listens')
    robot.wait(lambda: node.count_publishers('audio') > 0, 'found')

    def speak():
        library.streams[-1].options['callback'](np.ones((4800, 1), np.int16), 4800, None, None)
        return heard
    robot.wait(speak, 'it is heard')
    assert heard[0].sample_rate == 48000 and heard[0].frames == 4800
    library.plugged = False
    library.streams[0].active = False
    robot.wait(lambda: node._problem, 'the loss is noticed')
    library.plugged = True
    robot.wait(lambda: len(library.streams) == 2, 'opened again')
    before = heard[-1].seq
    node._ended_at_ns -= 30 * 10 ** 9  # so long it was away
    robot.wait(lambda: speak()[-1].seq > before, 'it is heard again')
    assert [one.seq for one in heard][:2] == [0, 1] and 300 <= heard[-1].seq - before < 400
    assert robot.call(SetBool, 'microphone_node/set_listening', data=False).success
    assert not library.streams[-1].active and node._stream is None
    robot.wait(lambda: node.count_publishers('audio') == 0, 'nobody waits for it')
    before = heard[-1].seq
    assert robot.call(SetBool, 'microphone_node/set_listening', data=True).success
    robot.wait(lambda: speak()[-1].seq > before, 'it is heard again')


@pytest.mark.parametrize(('name', 'value'), [
    ('channels', '0'), ('block_ms', '-1'), ('device', '1.5'), ('sample_rate_hz', 'fast')])
def test_a_microphone_that_is_started_wrongly_ends(name, value):
    ended = subprocess.run(
        [sys.executable, '-m', 'audio_interaction_ros.nodes.microphone_node', '--ros-args', '-p',
         f'{name}:={value}'], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2 and name in ended.stderr and ended.stderr.count('\n') == 1


@pytest.mark.parametrize('processes', [[], ['--processes']])
def test_without_portaudio_a_microphone_is_refused_before_a_model_is_loaded(
        monkeypatch, capsys, processes):
    for name in ('SameProcess', 'OwnProcesses'):
        monkeypatch.setattr(assistant, name, None)  # neither is started
    monkeypatch.setitem(sys.modules, 'sounddevice', None)
    assert assistant.main(['--source', 'mic', *processes]) == 1
    said = capsys.readouterr().err
    assert 'apt install libportaudio2' in said and 'conda-forge' in said


@pytest.mark.parametrize(('name', 'value', 'block'), [
    ('sample_rate_hz', 16000, 640), ('channels', 2, 1920)])
def test_what_is_not_heard_while_a_device_is_opened_otherwise_is_numbered(
        robot, name, value, block):
    from rclpy.parameter import Parameter

    from audio_interaction_msgs.msg import AudioChunk
    from audio_interaction_ros.audio.frontend import FrontEnd
    from audio_interaction_ros.nodes.io.audio_messages import AudioConverter
    from audio_interaction_ros.nodes.lifecycle import qos
    library = FakeSound()
    heard = robot.watch(AudioChunk, 'audio', qos.AUDIO_IN)
    node = robot.add(MicrophoneNode(library=library, **robot.options({'device': 'usb'})))
    robot.wait(lambda: node._publisher.get_subscription_count() > 0, 'somebody listens')
    robot.wait(lambda: node.count_publishers('audio') > 0, 'found')

    def speak(frames, channels=1):
        library.streams[-1].options['callback'](
            np.ones((frames, channels), np.int16), frames, None, None)
        return heard
    robot.wait(lambda: speak(1920), 'it is heard')
    node.set_parameters([Parameter(name, value=value)])
    robot.wait(lambda: len(library.streams) == 2, 'opened again')
    before = len(heard)
    robot.wait(lambda: time.monotonic_ns() > node._ended_at_ns + 10 ** 9, 'so long it took')
    robot.wait(lambda: len(speak(block, 2 if name == 'channels' else 1)) > before, 'heard again')
    gap = heard[before].seq - heard[before - 1].seq
    assert gap > 20
    front = FrontEnd()
    converter = AudioConverter(type_name='audio_interaction_msgs/msg/AudioChunk')
    for message in heard:
        front.push(converter.to_block(message, 1))
    assert front.stats.gaps == 1 and front.stats.lost_samples == (gap - 1) * 640


def test_samples_of_24_bits_are_as_loud_in_a_message_as_they_were():
    from audio_interaction_ros.audio.block import AudioBlock
    from audio_interaction_ros.nodes.io.audio_messages import audio_message
    half = np.full((2, 1), 2 ** 30, np.int32)
    message = audio_message(AudioBlock(samples=half, sample_rate_hz=16_000, stamp_ns=0), seq=0,
                            frame_id='x')
    assert message.encoding == 'f32le'
    assert np.frombuffer(message.data.tobytes(), '<f4').tolist() == [0.5, 0.5]


@pytest.mark.parametrize(('nanoseconds', 'seconds'), [
    (-1, 0), (1_500_000_000, 1), (2 ** 31 * 1_000_000_000, 2 ** 31 - 1), (2 ** 70, 2 ** 31 - 1)])
def test_a_time_that_no_stamp_can_hold_becomes_the_nearest(nanoseconds, seconds):
    assert time_message(nanoseconds).sec == seconds
