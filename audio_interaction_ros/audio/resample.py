"""
Sample rate conversion of a stream to 16 kHz, by soxr.

Output sample n is the sound at n / 16,000 s after the first input sample: the filter is of
linear phase and its delay is compensated, so that it delays delivery but moves no time. Knows
nothing of stamps.
"""

import numpy as np
import soxr

from audio_interaction_ros.protocol import SAMPLE_RATE_HZ

__all__ = ['Resampler']

_QUALITY = 'HQ'  # delivers up to 40 ms late from 48 kHz; VHQ doubles that


class Resampler:
    """Converts float32 mono of one rate; hands 16 kHz through unchanged and undelayed."""

    def __init__(self, *, sample_rate_hz: int):
        """Begin a stream at a rate in Hz."""
        self._stream = None
        if sample_rate_hz != SAMPLE_RATE_HZ:
            self._stream = soxr.ResampleStream(
                sample_rate_hz, SAMPLE_RATE_HZ, 1, dtype='float32', quality=_QUALITY)

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Take any number of samples [n] float32 and return those [m] at 16 kHz now ready."""
        if self._stream is None or len(samples) == 0:
            return samples
        return self._limit(self._stream.resample_chunk(samples))

    def flush(self) -> np.ndarray:
        """Return what the filter still holds; the stream is over."""
        if self._stream is None:
            return np.zeros(0, dtype=np.float32)
        rest = self._stream.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
        self._stream = None
        return self._limit(rest)

    @staticmethod
    def _limit(samples: np.ndarray) -> np.ndarray:
        """Return samples within full scale: a filter overshoots at clipped edges."""
        limited: np.ndarray = np.clip(samples, -1.0, 1.0)
        return limited
