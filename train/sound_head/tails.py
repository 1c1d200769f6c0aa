"""
How rare alarms are at thresholds that hardly any stream reached: the tail of the highest scores.

Pure numbers: the highest score of each stream, and how long they last together.
"""

from collections.abc import Sequence

import numpy as np

__all__ = ['extrapolate']

TAIL_PEAKS = 15
"""So many of the highest scores of streams say how fast alarms become fewer above them."""
LEAST_MEAN = 0.05
"""Log-odds: no tail falls faster than that."""


def extrapolate(peaks: np.ndarray, hours: float,
                thresholds: Sequence[float] | np.ndarray) -> np.ndarray:
    """
    Return alarms per hour at each threshold by the highest score of each stream, ``peaks`` [n].

    Of TAIL_PEAKS streams or fewer nothing can be told: 0.

    The excess of the highest peaks over the next one, as log-odds, is taken for exponential: so
    a rate can be told for thresholds that hardly any stream reached. Below the peaks that it is
    fitted on, it is the rate at the lowest of them.
    """
    if len(peaks) <= TAIL_PEAKS:
        return np.zeros(len(thresholds))
    odds = np.sort(_log_odds(peaks))[::-1]
    start = odds[TAIL_PEAKS]
    mean = max(float(np.mean(odds[:TAIL_PEAKS] - start)), LEAST_MEAN)
    above = np.maximum(_log_odds(np.array(thresholds)) - start, 0.0)
    return np.asarray(TAIL_PEAKS / hours * np.exp(-above / mean))


def _log_odds(scores: np.ndarray) -> np.ndarray:
    kept = np.clip(scores.astype(np.float64), 1e-12, 1 - 1e-12)
    return np.asarray(np.log(kept) - np.log1p(-kept))
