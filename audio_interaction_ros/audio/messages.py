"""
Audio messages of six families to blocks.

Owns what each family's fields mean. A message is any object with these fields: of ROS, or as a bag
is read without it (audio.bag). Needs no message package.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.mp3 import looks_like_mp3
from audio_interaction_ros.audio.pcm import decode_three_bytes
from audio_interaction_ros.errors import AudioFormatError

__all__ = ['AUDIO_INFO', 'INFO_TYPES', 'SUPPORTED_TYPES', 'MessageReader', 'stamp_ns']

_NS = 1_000_000_000


def stamp_ns(stamp: Any) -> int:
    """Return builtin_interfaces/Time as nanoseconds."""
    return int(stamp.sec) * _NS + int(stamp.nanosec)


def _to_bytes(data: Any) -> bytes:
    return data.tobytes() if hasattr(data, 'tobytes') else bytes(data)


def _shape_frames(samples: np.ndarray, channels: int) -> np.ndarray:
    """Return [frames, channels], or refuse a count that does not fit."""
    if channels < 1 or samples.size == 0 or samples.size % channels:
        raise AudioFormatError(
            f'Expected a whole, positive number of frames of {channels} channel(s), got '
            f'{samples.size} samples; the publisher must correct its messages')
    return samples.reshape(-1, channels)


def _check_whole(data: bytes, width: int) -> bytes:
    if len(data) % width:
        raise AudioFormatError(
            f'Expected samples of {width} bytes, got {len(data)} bytes in a message; the '
            f'publisher must correct its messages')
    return data


def _decode_pcm(data: bytes, dtype: str, channels: int) -> np.ndarray:
    return _shape_frames(np.frombuffer(_check_whole(data, np.dtype(dtype).itemsize), dtype),
                         channels)


_PORTAUDIO_FIELDS = {1: ('float32_data', np.float32), 2: ('int32_data', np.int32),
                     8: ('int16_data', np.int16), 16: ('int8_data', np.int8),
                     32: ('uint8_data', np.uint8)}
_FRAME_DTYPES = {'signed_8': 'i1', 'signed_16': '<i2', 'signed_32': '<i4', 'unsigned_8': 'u1',
                 'float': '<f4', 'double': '<f8'}
_CHUNK_DTYPES = {'s16le': '<i2', 'f32le': '<f4'}
_INFO_DTYPES = {'S16LE': '<i2', 'S32LE': '<i4', 'S8': 'i1', 'U8': 'u1', 'F32LE': '<f4',
                'F64LE': '<f8'}


class MessageReader:
    """
    Turns messages of one type into blocks.

    ``sample_rate_hz`` serves the types that carry no rate. Raises AudioFormatError for a type
    or a message that cannot be understood; what it says is meant for the operator.
    """

    def __init__(self, *, type_name: str, sample_rate_hz: int = 16_000) -> None:
        """Take the full or short name of a type; AudioFormatError for one that is not known."""
        self.type_name = _full_type_name(type_name)
        if self.type_name not in _FAMILIES:
            raise AudioFormatError(
                f'Expected an audio topic of one of {", ".join(SUPPORTED_TYPES)}, got '
                f'{type_name}; the operator must remap audio to another topic')
        self._rate_hz = sample_rate_hz
        self._info: Any = None
        self._mp3 = False
        self._convert = _FAMILIES[self.type_name]
        self.wants_info = self.type_name in INFO_TYPES
        """True: an audio_info topic describes the data."""
        self.stamped = self.type_name not in _UNSTAMPED
        """False: blocks have no stamp of their own; arrival time stands in."""
        self.numbered = self.type_name == _NUMBERED
        """True: messages have a number each."""

    def on_info(self, info: Any) -> None:
        """Take in an audio_common_msgs/AudioInfo message; raises AudioFormatError for MP3."""
        self._info = info
        coding = str(info.coding_format).upper()
        self._mp3 = coding == 'MP3'
        if coding not in ('WAVE', 'MP3', 'PCM', ''):
            raise AudioFormatError(
                f'Expected coding_format WAVE in audio_info, got {info.coding_format}; start '
                f'the capture node with format:=wave')

    def to_block(self, message: Any, arrival_ns: int, steady_ns: int | None = None) -> AudioBlock:
        """Convert one message that arrived at ``arrival_ns`` (ROS time) and at a steady time."""
        samples, rate_hz, stamp = self._convert(self, message)
        stamped = stamp > 0
        if not stamped and arrival_ns > 0:
            stamp = arrival_ns - len(samples) * _NS // max(int(rate_hz), 1)
        return AudioBlock(
            samples=samples, sample_rate_hz=int(rate_hz), stamp_ns=stamp if stamp > 0 else None,
            stamped_on_arrival=not stamped, arrival_ns=steady_ns,
            seq=int(message.seq) if self.numbered else None)

    def _audio_stamped(self, message: Any) -> tuple[np.ndarray, int, int]:
        info = message.audio.info
        if info.format not in _PORTAUDIO_FIELDS:
            raise AudioFormatError(
                f'Expected audio.info.format 1, 2, 8, 16 or 32, got {info.format}; the '
                f'publisher must use one of these')
        field, dtype = _PORTAUDIO_FIELDS[info.format]
        samples = np.asarray(getattr(message.audio.audio_data, field), dtype)
        return _shape_frames(samples, info.channels), info.rate, stamp_ns(message.header.stamp)

    def _raw_bytes(self, data: bytes) -> tuple[np.ndarray, int]:
        if self._mp3 or looks_like_mp3(data):
            raise AudioFormatError(
                'Expected raw samples, got MP3 frames; start the capture node with format:=wave')
        if self._info is None:
            return _decode_pcm(data, '<i2', 1), self._rate_hz
        sample_format = str(self._info.sample_format).upper() or 'S16LE'
        if sample_format not in _INFO_DTYPES:
            raise AudioFormatError(
                f'Expected sample_format {", ".join(_INFO_DTYPES)} in audio_info, got '
                f'{sample_format}; change it in the capture node')
        return (_decode_pcm(data, _INFO_DTYPES[sample_format], self._info.channels),
                self._info.sample_rate)

    def _audio_data_stamped(self, message: Any) -> tuple[np.ndarray, int, int]:
        return *self._raw_bytes(_to_bytes(message.audio.data)), stamp_ns(message.header.stamp)

    def _audio_data(self, message: Any) -> tuple[np.ndarray, int, int]:
        return *self._raw_bytes(_to_bytes(message.data)), 0

    def _audio_frame(self, message: Any) -> tuple[np.ndarray, int, int]:
        data, channels = _to_bytes(message.data), message.channel_count
        if message.format == 'signed_24':
            samples = _shape_frames(decode_three_bytes(_check_whole(data, 3)), channels)
        elif message.format == 'signed_padded_24':
            samples = _decode_pcm(data, '<i4', channels) << 8
        elif message.format in _FRAME_DTYPES:
            samples = _decode_pcm(data, _FRAME_DTYPES[message.format], channels)
        else:
            raise AudioFormatError(
                f'Expected format {", ".join(_FRAME_DTYPES)} or signed_24, got '
                f'{message.format!r}; the publisher must use one of these')
        _require_frames(message.frame_sample_count, samples)
        return samples, message.sampling_frequency, stamp_ns(message.header.stamp)

    def _int16_array(self, message: Any) -> tuple[np.ndarray, int, int]:
        return _shape_frames(np.asarray(message.data, np.int16), 1), self._rate_hz, 0

    def _float32_array(self, message: Any) -> tuple[np.ndarray, int, int]:
        return _shape_frames(np.asarray(message.data, np.float32), 1), self._rate_hz, 0

    def _audio_chunk(self, message: Any) -> tuple[np.ndarray, int, int]:
        if message.encoding not in _CHUNK_DTYPES:
            raise AudioFormatError(
                f'Expected encoding {" or ".join(_CHUNK_DTYPES)}, got {message.encoding!r}; the '
                f'publisher must use one of these')
        samples = _decode_pcm(_to_bytes(message.data), _CHUNK_DTYPES[message.encoding],
                              message.channels)
        _require_frames(message.frames, samples)
        return samples, message.sample_rate, stamp_ns(message.header.stamp)


def _require_frames(expected: int, samples: np.ndarray) -> None:
    if expected != len(samples):
        raise AudioFormatError(
            f'Expected {expected} frames as the message says, got data for {len(samples)}; the '
            f'publisher must correct its messages')


def _full_type_name(type_name: str) -> str:
    package, _, name = type_name.replace('/msg/', '/').partition('/')
    return f'{package}/msg/{name}'


_Convert = Callable[[MessageReader, Any], tuple[np.ndarray, int, int]]
_FAMILIES: dict[str, _Convert] = {
    'audio_common_msgs/msg/AudioStamped': MessageReader._audio_stamped,
    'audio_common_msgs/msg/AudioDataStamped': MessageReader._audio_data_stamped,
    'audio_common_msgs/msg/AudioData': MessageReader._audio_data,
    'audio_utils_msgs/msg/AudioFrame': MessageReader._audio_frame,
    'std_msgs/msg/Int16MultiArray': MessageReader._int16_array,
    'std_msgs/msg/Float32MultiArray': MessageReader._float32_array,
    'audio_interaction_msgs/msg/AudioChunk': MessageReader._audio_chunk,
}
INFO_TYPES = ('audio_common_msgs/msg/AudioDataStamped', 'audio_common_msgs/msg/AudioData')
"""Those whose bytes a message of type AUDIO_INFO on another topic describes."""
AUDIO_INFO = 'audio_common_msgs/msg/AudioInfo'
_UNSTAMPED = ('audio_common_msgs/msg/AudioData', 'std_msgs/msg/Int16MultiArray',
              'std_msgs/msg/Float32MultiArray')
_NUMBERED = 'audio_interaction_msgs/msg/AudioChunk'
SUPPORTED_TYPES = tuple(_FAMILIES)
"""Full names of the accepted message types, the preferred one first."""
