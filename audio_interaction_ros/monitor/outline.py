"""
The outline of audio: its lowest and highest sample in every 20 ms, and how loud it is.

Enough for a picture of the sound, and too little to hear a word of it. Knows nothing of pages.
"""

from dataclasses import dataclass

import numpy as np

from audio_interaction_ros.audio.block import AudioBlock

__all__ = ['OUTLINES_PER_S', 'Outline', 'OutlinePiece', 'mix_samples']

OUTLINES_PER_S = 50
_NS = 1_000_000_000
_GAP_NS = 200_000_000
"""A block whose stamp is off by this much begins anew; smaller differences are jitter."""
_SCALE = 1000
_LEAST_DBFS = -120.0


@dataclass(frozen=True, kw_only=True)
class OutlinePiece:
    """What some blocks look like."""

    start_s: float
    """Audio time of the first pair, in seconds."""
    pairs: list[int]
    """Lowest, highest, lowest, highest, … of every 20 ms, in thousandths of full scale."""
    rms_dbfs: float
    """Level over all of it, -120 or more."""


def mix_samples(block: AudioBlock) -> np.ndarray:
    """Return the samples of a block as mono float32 [frames], full scale 1, numbers only."""
    samples = block.samples
    if samples.dtype.kind == 'i':
        samples = samples.astype(np.float32) / -float(np.iinfo(samples.dtype).min)
    mixed = samples.mean(axis=1) if samples.ndim == 2 else samples
    return np.nan_to_num(mixed.astype(np.float32), posinf=1.0, neginf=-1.0)


class Outline:
    """Takes blocks of any length and rate; gives the outline of what is whole."""

    def __init__(self) -> None:
        """Start without audio."""
        self._rest = np.zeros(0, np.float32)
        self._rate_hz = 0
        self._next_ns = 0  # time of the first sample of the rest

    def push(self, block: AudioBlock) -> OutlinePiece | None:
        """Take in a block; return what became whole, None where that is less than 20 ms."""
        stamp_ns = block.stamp_ns
        ends_ns = self._next_ns + self._rest.size * _NS // max(self._rate_hz, 1)
        if block.sample_rate_hz != self._rate_hz or (
                stamp_ns is not None and abs(stamp_ns - ends_ns) > _GAP_NS):
            self._rest, self._rate_hz = np.zeros(0, np.float32), block.sample_rate_hz
            self._next_ns = stamp_ns or 0
        samples = np.concatenate([self._rest, mix_samples(block)])
        step = max(1, self._rate_hz // OUTLINES_PER_S)
        count = samples.size // step
        whole, self._rest = samples[:count * step], samples[count * step:].copy()
        start_ns, self._next_ns = self._next_ns, self._next_ns + whole.size * _NS // self._rate_hz
        if not count:
            return None
        frames = whole.reshape(count, step)
        pairs = np.stack([frames.min(axis=1), frames.max(axis=1)], axis=1).clip(-1, 1)
        rms = float(np.sqrt(np.mean(np.square(whole, dtype=np.float64))))
        return OutlinePiece(
            start_s=start_ns / _NS, pairs=np.rint(pairs * _SCALE).astype(int).ravel().tolist(),
            rms_dbfs=max(_LEAST_DBFS, 20.0 * float(np.log10(max(rms, 1e-6)))))
