"""
Recordings that libsndfile reads: FLAC, Ogg, Opus, MP3, AIFF, AU, CAF, W64 and WAV of most codecs.

Owns what that library needs to read from front to back and never to fail in a callback, and how
far a damaged one is played.
"""

import os
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.pcm import PcmFormat
from audio_interaction_ros.audio.recording import CONVERT, Recording
from audio_interaction_ros.errors import AudioFormatError, MissingDependencyError

__all__ = ['read_sndfile']


def read_sndfile(stream: BinaryIO, recording: Recording, kind: str) -> Iterator[AudioBlock]:
    """
    Yield the blocks of a stream that can seek and begins like ``kind``.

    Raises AudioFormatError where none can be read, MissingDependencyError without the library.
    """
    name = recording.name
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
            frames, promised = recording.frames_per_block(form.rate_hz), sound.frames
            while len(samples := _read_frames(sound, frames, dtype)):
                yield recording.make_block(samples, form.rate_hz, position)
                position += len(samples)
    except soundfile.SoundFileError as error:
        if not position:
            raise AudioFormatError(
                f'Expected a recording in {name}, it begins like {kind} but is damaged or of '
                f'another kind ({_describe_error(error)}); copy it again, or '
                f'{CONVERT}') from error
        recording.warn(f'{name}: expected {kind} up to its end, it is damaged after '
                       f'{position / form.rate_hz:.1f} s; played so far, copy the file again')
        return
    if not position:
        raise AudioFormatError(
            f'Expected samples, found none: there is no audio in {name}, {kind}; copy it again, '
            f'or {CONVERT}')
    if position < promised < sys.maxsize or _is_truncated(stream, kind):
        recording.warn_of_early_end(position / form.rate_hz,
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
