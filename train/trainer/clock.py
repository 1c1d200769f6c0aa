"""
How much of the minutes of a training is over, those before a stop included.

Owns the clock of the short trainings, which are given minutes instead of steps. Knows no model.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ['Clock', 'computing_seconds']


def computing_seconds(threads: int) -> float:
    """Return seconds that this process computed, per thread: other work does not shorten a run."""
    return time.process_time() / threads


class Clock:
    """Counts minutes from ``spent`` on; ``now`` gives seconds from anywhere."""

    def __init__(self, minutes: float, spent: float = 0.0,
                 now: Callable[[], float] = time.monotonic) -> None:
        self.minutes, self._now = minutes, now
        self._begin = now() - spent * 60

    def spent_minutes(self) -> float:
        """Return minutes."""
        return (self._now() - self._begin) / 60

    def spent_share(self) -> float:
        """Return the part that is over, 1 and more at the end."""
        return self.spent_minutes() / self.minutes if self.minutes > 0 else 1.0

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Do not count what is done inside, as scoring on the way."""
        before = self._now()
        yield
        self._begin += self._now() - before
