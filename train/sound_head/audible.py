"""
When each label can be heard in a scene, chunk by chunk, read from the sounds that were mixed.

Owns the rule of presence: at the end of a chunk a label is present where at least 0.2 s of it, or
half of a shorter sound, lie in the last 0.8 s. Unknown is what begins or pauses there, and what is
more than 25 dB below everything else. Knows no files and no classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from audio_interaction_ros.protocol import CHUNK_SAMPLES, SAMPLE_RATE_HZ
from train.sound_head.classes import ABSENT, PRESENT, UNKNOWN

__all__ = ['FRAME', 'PlacedSound', 'frame_power', 'label_chunks']

FRAME = 320  # 20 ms
LOOK_BACK = 40  # frames, 0.8 s
LEAST = 10  # frames, 0.2 s
ACTIVE_DB, FAINT_DB, LOWEST_DBFS = -30.0, -25.0, -65.0


@dataclass(frozen=True)
class PlacedSound:
    """A sound [n] as it is heard in a scene, from one sample of the scene on."""

    label: str
    begin: int
    samples: np.ndarray

    @property
    def end(self) -> int:
        """Return the first sample of the scene after it."""
        return self.begin + len(self.samples)


def frame_power(samples: np.ndarray) -> np.ndarray:
    """Return the mean power of each frame of samples [n], the last one padded."""
    padded = np.pad(samples.astype(np.float64), (0, -len(samples) % FRAME))
    return np.square(padded).reshape(-1, FRAME).mean(1)


def label_chunks(sounds: Sequence[PlacedSound], total: np.ndarray,
                 labels: Sequence[str]) -> np.ndarray:
    """
    Return which labels are heard at the end of each whole chunk [chunks, labels] int8.

    ``total`` is the power of each frame of all that was mixed; sounds begin with a frame.
    """
    chunks = len(total) * FRAME // CHUNK_SAMPLES
    heard = np.zeros((chunks, len(labels)), np.int8)
    for sound in sounds:
        if sound.label in labels:
            column = heard[:, list(labels).index(sound.label)]
            told = _label_sound(sound, total, chunks)
            # Present beats unknown, unknown beats absent.
            column[:] = np.where((column == PRESENT) | (told == PRESENT), PRESENT,
                                 np.where((column == UNKNOWN) | (told == UNKNOWN),
                                          UNKNOWN, ABSENT))
    return heard


def _label_sound(sound: PlacedSound, total: np.ndarray, chunks: int) -> np.ndarray:
    """Return what one sound is at the end of each chunk [chunks]."""
    power = np.zeros(len(total))
    own = frame_power(sound.samples)
    first = sound.begin // FRAME
    own = own[:len(power) - first]
    power[first:first + len(own)] = own
    audible = 10 ** (LOWEST_DBFS / 10)
    active = power > max(float(power.max(initial=0.0)) * 10 ** (ACTIVE_DB / 10), audible)
    least = min(LEAST, max(1, int(active.sum()) // 2))
    told = np.full(chunks, ABSENT, np.int8)
    for chunk in range(chunks):
        stop = (chunk + 1) * CHUNK_SAMPLES // FRAME
        window = slice(max(0, stop - LOOK_BACK), stop)
        if sound.begin >= stop * FRAME or sound.end <= window.start * FRAME:
            continue
        rest = float((total[window] - power[window])[active[window]].clip(min=0.0).sum())
        faint = float(power[window][active[window]].sum()) < rest * 10 ** (FAINT_DB / 10)
        loud = active[window].sum() >= least and not faint
        told[chunk] = PRESENT if loud else UNKNOWN
    return told


assert SAMPLE_RATE_HZ == 50 * FRAME, 'frames are 20 ms'
