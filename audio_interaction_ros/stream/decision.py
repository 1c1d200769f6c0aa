"""From two control logits to one decision: threshold, hysteresis, refractory time."""

import numpy as np

__all__ = ['DecisionGate', 'respond_probability']


def respond_probability(control_logits: np.ndarray) -> np.ndarray:
    """
    Return p_respond [R] of control logits [R, 2] (silence, respond); greedy is 0.5.

    Where a logit is not a finite number p_respond is 0: what cannot be told is silence.
    """
    logits = control_logits.astype(np.float64)
    known = np.isfinite(logits).all(axis=1)
    difference = np.where(known, logits[:, 0], 60.0) - np.where(known, logits[:, 1], 0.0)
    return np.where(known, 1.0 / (1.0 + np.exp(np.clip(difference, -60.0, 60.0))), 0.0)


class DecisionGate:
    """
    Decides whether a probability is enough to respond now.

    ``threshold`` and ``release`` are probabilities, ``refractory_ns`` is audio time after the
    decision that started a reply. A release of 1 switches hysteresis off.
    """

    def __init__(self, *, threshold: float, release: float, refractory_ns: int) -> None:
        self.adjust(threshold=threshold, release=release, refractory_ns=refractory_ns)
        self.reset()

    def adjust(self, *, threshold: float, release: float, refractory_ns: int) -> None:
        """Decide by other numbers from now on; earlier replies are not forgotten."""
        self._threshold, self._release = threshold, release
        self._refractory_ns = refractory_ns

    def reset(self) -> None:
        """Forget earlier replies."""
        self._armed = True
        self._replied_ns: int | None = None

    def decide(self, p_respond: float, stamp_ns: int) -> bool:
        """Return True to respond at this audio time; NaN is no reason to respond."""
        if p_respond < self._release:
            self._armed = True
        # A clock that was set back says nothing of how long ago the reply was.
        if (self._replied_ns is not None
                and 0 <= stamp_ns - self._replied_ns < self._refractory_ns):
            return False
        if not self._armed or not p_respond >= self._threshold:
            return False
        self._armed = self._release >= 1.0
        self._replied_ns = stamp_ns
        return True
