"""
How sure a model is of the words that it chose: one number per reply.

Owns the geometric mean over a reply. Knows neither what the tokens mean nor what is done about
an unsure reply.
"""

import math

__all__ = ['Confidence']


class Confidence:
    """Geometric mean of the probabilities of a reply's tokens, each among those allowed."""

    def __init__(self) -> None:
        self._total = 0.0
        self._tokens = 0

    def add(self, log_prob: float) -> None:
        """Take in the log-probability of a token."""
        self._total += log_prob
        self._tokens += 1

    @property
    def value(self) -> float:
        """Return 0 to 1; 1 before the first token."""
        return math.exp(self._total / self._tokens) if self._tokens else 1.0
