"""
The audio behind a clip: whether it can be read, and a 16 kHz mono copy of a part of it.

Owns the reasons for which a clip is left out and the form in which clips are stored (FLAC, 16 bit,
16 kHz, mono). Knows no corpus.
"""

import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import soundfile
import soxr

from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from train.records import Clip
from train.stages.shards import Rejected, write_whole

__all__ = ['Cut', 'probe', 'read_16k', 'store', 'stored_name', 'write_flac']

MISSING = 'missing'
UNREADABLE = 'unreadable'
EMPTY = 'zero length'
WRONG_RATE = 'wrong rate in the manifest'
WRONG_LENGTH = 'wrong length in the manifest'
NOT_FINITE = 'not finite'


@dataclass(frozen=True, kw_only=True)
class Cut:
    """A clip that still lies inside a longer recording or in another form."""

    id: str
    clip: Clip
    """Its path is the recording's, absolute; its seconds are those of the part."""
    offset_s: float = 0.0
    sample_rate_hz: int = 0
    """As the manifest says; 0: it says nothing."""
    whole: bool = True
    """False: a part of the recording."""


def probe(path: Path, *, seconds: float | None = None, sample_rate_hz: int | None = None
          ) -> float | Rejected:
    """
    Return the length of an audio file in seconds, or why it cannot be used.

    ``seconds`` and ``sample_rate_hz`` are what a manifest claims; a length may be off by 0.1 s or
    2 %, which codecs with padding need.
    """
    if not path.is_file():
        return Rejected(MISSING, path.name)
    try:
        info = soundfile.info(path)
    except (soundfile.LibsndfileError, OSError) as error:
        return Rejected(UNREADABLE, str(error))
    length = info.frames / info.samplerate
    if length == 0.0:
        return Rejected(EMPTY, path.name)
    if sample_rate_hz and sample_rate_hz != info.samplerate:
        return Rejected(WRONG_RATE, f'{sample_rate_hz} Hz, the file has {info.samplerate} Hz')
    if seconds is not None and abs(seconds - length) > max(0.1, 0.02 * length):
        return Rejected(WRONG_LENGTH, f'{seconds} s, the file has {length:.3f} s')
    return length


def read_16k(path: Path, offset_s: float = 0.0, seconds: float | None = None) -> np.ndarray:
    """Return a part of a file as float32 [n], 16 kHz mono; raises what soundfile raises."""
    with soundfile.SoundFile(path) as file:
        file.seek(round(offset_s * file.samplerate))
        frames = -1 if seconds is None else round(seconds * file.samplerate)
        samples = file.read(frames, dtype='float32', always_2d=True).mean(axis=1)
        rate = file.samplerate
    return samples if rate == SAMPLE_RATE_HZ else soxr.resample(samples, rate, SAMPLE_RATE_HZ)


def _encode_flac(samples: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, SAMPLE_RATE_HZ, format='FLAC', subtype='PCM_16')
    return buffer.getvalue()


def stored_name(clip_id: str) -> str:
    """Return the relative path of a stored clip, which any id may give: readable, and unique."""
    plain = ''.join(c if c.isascii() and (c.isalnum() or c in '-_') else '_' for c in clip_id)
    sha = hashlib.sha256(clip_id.encode()).hexdigest()
    return f'audio/{sha[:2]}/{plain[-80:]}-{sha[:8]}.flac'


def store(cut: Cut, folder: Path) -> Clip | Rejected:
    """Write a cut as 16 kHz mono FLAC under ``folder`` and return its clip; a stage function."""
    path = Path(cut.clip.path)
    length = probe(path, sample_rate_hz=cut.sample_rate_hz,
                   seconds=cut.clip.seconds if cut.whole and cut.clip.seconds else None)
    if isinstance(length, Rejected):
        return length
    if not cut.whole and cut.offset_s + cut.clip.seconds > length + 0.1:
        return Rejected(WRONG_LENGTH, f'part to {cut.offset_s + cut.clip.seconds} s of '
                        f'{length:.3f} s')
    try:
        samples = read_16k(path, cut.offset_s, None if cut.whole else cut.clip.seconds)
    except (soundfile.LibsndfileError, OSError) as error:
        return Rejected(UNREADABLE, str(error))
    if not len(samples):
        return Rejected(EMPTY, path.name)
    if not np.isfinite(samples).all():
        return Rejected(NOT_FINITE, path.name)
    return write_flac(replace(cut.clip, id=cut.id), samples, SAMPLE_RATE_HZ, folder)


def write_flac(clip: Clip, samples: np.ndarray, sample_rate_hz: int, folder: Path) -> Clip:
    """Write float32 [n] as the audio of a clip under ``folder``; return the clip as it lies."""
    if sample_rate_hz != SAMPLE_RATE_HZ:
        samples = soxr.resample(samples, sample_rate_hz, SAMPLE_RATE_HZ)
    target = folder / stored_name(clip.id)
    target.parent.mkdir(parents=True, exist_ok=True)
    write_whole(target, _encode_flac(np.clip(samples, -1.0, 1.0)), durable=False)
    return replace(clip, path=str(target.relative_to(folder)),
                   seconds=len(samples) / SAMPLE_RATE_HZ)
