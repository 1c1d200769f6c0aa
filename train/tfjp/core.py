"""
Where the event of a clip lies: loud against quiet, ordered against noise-like.

The score of a frame is its level between gate and loudest frame, from 0 to 1, times one less half
its normalised spectral entropy; the core is the contiguous span whose scores exceed the
threshold by most in sum. The paper names energy and entropy but gives no formula.
"""

import numpy as np

__all__ = ['locate_core', 'spectral_entropy']

THRESHOLD = 0.1


def spectral_entropy(powers: np.ndarray) -> np.ndarray:
    """Return the entropy [T] of power spectra [T, B]; 0 one bin, 1 all bins alike."""
    total = powers.sum(axis=1, keepdims=True)
    share = np.divide(powers, total, out=np.zeros_like(powers), where=total > 0)
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    return -(share * logs).sum(axis=1) / np.log(powers.shape[1])


def locate_core(levels: np.ndarray, powers: np.ndarray, gate: float) -> tuple[int, int]:
    """Return first frame and end (exclusive) of the core; all frames when none stands out."""
    height = np.clip((levels - gate) / max(levels.max() - gate, 1e-9), 0, 1)
    gain = height * (1 - spectral_entropy(powers) / 2) - THRESHOLD
    total = np.concatenate([[0.0], np.cumsum(gain)])
    lowest = np.minimum.accumulate(total)
    end = int(np.argmax(total - lowest))
    if end == 0:
        return 0, len(levels)
    return int(np.argmin(total[:end])), end
