"""
How far a place that sounds like something all the time raises what must be scored to be it.

Owns what is remembered of the newest scores of one sound while it was not on: so many numbers,
however long the stream, and the same work for every chunk. Pure numbers: no clock and no audio.
"""

import math
from bisect import bisect_left, insort
from collections import deque

from audio_interaction_ros.protocol import CHUNK_S

__all__ = ['SILENCE', 'SoundBackground']

SILENCE = -6.0
"""Log-odds of a sound where nothing like it is heard; a place that scores less is as silent."""
_MOST = 16.0
"""Log-odds beyond this are not told from 1 by scores of 32 bits."""


class SoundBackground:
    """
    The newest scores of one sound, as far as they are not the sound itself.

    A stream begins as though it had been silent for as long as is remembered.
    """

    def __init__(self, *, share: float, seconds: float, quantile: float = 0.5,
                 silence: float = SILENCE) -> None:
        """
        Remember ``seconds``; ``share``, 0 to 1, of their median raises a threshold.

        With a share of 0 nothing is remembered and no threshold moves. Another ``quantile``, 0 to
        1, may take the place of the median. Log-odds below ``silence`` raise nothing.
        """
        self._share, self._silence = share, silence
        self._chunks = max(1, round(seconds / CHUNK_S)) if share else 0
        self._place = min(int(quantile * self._chunks), self._chunks - 1)
        self.forget()

    def forget(self) -> None:
        """Take the past for silent."""
        self._newest = deque([self._silence] * self._chunks)
        self._sorted = [self._silence] * self._chunks

    def note(self, score: float) -> None:
        """Remember the score, 0 to 1, of one chunk more in place of the oldest."""
        if not self._chunks:
            return
        odds = max(self._silence, _log_odds(score))
        del self._sorted[bisect_left(self._sorted, self._newest.popleft())]
        self._newest.append(odds)
        insort(self._sorted, odds)

    def raise_threshold(self, threshold: float) -> float:
        """Return what must be scored here, where in silence it were ``threshold``, 0 to 1."""
        rise = self._rise
        raised = _probability(_log_odds(threshold) + rise) if rise > 0 else threshold
        return max(threshold, raised)  # one so near to 1 as log-odds do not tell stays

    def lower_score(self, score: float) -> float:
        """Return what a score would have to be in silence to count as much as it does here."""
        rise = self._rise
        return _probability(_log_odds(score) - rise) if rise > 0 and score < 1.0 else score

    @property
    def _rise(self) -> float:
        return self._share * (self._sorted[self._place] - self._silence) if self._chunks else 0.0


def _log_odds(probability: float) -> float:
    """Return ln(p / (1 - p)), within bounds that every probability has."""
    if not 0.0 < probability < 1.0:
        return _MOST if probability >= 1.0 else -_MOST
    return min(max(math.log(probability) - math.log1p(-probability), -_MOST), _MOST)


def _probability(odds: float) -> float:
    return 1.0 / (1.0 + math.exp(-min(odds, _MOST)))
