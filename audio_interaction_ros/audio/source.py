"""
Audio files and standard input as a stream of blocks.

Owns what is known of files: whatever libsndfile reads (WAV, FLAC, Ogg Vorbis, Opus, MP3), and
on standard input WAV or raw samples. Blocks are stamped from 0 at the start of the file. Knows
nothing of pace: whoever wants real time waits between blocks.
"""

import struct
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import numpy as np

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.errors import AudioFormatError, MissingDependencyError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ

__all__ = ['read_blocks']

_NS = 1_000_000_000
_WAVE_PCM, _WAVE_FLOAT, _WAVE_EXTENSIBLE = 1, 3, 0xFFFE
_WAVE_TYPES = {
    (_WAVE_PCM, 8): 'u1', (_WAVE_PCM, 16): '<i2', (_WAVE_PCM, 32): '<i4',
    (_WAVE_FLOAT, 32): '<f4', (_WAVE_FLOAT, 64): '<f8'}
_UNKNOWN_LENGTH = 0x7FFF_0000  # writers into a pipe put 0 or something from here up
_COMPRESSED = (b'fLaC', b'OggS', b'ID3')  # a bare MP3 frame could be raw samples as well


@dataclass(frozen=True, kw_only=True)
class _RawFormat:
    rate_hz: int
    channels: int
    dtype: np.dtype
    data_bytes: int
    """Samples end here; what follows in a WAV is not audio."""


def read_blocks(path: str | Path, block_ms: float = 100) -> Iterator[AudioBlock]:
    """
    Yield the blocks of a file, or of standard input for '-'.

    Standard input is WAV where it has a WAV header, otherwise signed 16-bit little-endian at
    16 kHz mono. Raises AudioFormatError for what cannot be read and MissingDependencyError
    without the library that reads files.
    """
    if not block_ms > 0:
        raise AudioFormatError(
            f'Expected blocks longer than 0 ms, got {block_ms}; the caller must correct it')
    if str(path) == '-':
        return _read_stream(sys.stdin.buffer, block_ms)
    return _read_file(Path(path), block_ms)


def _read_file(path: Path, block_ms: float) -> Iterator[AudioBlock]:
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise MissingDependencyError(
            f'Expected the soundfile package, to read {path}, but it cannot be imported '
            f'({error}); install it: pip install soundfile') from error
    if not path.is_file():
        raise AudioFormatError(f'Expected an audio file at {path}, found none; name one that is')
    try:
        with soundfile.SoundFile(str(path)) as file:
            rate = file.samplerate
            dtype = 'int16' if file.subtype == 'PCM_16' else 'float32'
            position = 0
            for samples in file.blocks(
                    blocksize=_frames(block_ms, rate), dtype=dtype, always_2d=True):
                yield _block(samples, rate, position)
                position += len(samples)
    except soundfile.LibsndfileError as error:
        raise AudioFormatError(
            f'Expected WAV, FLAC, Ogg, Opus or MP3 in {path}, got something else or damaged '
            f'({error}); convert the file') from error


def _read_stream(stream: BinaryIO, block_ms: float) -> Iterator[AudioBlock]:
    head = stream.read(4)
    if head.startswith(_COMPRESSED):
        raise AudioFormatError(
            'Expected WAV or raw s16le at 16 kHz mono on standard input, got a compressed '
            'stream; decode it first (for example with ffmpeg -f wav -) or name the file')
    if head == b'RIFF':
        form = _read_wave_header(stream)
        head = b''
    else:
        form = _RawFormat(
            rate_hz=SAMPLE_RATE_HZ, channels=1, dtype=np.dtype('<i2'), data_bytes=sys.maxsize)
    frame_bytes = form.dtype.itemsize * form.channels
    block_bytes = _frames(block_ms, form.rate_hz) * frame_bytes
    position = 0
    left = form.data_bytes
    while data := head + stream.read(max(0, min(block_bytes, left) - len(head))):
        head = b''
        left -= len(data)
        whole = data[:len(data) - len(data) % frame_bytes]  # a read is short only at the end
        if not whole:
            break
        samples = np.frombuffer(whole, dtype=form.dtype).reshape(-1, form.channels)
        yield _block(samples.astype(form.dtype.newbyteorder('=')), form.rate_hz, position)
        position += len(samples)


def _read_wave_header(stream: BinaryIO) -> _RawFormat:
    """Read a RIFF header after its first 4 bytes, up to the samples."""
    if stream.read(8)[4:] != b'WAVE':
        raise AudioFormatError(
            'Expected WAVE after RIFF on standard input, got another kind; send WAV or raw s16le')
    form = None
    while True:
        head = stream.read(8)
        if len(head) < 8:
            raise AudioFormatError(
                'Expected WAV with a data chunk on standard input, it ended before; send all of '
                'it')
        name, size = struct.unpack('<4sI', head)
        if name == b'data':
            break
        body = stream.read(size + size % 2)
        if name == b'fmt ':
            form = _parse_wave_format(body)
    if form is None:
        raise AudioFormatError(
            'Expected the format before the data in WAV on standard input, got none; send a '
            'valid WAV')
    return replace(form, data_bytes=size) if 0 < size < _UNKNOWN_LENGTH else form


def _parse_wave_format(body: bytes) -> _RawFormat:
    if len(body) < 16:
        raise AudioFormatError(
            f'Expected 16 or more bytes of WAV format, got {len(body)}; send a valid WAV')
    tag, channels, rate, _, _, bits = struct.unpack('<HHIIHH', body[:16])
    if tag == _WAVE_EXTENSIBLE and len(body) >= 26:
        tag = struct.unpack('<H', body[24:26])[0]
    if (tag, bits) not in _WAVE_TYPES or channels == 0 or rate == 0:
        raise AudioFormatError(
            'Expected WAV of 8, 16 or 32 bits or floats on standard input, got format '
            f'{tag} of {bits} bits, {channels} channels, {rate} Hz; convert it, or name the file')
    return _RawFormat(
        rate_hz=rate, channels=channels, dtype=np.dtype(_WAVE_TYPES[tag, bits]),
        data_bytes=sys.maxsize)


def _frames(block_ms: float, rate_hz: int) -> int:
    return max(1, round(block_ms * rate_hz / 1000))


def _block(samples: np.ndarray, rate_hz: int, position: int) -> AudioBlock:
    return AudioBlock(
        samples=samples, sample_rate_hz=rate_hz, stamp_ns=round(position * _NS / rate_hz))
