"""
Greedy choice: from the scores of a vocabulary to one token and how sure the model is of it.

Owns which ids are never chosen. Backends on the host share ``choose``; one on a device does the
same there, so that it need not copy a vocabulary. Knows no lanes and no phases.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from audio_interaction_ros.protocol import TokenIds
from audio_interaction_ros.runtimes.base import Allowed, StepRequest

__all__ = ['choose', 'choose_rows', 'suppressed_ids']


def suppressed_ids(ids: TokenIds) -> dict[Allowed, np.ndarray]:
    """Return the ids [n] int64 that are never chosen where a reply begins, and further on."""
    return {allowed: np.array(sorted(never), np.int64) for allowed, never in (
        (Allowed.FIRST, ids.suppressed - set(ids.emotions)), (Allowed.TEXT, ids.suppressed))}


def choose(scores: np.ndarray, suppressed: np.ndarray) -> tuple[int, float]:
    """
    Return the likeliest id and its log-probability, both among those not suppressed.

    ``scores`` [vocab_size] float32 are left as they are. The log-probability is NaN where one of
    them, suppressed or not, is no finite number: such a model must not be believed.
    """
    if not np.isfinite(scores).all():
        return int(scores.argmax()), math.nan
    left = scores.copy()
    left[suppressed] = -np.inf
    token = int(left.argmax())
    return token, float(-np.log(np.exp(left - left[token]).sum()))


def choose_rows(rows: Sequence[int], requests: Sequence[StepRequest], read: Sequence[np.ndarray],
                score: Callable[[np.ndarray], np.ndarray],
                suppressed: Mapping[Allowed, np.ndarray]) -> dict[int, tuple[int, float]]:
    """
    Return token and log-probability by row, of those ``rows`` of a pass that want one.

    ``read`` are the hidden states [R, width] of each row where its request reads; ``score``
    returns the scores [n, vocab_size] of hidden states [n, width].
    """
    if not rows:
        return {}
    scores = score(np.stack([read[row][-1] for row in rows]))
    return {row: choose(of_row, suppressed[requests[row].allowed])
            for row, of_row in zip(rows, scores, strict=True)}
