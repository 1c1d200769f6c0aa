"""
Recordings as a stream of blocks: from a path or from standard input, by one way for both.

Owns the choice of who reads what: uncompressed WAV is read here from front to back, so a live
pipe streams; raw samples where somebody names their format; FLAC, Ogg, Opus, MP3, AIFF, AU, CAF,
W64 and WAV of most codecs are libsndfile's, from memory where they come from a pipe. Blocks are
stamped from 0 at the start. Knows nothing of pace: whoever wants real time waits between blocks.
"""

import io
import logging
import math
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.file_kinds import HEAD_BYTES, is_readable, name_kind
from audio_interaction_ros.audio.pcm import PcmFormat
from audio_interaction_ros.audio.riff import is_wave, read_wave_header
from audio_interaction_ros.errors import AudioFormatError, MissingDependencyError

__all__ = ['read_blocks']

_log = logging.getLogger(__name__)
_NS = 1_000_000_000
_REFUSED_CODECS = ('GSM 6.10',)
_SPOOL_BYTES = 256 << 20  # two hours of FLAC; nothing that is heard is written to a disk
_CONVERT = 'convert it (ffmpeg -i IN OUT.wav)'
Warn = Callable[[str], object]


def read_blocks(path: str | Path, block_ms: float = 100, *, raw: PcmFormat | None = None,
                warn: Warn = _log.warning) -> Iterator[AudioBlock]:
    """
    Yield the blocks of a recording, or of standard input for '-'.

    With ``raw`` there is no header: the bytes are samples of that format. A recording that ends
    early is played as far as it goes, and ``warn`` is told so. Raises AudioFormatError for what
    cannot be read and MissingDependencyError without the library that reads compressed files.
    """
    if not 0 < block_ms < math.inf:
        raise AudioFormatError(
            f'Expected blocks longer than 0 ms, got {block_ms}; the caller must correct it')
    return _read(path, block_ms, raw, warn)


def _read(path: str | Path, block_ms: float, raw: PcmFormat | None,
          warn: Warn) -> Iterator[AudioBlock]:
    if str(path) == '-' and (sys.stdin is None or sys.stdin.buffer.isatty()):
        found = 'it is closed' if sys.stdin is None else 'it is the keyboard'
        raise AudioFormatError(f'Expected a recording on standard input, {found}; name a file, or '
                               'pipe one in')
    if str(path) == '-':
        yield from _read_stream(sys.stdin.buffer, 'standard input', block_ms, raw, warn)
        return
    with _open(Path(os.path.expanduser(path))) as stream:
        yield from _read_stream(stream, str(path), block_ms, raw, warn)


def _open(path: Path) -> BinaryIO:
    if path.is_dir():
        raise AudioFormatError(f'Expected an audio file at {path}, found a folder; name a file')
    try:
        return path.open('rb')
    except FileNotFoundError as error:
        raise AudioFormatError(
            f'Expected an audio file at {path}, found none; name one that is') from error
    except (OSError, ValueError) as error:
        raise AudioFormatError(
            f'Expected a readable audio file at {path}, got {error}; correct the path or its '
            'permissions') from error


class _RewindableStream:
    """A stream whose beginning can be read again, also where it cannot seek."""

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream, self._name = stream, name
        self._seen: list[bytes] | None = [] if not stream.seekable() else None
        self._start = stream.tell() if self._seen is None else 0

    def read(self, count: int) -> bytes:
        """Return so many bytes, fewer only at the end."""
        try:
            data = self._stream.read(count)
        except OSError as error:
            raise AudioFormatError(
                f'Expected to read on in {self._name}, got {error}; look at its disk or device'
            ) from error
        if self._seen is not None:
            self._seen.append(data)
        return data

    def forget(self) -> None:
        """Keep no more of what is read."""
        self._seen = None

    def seekable(self) -> BinaryIO:
        """Return everything from the beginning as a stream that can seek."""
        if self._seen is None:
            self._stream.seek(self._start)
            return self._stream
        left = _SPOOL_BYTES - sum(map(len, self._seen))
        while left > 0 and (data := self.read(min(left, 1 << 20))):
            left -= len(data)
        if left <= 0:
            raise AudioFormatError(
                f'Expected up to {_SPOOL_BYTES >> 20} MiB of a compressed recording on '
                f'{self._name}, got more; name the file, or send WAV, which needs no memory')
        return io.BytesIO(b''.join(self._seen))


