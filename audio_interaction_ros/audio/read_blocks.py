"""
Recordings as a stream of blocks: from a path or from standard input, by one way for both.

Owns the choice of who reads what: uncompressed WAV is read here from front to back, so a live
pipe streams; raw samples where somebody names their format; all else is libsndfile's
(``sndfile_blocks``), from memory where it comes from a pipe. Blocks are stamped from 0 at the
start. Knows nothing of pace: whoever wants real time waits between blocks.
"""

import logging
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.file_kinds import HEAD_BYTES, is_readable, name_kind
from audio_interaction_ros.audio.pcm import PcmFormat
from audio_interaction_ros.audio.recording import CONVERT, Recording, Warn
from audio_interaction_ros.audio.rewindable import RewindableStream
from audio_interaction_ros.audio.riff import is_wave, read_wave_header
from audio_interaction_ros.audio.sndfile_blocks import read_sndfile
from audio_interaction_ros.errors import AudioFormatError

__all__ = ['read_blocks']

_log = logging.getLogger(__name__)
_REFUSED_CODECS = ('GSM 6.10',)


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
    name = 'standard input' if str(path) == '-' else str(path)
    return _read(path, Recording(name, block_ms, warn), raw)


def _read(path: str | Path, recording: Recording, raw: PcmFormat | None) -> Iterator[AudioBlock]:
    if str(path) == '-' and (sys.stdin is None or sys.stdin.buffer.isatty()):
        found = 'it is closed' if sys.stdin is None else 'it is the keyboard'
        raise AudioFormatError(f'Expected a recording on standard input, {found}; name a file, or '
                               'pipe one in')
    if str(path) == '-':
        yield from _read_stream(sys.stdin.buffer, recording, raw)
        return
    with _open(Path(os.path.expanduser(path))) as stream:
        yield from _read_stream(stream, recording, raw)


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


def _read_stream(stream: BinaryIO, recording: Recording,
                 raw: PcmFormat | None) -> Iterator[AudioBlock]:
    name = recording.name
    tape = RewindableStream(stream, name)
    if raw is not None:
        tape.forget()
        yield from _read_samples(tape, recording, raw, None)
        return
    head = tape.read(12)
    if is_wave(head):
        header = read_wave_header(head, tape.read, name)
        if header.form is not None:
            tape.forget()
            yield from _read_samples(tape, recording, header.form, header.data_bytes)
            return
        if header.codec in _REFUSED_CODECS:
            raise AudioFormatError(
                f'Expected WAV of PCM, floats, A-law or µ-law in {name}, it holds {header.codec}; '
                f'{CONVERT}')
        kind = f'WAV with {header.codec}'
    else:
        head += tape.read(HEAD_BYTES - len(head)) if len(head) == 12 else b''
        kind = _refuse_foreign(head, name)
    yield from read_sndfile(tape.seekable(), recording, kind)


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
            f'{name_kind(head)}; {CONVERT}. Samples without a header are read where their format '
            'is named: audio-interaction stream with --raw s16le:16000:1, make assistant with '
            'ARGS="--raw s16le:16000:1", audio_file_node with the parameter raw')
    return {b'fLaC': 'FLAC', b'OggS': 'Ogg', b'FORM': 'AIFF', b'.snd': 'AU', b'caff': 'CAF',
            b'riff': 'W64', b'RIFX': 'WAV'}.get(head[:4], 'MP3')


def _read_samples(tape: RewindableStream, recording: Recording, form: PcmFormat,
                  data_bytes: int | None) -> Iterator[AudioBlock]:
    block_bytes = recording.frames_per_block(form.rate_hz) * form.frame_bytes
    left = sys.maxsize if data_bytes is None else data_bytes
    position = got = 0
    while data := tape.read(min(block_bytes, left)):
        left -= len(data)
        got += len(data)
        whole = data[:len(data) - len(data) % form.frame_bytes]  # short only at the end
        if not whole:
            break
        yield recording.make_block(form.decode(whole), form.rate_hz, position)
        position += len(whole) // form.frame_bytes
    if not position:
        raise AudioFormatError('Expected samples, found none: there is no audio in '
                               f'{recording.name}; look at what should have written it')
    if data_bytes is not None and got < data_bytes:
        recording.warn_of_early_end(position / form.rate_hz,
                                    data_bytes / form.frame_bytes / form.rate_hz)
