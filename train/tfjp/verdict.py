"""
Whether a clip holds an event or only steady noise.

Steady noise is level in time and smooth in frequency. A steady tone, such as an alarm that fills
the clip, is level in time but not smooth in frequency, and counts as an event.
"""

import numpy as np
from scipy.ndimage import median_filter

from train.tfjp.spectrum import analyse, power_of, to_level_db

__all__ = ['judge_clip']

SPREAD_DB = 6.0
"""Levels over 200 ms that stay within this are steady."""
TONE_DB = 10.0
"""A bin this far above the median of its neighbours is a tone."""
_SMOOTH_FRAMES, _NEIGHBOURS = 20, 15


def judge_clip(levels: np.ndarray, samples: np.ndarray) -> tuple[str, str]:
    """Return verdict and reason from the levels [T] dBFS before and the samples after."""
    energy = 10 ** (levels / 10)
    if len(energy) > _SMOOTH_FRAMES:
        energy = np.convolve(energy, np.full(_SMOOTH_FRAMES, 1 / _SMOOTH_FRAMES), mode='valid')
    spread = float(np.ptp(to_level_db(energy)))
    mean = to_level_db(power_of(analyse(samples)).mean(axis=0))
    prominence = float(np.max(mean - median_filter(mean, size=_NEIGHBOURS, mode='nearest')))
    if spread < SPREAD_DB and prominence < TONE_DB:
        return 'noise', (f'level within {spread:.1f} dB and no tone: nothing stands out of a '
                         'steady noise')
    return 'ok', ''
