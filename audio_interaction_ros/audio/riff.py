"""
The header of a WAV (RIFF or RF64), read from front to back so that it works on a live pipe.

Owns what its fields mean and which of their lies are common: sizes of 0 or near 4 GiB mean that
the writer did not know. Knows nothing of blocks; samples of a codec are only named.
"""

import struct
from collections.abc import Callable
from dataclasses import dataclass

from audio_interaction_ros.audio.pcm import PcmFormat
from audio_interaction_ros.errors import AudioFormatError

__all__ = ['WaveHeader', 'is_wave', 'read_wave_header']

_UNKNOWN_LENGTH = 0x7FFF_0000  # writers into a pipe put 0 or something from here up
_IN_DS64 = 0xFFFF_FFFF
_LARGEST_FORMAT = 4096
_STEP_BYTES = 1 << 20
_EXTENSIBLE = 0xFFFE
_ENCODINGS = {(1, 8): 'u8', (1, 16): 's16le', (1, 24): 's24le', (1, 32): 's32le',
              (3, 32): 'f32le', (3, 64): 'f64le', (6, 8): 'alaw', (7, 8): 'ulaw'}
_CODECS = {0x02: 'MS ADPCM', 0x11: 'IMA ADPCM', 0x31: 'GSM 6.10', 0x38: 'NMS ADPCM',
           0x40: 'G.721 ADPCM', 0x45: 'G.726 ADPCM', 0x50: 'MPEG', 0x55: 'MP3', 0xFF: 'AAC',
           0x161: 'WMA'}


@dataclass(frozen=True, kw_only=True)
class WaveHeader:
    """What stands before the samples."""

    form: PcmFormat | None
    """None: the samples are encoded with ``codec``."""
    codec: str
    data_bytes: int | None
    """Samples end after so many bytes; None: the writer did not know."""


def is_wave(head: bytes) -> bool:
    """Say whether 12 bytes begin a WAV that this module reads."""
    return head[:4] in (b'RIFF', b'RF64') and head[8:12] == b'WAVE'


def read_wave_header(head: bytes, read: Callable[[int], bytes], name: str) -> WaveHeader:
    """
    Read up to the samples after the first 12 bytes, ``head``.

    ``read`` returns up to so many bytes, fewer only at the end. Raises AudioFormatError naming
    ``name``.
    """
    riff_bytes: int = struct.unpack('<I', head[4:8])[0]
    form, long_bytes, position = None, None, 4
    while True:
        start = read(8)
        if len(start) < 8:
            raise AudioFormatError(
                f'Expected a whole WAV header in {name}, it ends before the samples; copy or '
                'record it again')
        kind, size = struct.unpack('<4sI', start)
        position += 8
        if kind == b'data':
            break
        if kind in (b'fmt ', b'ds64') and size <= _LARGEST_FORMAT:
            body = read(size + size % 2)
            form = body if kind == b'fmt ' else form
            long_bytes = _long_size(body, long_bytes) if kind == b'ds64' else long_bytes
        else:
            _skip(size + size % 2, read)
        position += size + size % 2
    if form is None:
        raise AudioFormatError(
            f'Expected the format before the samples of a WAV in {name}, found none; the file '
            'is damaged, record or convert it again')
    parsed, codec = _parse_format(form, name)
    if size == _IN_DS64 and long_bytes:
        return WaveHeader(form=parsed, codec=codec, data_bytes=long_bytes)
    # Other chunks behind an empty one mean that it is empty, not that its size came too late.
    unknown = size >= _UNKNOWN_LENGTH or (
        size == 0 and not position < riff_bytes < _UNKNOWN_LENGTH)
    return WaveHeader(form=parsed, codec=codec, data_bytes=None if unknown else size)


def _long_size(body: bytes, before: int | None) -> int | None:
    return struct.unpack('<Q', body[8:16])[0] if len(body) >= 16 else before


def _skip(count: int, read: Callable[[int], bytes]) -> None:
    while count > 0 and (data := read(min(count, _STEP_BYTES))):
        count -= len(data)


def _parse_format(body: bytes, name: str) -> tuple[PcmFormat | None, str]:
    """Return the format, or None and what to call the codec."""
    if len(body) < 16:
        raise AudioFormatError(
            f'Expected 16 or more bytes of WAV format in {name}, got {len(body)}; the header is '
            'damaged, record or convert it again')
    tag, channels, rate_hz, _, align, bits = struct.unpack('<HHIIHH', body[:16])
    if tag == _EXTENSIBLE and len(body) >= 26:
        tag = struct.unpack('<H', body[24:26])[0]
    width = -(-bits // 8)
    encoding = _ENCODINGS.get((tag, width * 8))
    if encoding is None:
        return None, _CODECS.get(tag, f'format {tag:#06x} of {bits} bits')
    if align not in (0, width * channels):
        raise AudioFormatError(
            f'Expected frames of {width * channels} bytes in {name} ({channels} channels of '
            f'{bits} bits), its header says {align}; convert it: ffmpeg -i IN.wav OUT.wav')
    return PcmFormat.of(name, encoding=encoding, rate_hz=rate_hz, channels=channels), ''
