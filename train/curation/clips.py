"""
Reading a clip for curation, and writing one that curation made.

Owns what counts as unreadable. Knows no plan and no verdict.
"""

import io
from pathlib import Path

import numpy as np
import soundfile
import soxr

from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.whole_file import write_whole
from train.records import Clip

__all__ = ['RATE', 'load', 'store']

RATE = SAMPLE_RATE_HZ


def load(clip: Clip, root: Path) -> np.ndarray:
    """
    Return a clip as float32 [n] at 16 kHz mono; its path may be relative to ``root``.

    Raises AudioFormatError for a missing, unreadable or empty file and for samples that are not
    finite.
    """
    try:
        samples, rate = soundfile.read(root / clip.path, dtype='float32', always_2d=True)
    except (OSError, soundfile.SoundFileError) as error:
        raise AudioFormatError(f'clip {clip.id}: cannot be read ({error}); restore the file or '
                               'take the clip out') from error
    if not len(samples) or not np.isfinite(samples).all():
        raise AudioFormatError(f'clip {clip.id}: expected sound, got '
                               f'{"broken samples" if len(samples) else "an empty file"}; take '
                               'the clip out')
    mono = samples.mean(axis=1)
    return np.asarray(soxr.resample(mono, rate, RATE) if rate != RATE else mono, np.float32)


def store(samples: np.ndarray, path: Path) -> None:
    """
    Write samples as FLAC, all or nothing; louder than full scale is turned down.

    Raises OSError, of a full disk for one.
    """
    file, peak = io.BytesIO(), float(np.abs(samples).max(initial=0.0))
    soundfile.write(file, samples / max(peak, 1.0), RATE, format='FLAC')
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, file.getvalue(), durable=False)
