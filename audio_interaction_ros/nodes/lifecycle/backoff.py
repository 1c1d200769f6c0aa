"""When to try again what failed: after 1, 2, 4 … 60 seconds."""

__all__ = ['BackOff']

_FIRST_S, _MOST_S = 1.0, 60.0


class BackOff:
    """Counts failures in a row and says when the next try is due (steady clock, seconds)."""

    def __init__(self) -> None:
        """Start without a failure."""
        self.failures = 0
        """In a row."""
        self.total = 0
        """Of all kinds."""
        self._at: float | None = None

    @property
    def is_waiting(self) -> bool:
        """True while another try is to come."""
        return self._at is not None

    def fail(self, now: float) -> float:
        """Take in a failure; return after how many seconds to try again."""
        delay_s = min(_FIRST_S * 2.0 ** min(self.failures, 30), _MOST_S)
        self.failures += 1
        self.total += 1
        self._at = now + delay_s
        return delay_s

    def give_up(self) -> None:
        """Take in a failure that no other try mends: none is to come, and none waits longer."""
        self.total += 1
        self._at = None

    def try_now(self) -> None:
        """Let a try be due at once; it is no failure."""
        self._at = float('-inf')

    def left_s(self, now: float) -> float:
        """Return the seconds until the next try, 0 when it is due or none is to come."""
        return 0.0 if self._at is None else max(self._at - now, 0.0)

    def is_due(self, now: float) -> bool:
        """Tell whether to try again now."""
        return self._at is not None and now >= self._at

    def stop_waiting(self) -> None:
        """No try is to come: one is under way, or somebody else decided."""
        self._at = None

    def succeed(self) -> None:
        """It works: the next failure is the first one again."""
        self._at = None
        self.failures = 0
