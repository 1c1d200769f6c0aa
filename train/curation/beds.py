"""Background and ambient sounds of the planned length."""

import numpy as np

from train.curation.clips import RATE

__all__ = ['fit_bed']

_LOOP_S = 4.0
"""A bed of at least this length may be repeated."""
_FADE_S = 0.5


def fit_bed(samples: np.ndarray, seconds: float) -> np.ndarray:
    """
    Return a background or ambient sound of the planned length.

    A longer one is cut, one of at least 4 s is repeated with crossfades, a shorter one is left
    as it is: its duration will be refused.
    """
    wanted = round(seconds * RATE)
    if len(samples) > 2 * wanted:
        return samples[:wanted]
    if len(samples) >= wanted // 2 or len(samples) < _LOOP_S * RATE:
        return samples
    return _repeat(samples, wanted)


def _repeat(samples: np.ndarray, wanted: int) -> np.ndarray:
    """Return samples again and again, crossfaded, until there are as many as wanted."""
    fade = round(_FADE_S * RATE)
    rise = np.sin(np.linspace(0.0, np.pi / 2, fade, dtype=np.float32))
    step = len(samples) - fade
    out = np.zeros(-(-wanted // step) * step + fade, np.float32)
    for start in range(0, len(out) - fade, step):
        piece = samples.copy()
        piece[-fade:] *= rise[::-1]
        if start:
            piece[:fade] *= rise
        out[start:start + len(samples)] += piece
    return out[:wanted]