def _read_stream(stream: BinaryIO, name: str, block_ms: float, raw: PcmFormat | None,
                 warn: Warn) -> Iterator[AudioBlock]:
    tape = _RewindableStream(stream, name)
    if raw is not None:
        tape.forget()
        yield from _read_samples(tape, raw, None, block_ms, name, warn)
        return
    head = tape.read(12)
    if is_wave(head):
        header = read_wave_header(head, tape.read, name)
        if header.form is not None:
            tape.forget()
            yield from _read_samples(tape, header.form, header.data_bytes, block_ms, name, warn)
            return
        if header.codec in _REFUSED_CODECS:
            raise AudioFormatError(
                f'Expected WAV of PCM, floats, A-law or µ-law in {name}, it holds {header.codec}; '
                f'{_CONVERT}')
        kind = f'WAV with {header.codec}'
    else:
        head += tape.read(HEAD_BYTES - len(head)) if len(head) == 12 else b''
        kind = _refuse_foreign(head, name)
    yield from _read_with_library(tape.seekable(), name, kind, block_ms, warn)


def _refuse_foreign(head: bytes, name: str) -> str:
    """Return what to call a recording that libsndfile may read; raise for anything else."""
    if not head:
        raise AudioFormatError(
            f'Expected a recording, found none: there is no audio in {name}, it is empty; look at '
            'what should have written it')
    if head[:4] in (b'RIFF', b'RF64') and len(head) < 12:
        raise AudioFormatError(f'Expected a whole WAV header in {name}, it ends before the '
                               'samples; copy or record it again')
    if not is_readable(head):
        raise AudioFormatError(
            f'Expected WAV, FLAC, Ogg, Opus, MP3, AIFF, AU or CAF in {name}, it seems to be '
            f'{name_kind(head)}; {_CONVERT}. Samples without a header are read where their format '
            'is named: audio-interaction stream with --raw s16le:16000:1, make assistant with '
            'ARGS="--raw s16le:16000:1", audio_file_node with the parameter raw')
    return {b'fLaC': 'FLAC', b'OggS': 'Ogg', b'FORM': 'AIFF', b'.snd': 'AU', b'caff': 'CAF',
            b'riff': 'W64', b'RIFX': 'WAV'}.get(head[:4], 'MP3')


def _read_samples(tape: _RewindableStream, form: PcmFormat, data_bytes: int | None,
                  block_ms: float,
                  name: str, warn: Warn) -> Iterator[AudioBlock]:
    block_bytes = _frames_per_block(block_ms, form.rate_hz) * form.frame_bytes
    left = sys.maxsize if data_bytes is None else data_bytes
    position = got = 0
    while data := tape.read(min(block_bytes, left)):
        left -= len(data)
        got += len(data)
        whole = data[:len(data) - len(data) % form.frame_bytes]  # short only at the end
        if not whole:
            break
        yield _make_block(form.decode(whole), form.rate_hz, position)
        position += len(whole) // form.frame_bytes
    if not position:
        raise AudioFormatError(f'Expected samples, found none: there is no audio in {name}; look '
                               'at what should have written it')
    if data_bytes is not None and got < data_bytes:
        _warn_of_early_end(warn, name, position / form.rate_hz,
                           data_bytes / form.frame_bytes / form.rate_hz)


