"""
Uncompressed samples as bytes: what they may be, how that is written down, how they become arrays.

Owns the encodings that WAV and raw input share. Knows nothing of files.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audio_interaction_ros.errors import AudioFormatError

__all__ = ['ENCODINGS', 'RATES_HZ', 'PcmFormat', 'decode_three_bytes']

RATES_HZ = range(1_000, 768_001)
"""Whole sample rates that the front end takes."""
_CHANNELS = range(1, 257)


def _ulaw_values() -> np.ndarray:
    """Return the 256 values of ITU-T G.711 µ-law."""
    code = ~np.arange(256, dtype=np.uint8)
    size = ((((code & 0x0F).astype(np.int32) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84
    return np.where(code & 0x80, -size, size).astype(np.int16)


def _alaw_values() -> np.ndarray:
    """Return the 256 values of ITU-T G.711 A-law."""
    code = np.arange(256, dtype=np.uint8) ^ 0x55
    step = (code & 0x0F).astype(np.int32) << 4
    segment = ((code >> 4) & 7).astype(np.int32)
    size = np.where(segment == 0, step + 8, (step + 0x108) << np.maximum(segment - 1, 0))
    return np.where(code & 0x80, size, -size).astype(np.int16)


def _plain_decoder(name: str) -> Callable[[bytes], np.ndarray]:
    kind = np.dtype(name)
    return lambda data: np.frombuffer(data, kind).astype(kind.newbyteorder('='))


def _decode_unsigned(data: bytes) -> np.ndarray:
    """Return samples around 128 as samples around 0, for which zeros are silence."""
    return (np.frombuffer(data, np.uint8).astype(np.int16) - 128) << 8


def _table_decoder(values: np.ndarray) -> Callable[[bytes], np.ndarray]:
    return lambda data: values[np.frombuffer(data, np.uint8)]


def decode_three_bytes(data: bytes) -> np.ndarray:
    """Return packed little-endian samples of 24 bits as int32 at full scale."""
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.view('<i4')[:, 0].astype(np.int32)


_DECODERS: dict[str, tuple[int, Callable[[bytes], np.ndarray]]] = {
    'u8': (1, _decode_unsigned), 's16le': (2, _plain_decoder('<i2')),
    's24le': (3, decode_three_bytes),
    's32le': (4, _plain_decoder('<i4')), 'f32le': (4, _plain_decoder('<f4')),
    'f64le': (8, _plain_decoder('<f8')),
    'alaw': (1, _table_decoder(_alaw_values())), 'ulaw': (1, _table_decoder(_ulaw_values()))}
ENCODINGS = tuple(_DECODERS)
"""Names of the encodings, as ffmpeg has them where it has them."""


@dataclass(frozen=True, kw_only=True)
class PcmFormat:
    """How samples lie in bytes: frame after frame, the channels of a frame side by side."""

    encoding: str
    """One of ENCODINGS."""
    rate_hz: int
    channels: int

    def __post_init__(self) -> None:
        """Check that the front end can take it."""
        if self.encoding not in _DECODERS:
            raise AudioFormatError(
                f'Expected samples as one of {", ".join(ENCODINGS)}, got {self.encoding!r}; '
                'convert them')
        if self.rate_hz not in RATES_HZ or self.channels not in _CHANNELS:
            raise AudioFormatError(
                f'Expected {RATES_HZ[0]} to {RATES_HZ[-1]} Hz and {_CHANNELS[0]} to '
                f'{_CHANNELS[-1]} channels, got {self.rate_hz} Hz and {self.channels} channels; '
                'the header may be damaged, otherwise convert the recording')

    @classmethod
    def of(cls, name: str, *, encoding: str, rate_hz: int, channels: int) -> 'PcmFormat':
        """Return the format of a recording; what is refused is named with ``name``."""
        try:
            return cls(encoding=encoding, rate_hz=rate_hz, channels=channels)
        except AudioFormatError as error:
            raise AudioFormatError(f'{error}, in {name}') from error

    @classmethod
    def parse(cls, text: str) -> 'PcmFormat':
        """Read ENCODING[:RATE[:CHANNELS]], such as s16le:16000:1; raises AudioFormatError."""
        encoding, *numbers = text.strip().split(':')
        if len(numbers) > 2 or not all(
                part.isascii() and part.isdigit() and len(part) < 10 for part in numbers):
            raise AudioFormatError(
                f'Expected a raw format like s16le:16000:1 (encoding, Hz, channels), got {text!r}'
                '; correct it')
        rate_hz, channels = (*numbers, *('16000', '1')[len(numbers):])
        return cls(encoding=encoding, rate_hz=int(rate_hz), channels=int(channels))

    @property
    def frame_bytes(self) -> int:
        """Return the bytes of one frame."""
        return _DECODERS[self.encoding][0] * self.channels

    def decode(self, data: bytes) -> np.ndarray:
        """Return whole frames as samples [frames, channels]: int16, int32 or floats."""
        return _DECODERS[self.encoding][1](data).reshape(-1, self.channels)
