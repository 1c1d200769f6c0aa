"""A recording while it is read: what it is called, how it is cut, who is warned of its end."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from audio_interaction_ros.audio.block import AudioBlock

__all__ = ['CONVERT', 'Recording', 'Warn']

CONVERT = 'convert it (ffmpeg -i IN OUT.wav)'
"""What to do with what nobody here can read."""
Warn = Callable[[str], object]

_NS = 1_000_000_000


@dataclass(frozen=True)
class Recording:
    """One that is read, in blocks that are stamped from 0 at its start."""

    name: str
    block_ms: float
    warn: Warn

    def frames_per_block(self, rate_hz: int) -> int:
        """Return how many frames a block has, one at least."""
        return max(1, round(self.block_ms * rate_hz / 1000))

    @staticmethod
    def make_block(samples: np.ndarray, rate_hz: int, position: int) -> AudioBlock:
        """Return the block of samples that begin at a frame."""
        return AudioBlock(
            samples=samples, sample_rate_hz=rate_hz, stamp_ns=round(position * _NS / rate_hz))

    def warn_of_early_end(self, found_s: float, promised_s: float) -> None:
        """Say that there is less than its header says."""
        longer = f'{promised_s:.1f} s' if promised_s - found_s > 0.05 else 'a longer recording'
        self.warn(f'{self.name}: expected {longer}, as its header says, found {found_s:.1f} s; '
                  'played these, copy the file again')