def _read_with_library(stream: BinaryIO, name: str, kind: str, block_ms: float,
                       warn: Warn) -> Iterator[AudioBlock]:
    try:
        import soundfile
    except (ImportError, OSError) as error:
        raise MissingDependencyError(
            f'Expected the soundfile package, to read {name}, but it cannot be imported '
            f'({error}); install it: pip install soundfile') from error
    position = 0
    try:
        # Not the path: a name that ends in .gsm or .vox would make libsndfile guess.
        with _forward_only(soundfile)(_NeverRaisingFile(stream)) as sound:
            form = PcmFormat.of(name, encoding='f32le', rate_hz=sound.samplerate,
                                channels=sound.channels)
            dtype = 'int16' if sound.subtype == 'PCM_16' else 'float32'
            frames, promised = _frames_per_block(block_ms, form.rate_hz), sound.frames
            while len(samples := _read_frames(sound, frames, dtype)):
                yield _make_block(samples, form.rate_hz, position)
                position += len(samples)
    except soundfile.SoundFileError as error:
        if not position:
            raise AudioFormatError(
                f'Expected a recording in {name}, it begins like {kind} but is damaged or of '
                f'another kind ({_describe_error(error)}); copy it again, or '
                f'{_CONVERT}') from error
        warn(f'{name}: expected {kind} up to its end, it is damaged after '
             f'{position / form.rate_hz:.1f} s; played so far, copy the file again')
        return
    if not position:
        raise AudioFormatError(
            f'Expected samples, found none: there is no audio in {name}, {kind}; copy it again, '
            f'or {_CONVERT}')
    if position < promised < sys.maxsize or _is_truncated(stream, kind):
        _warn_of_early_end(warn, name, position / form.rate_hz,
                           max(position, promised) / form.rate_hz)


def _forward_only(soundfile: Any) -> Any:
    """
    Return SoundFile for reading from front to back.

    It seeks after each read to where it is anyway, and an MP3 frame that was sought to lacks
    what the frames before it hold: the decoder complains of each on the standard error, and
    the samples are not those of the recording.
    """
    return type('Straight', (soundfile.SoundFile,), {'seekable': lambda _self: False})


def _read_frames(sound: Any, frames: int, dtype: str) -> np.ndarray:
    """Return the next frames [up to frames, channels], whatever length the header claims."""
    samples = np.empty((frames, sound.channels), dtype)
    return samples[:sound.buffer_read_into(samples.data.cast('B'), dtype)]


def _describe_error(error: Exception) -> str:
    return str(getattr(error, 'error_string', error)).strip().rstrip('.')


class _NeverRaisingFile:
    """A file as libsndfile wants it; nothing that its callbacks do raises."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        try:
            return self._stream.seek(offset, whence)
        except (OSError, ValueError):  # a damaged header sends it before the beginning
            return -1

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, count: int) -> bytes:
        try:
            return self._stream.read(count)
        except OSError:
            return b''


def _is_truncated(stream: BinaryIO, kind: str) -> bool:
    """Say whether a container says that it is longer than it is; libsndfile does not tell."""
    length = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    head = stream.read(24)
    size = {'AIFF': int.from_bytes(head[4:8], 'big') + 8,
            'W64': int.from_bytes(head[16:24], 'little'),
            'AU': int.from_bytes(head[4:8], 'big') + int.from_bytes(head[8:12], 'big'),
            }.get(kind, int.from_bytes(head[4:8], 'little') + 8 if 'WAV with' in kind else 0)
    return length < size < 0x7FFF_0000


def _warn_of_early_end(warn: Warn, name: str, found_s: float, promised_s: float) -> None:
    longer = f'{promised_s:.1f} s' if promised_s - found_s > 0.05 else 'a longer recording'
    warn(f'{name}: expected {longer}, as its header says, found {found_s:.1f} s; played these, '
         'copy the file again')


def _frames_per_block(block_ms: float, rate_hz: int) -> int:
    return max(1, round(block_ms * rate_hz / 1000))


def _make_block(samples: np.ndarray, rate_hz: int, position: int) -> AudioBlock:
    return AudioBlock(
        samples=samples, sample_rate_hz=rate_hz, stamp_ns=round(position * _NS / rate_hz))
