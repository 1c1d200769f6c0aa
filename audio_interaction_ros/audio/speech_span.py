"""
Where in a piece of audio somebody speaks, from how likely that is from moment to moment.

Owns when a moment counts and what belongs together. Knows no model.
"""

import numpy as np

__all__ = ['speech_span']

THRESHOLD = 0.5
LEAST_S = 0.1
"""Less speech than this is none."""
SURE_S = 0.2
"""So much speech far from the rest belongs to it; less may be a cough or a squeak."""
APART_S = 2.0
MARGIN_S = 0.4
"""What is kept before and after, so that no soft sound is cut off."""


def speech_span(probabilities: np.ndarray, step_s: float) -> tuple[float, float] | None:
    """
    Return start and end in seconds of the speech; None where nobody speaks.

    ``probabilities`` [n] are of pieces of ``step_s`` seconds each. The span has a margin at both
    ends, within the audio.
    """
    speaks = np.flatnonzero(probabilities > THRESHOLD)
    if len(speaks) * step_s < LEAST_S:
        return None
    groups = np.split(speaks, np.flatnonzero(np.diff(speaks) * step_s > APART_S) + 1)
    sure = [group for group in groups if len(group) * step_s >= SURE_S] or groups
    start, end = sure[0][0] * step_s - MARGIN_S, (sure[-1][-1] + 1) * step_s + MARGIN_S
    return max(0.0, start), min(end, len(probabilities) * step_s)
