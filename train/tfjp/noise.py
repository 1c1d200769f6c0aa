"""
The stationary noise of a clip: measured where it is quietest, subtracted, continued.

Knows neither silence gates nor cores; who calls decides whether what is quietest is noise.
"""

import numpy as np
from scipy.ndimage import uniform_filter, uniform_filter1d

from train.tfjp.spectrum import BINS, power_of, synthesise

__all__ = ['denoise', 'make_noise_like', 'find_quietest']

QUIETEST_SHARE = 0.05
GAMMA = 1.0
"""Over-subtraction (the paper's gamma)."""
FLOOR_GAIN = 0.1
"""Least gain of a bin, -20 dB; the paper states none."""
_SMOOTH = 5


def find_quietest(levels: np.ndarray) -> np.ndarray:
    """Return the indices of the lowest 5 % of frame levels [T], at least one."""
    count = max(1, int(len(levels) * QUIETEST_SHARE))
    return np.argpartition(levels, count - 1)[:count]


def denoise(frames: np.ndarray, profile: np.ndarray) -> np.ndarray:
    """
    Return frames [T, 161] less a noise power [161], by spectral subtraction.

    The gain is read off power smoothed over five frames and five bins and a profile smoothed
    alike, which keeps single bins of noise from surviving as chirps.
    """
    smooth = uniform_filter(power_of(frames), size=_SMOOTH, mode='nearest')
    taken = GAMMA * uniform_filter1d(profile, size=_SMOOTH, mode='nearest')
    share = np.divide(taken, smooth, out=np.zeros_like(smooth), where=smooth > 0)
    return frames * np.sqrt(np.maximum(1 - share, FLOOR_GAIN ** 2))


def make_noise_like(profile_frames: np.ndarray, hops: int) -> np.ndarray:
    """Return samples [hops * 160] of noise with the mean spectrum of frames [F, 161]."""
    magnitude = np.sqrt(2 * np.mean(np.abs(profile_frames) ** 2, axis=0))
    phase = np.random.default_rng(0).uniform(0, 2 * np.pi, (hops + 1, BINS))
    columns = magnitude * np.exp(1j * phase)
    columns[:, [0, -1]] = columns[:, [0, -1]].real
    return synthesise(columns)
