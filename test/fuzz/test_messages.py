"""Any message of any family: a block or a sentence; any chunk on the wire: the same."""

import sys
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_interaction_msgs.msg import EncodedChunk
from audio_interaction_ros.audio.frontend import FrontEnd
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.nodes.io.audio_messages import SUPPORTED_TYPES, AudioConverter
from audio_interaction_ros.nodes.io.chunk_messages import chunk_from_message
from audio_interaction_ros.nodes.io.sound_messages import sound_event_message, sound_scores_message
from audio_interaction_ros.stream.sound_events import SoundDetector, SoundRule

pytestmark = pytest.mark.ros

U32 = st.one_of(st.integers(0, 8), st.sampled_from([8_000, 16_000, 48_000, 2 ** 31, 2 ** 32 - 1]))
BYTES = st.one_of(st.binary(max_size=96), st.sampled_from([b'\xff\xfb\x90\x00' * 24, b'']))
FORMATS = st.sampled_from(['s16le', 'f32le', 'signed_16', 'signed_24', 'signed_padded_24', 'float',
                           'double', 'unsigned_8', 'S16LE', 'F32LE', '', 'opus'])
NUMBERS = {'float32_data': st.lists(st.floats(width=32), max_size=16),
           'int32_data': st.lists(st.integers(-2 ** 31, 2 ** 31 - 1), max_size=16),
           'int16_data': st.lists(st.integers(-2 ** 15, 2 ** 15 - 1), max_size=16),
           'int8_data': st.lists(st.integers(-128, 127), max_size=16),
           'uint8_data': st.lists(st.integers(0, 255), max_size=16)}


def record(**fields):
    return st.fixed_dictionaries(fields).map(lambda values: types.SimpleNamespace(**values))


HEADER = record(frame_id=st.text(max_size=4), stamp=record(
    sec=st.integers(-2 ** 31, 2 ** 31 - 1), nanosec=st.integers(0, 2 ** 32 - 1)))
INFO = record(channels=st.integers(0, 255), sample_rate=U32, sample_format=FORMATS,
              coding_format=st.sampled_from(['wave', 'WAVE', 'mp3', 'PCM', '', 'opus']))
MESSAGES = {
    'audio_common_msgs/msg/AudioStamped': record(header=HEADER, audio=record(
        info=record(format=st.one_of(U32, st.just(16), st.just(32)), channels=U32, rate=U32,
                    chunk=U32), audio_data=record(**NUMBERS))),
    'audio_common_msgs/msg/AudioDataStamped': record(header=HEADER, audio=record(data=BYTES)),
    'audio_common_msgs/msg/AudioData': record(data=BYTES),
    'audio_utils_msgs/msg/AudioFrame': record(
        header=HEADER, format=FORMATS, channel_count=U32, sampling_frequency=U32,
        frame_sample_count=U32, data=BYTES),
    'std_msgs/msg/Int16MultiArray': record(data=NUMBERS['int16_data']),
    'std_msgs/msg/Float32MultiArray': record(data=NUMBERS['float32_data']),
    'audio_interaction_msgs/msg/AudioChunk': record(
        header=HEADER, encoding=FORMATS, sample_rate=U32, channels=U32, frames=U32,
        seq=st.integers(0, 2 ** 64 - 1), data=BYTES)}


@pytest.fixture(scope='module', autouse=True)
def families():
    """Put in place message packages that are not installed here."""
    packages = {'audio_common_msgs': ('AudioStamped', 'AudioDataStamped', 'AudioData'),
                'audio_utils_msgs': ('AudioFrame',)}
    with pytest.MonkeyPatch.context() as patch:
        for package, names in packages.items():
            module = types.ModuleType(f'{package}.msg')
            for name in names:
                setattr(module, name, type(name, (), {}))
            patch.setitem(sys.modules, package, types.ModuleType(package))
            patch.setitem(sys.modules, f'{package}.msg', module)
        yield


@pytest.mark.share(8)
@given(family=st.sampled_from(SUPPORTED_TYPES), info=st.one_of(st.none(), INFO), draw=st.data(),
       rate=st.integers(1, 400_000), arrival_ns=st.integers(0, 2 ** 62))
def test_any_message_becomes_sound_or_is_named(family, info, draw, rate, arrival_ns):
    converter = AudioConverter(type_name=family, sample_rate_hz=rate)
    try:
        if info is not None and converter.wants_info:
            converter.on_info(info)
        block = converter.to_block(draw.draw(MESSAGES[family]), arrival_ns)
        FrontEnd().push(block)
    except AudioFormatError as error:
        assert 'Expected' in str(error) or 'expected' in str(error)


@pytest.mark.share(7)
@given(dtype=st.sampled_from(['float32', 'float16', 'float64', 'object', '', 'V8']),
       shape=st.lists(U32, max_size=3), data=BYTES, flags=st.integers(0, 255))
def test_any_chunk_on_the_wire_has_its_shape_or_is_named(dtype, shape, data, flags):
    try:
        chunk = chunk_from_message(EncodedChunk(dtype=dtype, shape=shape, data=data, flags=flags))
    except AudioFormatError:
        return
    assert chunk.features.dtype == np.float32 and list(chunk.features.shape) == shape


@pytest.mark.share(1)
@given(names=st.lists(st.sampled_from(['bell', 'bark', '', '狗']), max_size=4),
       scores=st.lists(st.floats(width=32), max_size=4), top=st.integers(0, 6))
def test_any_scores_on_the_wire_are_heard_or_named(names, scores, top):
    message = EncodedChunk(dtype='float32', shape=[1, 1], data=bytes(4), sound_names=names,
                           sound_scores=scores)
    try:
        chunk = chunk_from_message(message)
    except AudioFormatError as error:
        fits = len(names) == len(scores) and all(0 <= score <= 1 for score in scores)
        assert not fits and 'sounds' in str(error)
        return
    detector = SoundDetector({'bell': SoundRule(threshold=0.5), 'bark': SoundRule(threshold=1.0)})
    for event in detector.push(chunk):
        sound_event_message(event, frame_id='mic')
        assert event.sound in names and 0.5 <= event.score <= 1
    told = sound_scores_message(chunk, frame_id='mic', top=top, thresholds={'bell': 0.5})
    assert len(told.sounds) == len(told.scores) == len(told.thresholds) == min(top, len(names))
    assert all(0 <= score <= 1 for score in told.scores)
