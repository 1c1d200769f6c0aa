"""Lanes that fail, and the end of a model with which none comes to a result any more."""

from audio_interaction_ros.errors import ModelFaultError

__all__ = ['StepFailures']

_MOST_FAILURES = 5
"""Steps in a row that may fail without any lane coming to a result."""


class StepFailures:
    """Counts steps that fail; a lane is known by its index."""

    def __init__(self) -> None:
        self.reason = ''
        """Why something failed last."""
        self._in_a_row = 0
        self._lanes: set[int] = set()  # that failed and came to no result since
        self._failed = self._succeeded = False  # in the step that runs

    def explain(self, error: Exception) -> None:
        """Keep why something failed that is no step of a lane."""
        self.reason = f'{error}' or repr(error)

    def note(self, lane: int, error: Exception) -> bool:
        """Note that a lane failed; tell whether it had failed before, with no result since."""
        self.explain(error)
        again, self._failed = lane in self._lanes, True
        self._lanes.add(lane)
        return again

    def clear(self, lane: int) -> None:
        """Note that a lane came to a result."""
        self._succeeded = True
        self._lanes.discard(lane)

    def end_step(self) -> None:
        """End a step; ModelFaultError where five in a row failed and no lane came to a result."""
        if self._succeeded:
            self._in_a_row = 0
        elif self._failed:
            self._in_a_row += 1
        self._failed = self._succeeded = False
        if self._in_a_row >= _MOST_FAILURES:
            raise ModelFaultError(
                f'{_MOST_FAILURES} steps in a row failed, the last one with: {self.reason}')
