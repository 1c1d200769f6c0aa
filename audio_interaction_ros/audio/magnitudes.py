"""
The spectrogram that YAMNet hears, of the frames that the log-mel is made of.

64 triangular filters, 125 to 7,500 Hz on the HTK mel scale and not normalised, over the magnitudes
of an FFT of 512; natural logarithm of the sum and OFFSET (tensorflow/models, yamnet/features.py).
Windows of 400 samples every 160, as ``mel`` has. Knows no stream.
"""

from functools import lru_cache

import numpy as np

from audio_interaction_ros.protocol import MAGNITUDE_BINS, SAMPLE_RATE_HZ

__all__ = ['log_magnitudes', 'magnitude_filters']

OFFSET = 0.001
"""So digital silence becomes NO_MAGNITUDE."""
_FFT = 512
_LOWEST_HZ, _HIGHEST_HZ = 125.0, 7_500.0


def _mel(hz: np.ndarray) -> np.ndarray:
    """Return HTK mels of Hz."""
    mels: np.ndarray = 1127.0 * np.log1p(hz / 700.0)
    return mels


@lru_cache(maxsize=1)
def magnitude_filters() -> np.ndarray:
    """Return the filters [64, 257] float64; the constant part of a frame is in none."""
    places = _mel(np.linspace(0.0, SAMPLE_RATE_HZ / 2, _FFT // 2 + 1))
    low, high = _mel(np.array([_LOWEST_HZ, _HIGHEST_HZ]))
    edges = np.linspace(low, high, MAGNITUDE_BINS + 2)[:, None]
    rising = (places - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - places) / (edges[2:] - edges[1:-1])
    filters: np.ndarray = np.maximum(0.0, np.minimum(rising, falling))
    filters.flags.writeable = False
    return filters


def log_magnitudes(frames: np.ndarray) -> np.ndarray:
    """Return the spectrogram [64, T] float32 of windowed frames [T, 400]."""
    magnitudes = np.abs(np.fft.rfft(frames, _FFT, axis=1))
    spectrogram: np.ndarray = np.log(magnitude_filters() @ magnitudes.T + OFFSET)
    return spectrogram.astype(np.float32)
