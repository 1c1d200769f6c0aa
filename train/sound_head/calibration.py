"""
Scores that are probabilities: a scale and a shift per class, learned on held-out streams.

Owns Platt's logistic fit with a prior (scale 1, shift 0) that holds where a class was hardly
heard, and the figure of how far scores are from shares. Knows no net.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from train.sound_head.classes import PRESENT, UNKNOWN

__all__ = ['Calibration', 'calibration_error', 'fit_calibration', 'sigmoid']

SCALE_PRIOR, SHIFT_PRIOR = 10.0, 0.2
LEAST_SCALE = 0.2


@dataclass(frozen=True)
class Calibration:
    """Of each class: its logit becomes ``scale * logit + shift``."""

    scale: np.ndarray
    shift: np.ndarray

    def apply(self, logits: np.ndarray) -> np.ndarray:
        """Return probabilities [..., classes] of logits."""
        return sigmoid(logits * self.scale + self.shift)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + e^-logits) without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logits)))


def fit_calibration(logits: np.ndarray, targets: np.ndarray) -> Calibration:
    """Return the calibration of logits [chunks, classes] whose targets are [chunks, classes]."""
    fitted = [_fit_one(logits[known, number].astype(np.float64),
                       targets[known, number] == PRESENT)
              for number in range(logits.shape[1])
              for known in [targets[:, number] != UNKNOWN]]
    return Calibration(*np.array(fitted).T)


def _fit_one(logits: np.ndarray, present: np.ndarray) -> np.ndarray:
    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        scale, shift = values
        moved = scale * logits + shift
        wrong = sigmoid(moved) - present
        value = float(np.logaddexp(0.0, moved).sum() - moved[present].sum()
                      + SCALE_PRIOR * (scale - 1) ** 2 + SHIFT_PRIOR * shift ** 2)
        return value, np.array([wrong @ logits + 2 * SCALE_PRIOR * (scale - 1),
                                wrong.sum() + 2 * SHIFT_PRIOR * shift])
    found = minimize(loss, [1.0, 0.0], jac=True, method='L-BFGS-B',
                     bounds=[(LEAST_SCALE, None), (None, None)])
    return np.asarray(found.x)


def calibration_error(scores: np.ndarray, present: np.ndarray, bins: int = 10) -> float:
    """Return the mean distance of scores [n] from the share that is present, over equal bins."""
    place = np.minimum((scores * bins).astype(int), bins - 1)
    return float(sum(abs(float((scores[place == b] - present[place == b]).sum()))
                     for b in range(bins)) / max(1, len(scores)))
