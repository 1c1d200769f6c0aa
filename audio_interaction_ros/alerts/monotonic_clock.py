"""
Time that never runs backwards, made of stamps that may.

Owns one number. A stamp a little older than the newest is lateness and changes nothing; one
much older means that the clock was set back or a recording began again, and time goes on from
there: a timer keeps what it had left.
"""

__all__ = ['MonotonicClock']


class MonotonicClock:
    """Sums up how far stamps went forward, in nanoseconds since the first stamp."""

    def __init__(self, *, tolerance_ns: int) -> None:
        self._tolerance_ns = tolerance_ns
        self._newest_ns: int | None = None
        self.now_ns = 0
        """Time passed since the first stamp."""
        self.set_back = 0
        """How often a stamp was older than the newest by more than the tolerance."""

    def advance(self, stamp_ns: int) -> int:
        """Take a stamp in and return the time passed since the first one."""
        newest = self._newest_ns
        if newest is None:
            self._newest_ns = stamp_ns
        elif stamp_ns >= newest:
            self.now_ns += stamp_ns - newest
            self._newest_ns = stamp_ns
        elif newest - stamp_ns > self._tolerance_ns:
            self._newest_ns = stamp_ns
            self.set_back += 1
        return self.now_ns
