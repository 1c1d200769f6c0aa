"""
How a node that cannot work comes to work again: when it is configured once more, and when not.

Owns what failed last, how often, and the timer of the next try. What fails now and may work later,
as a download, is tried again with back-off where the node starts by itself (``autostart``). A
wrong configuration is not: one that the process was started with ends it (``is_hopeless``), so
that whoever started it learns of it; one that came later waits until a parameter is set.
"""

import time
from collections.abc import Mapping
from typing import Any, Protocol

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.nodes.lifecycle.backoff import BackOff
from audio_interaction_ros.nodes.lifecycle.diagnostics import ERROR, WARN, StatusReport
from audio_interaction_ros.nodes.lifecycle.host_node import HostNode
from audio_interaction_ros.nodes.lifecycle.steady_timer import steady_timer

__all__ = ['Recovery']

_LOOK_S = 0.2


class _Recoverable(HostNode, Protocol):
    """What is asked of the node."""

    get_parameter: Any
    has_parameter: Any
    trigger_deactivate: Any
    trigger_cleanup: Any

    @property
    def state(self) -> str:
        """Name of its lifecycle state."""

    def autostart(self) -> None:
        """Configure and activate it, where its parameter allows that."""


class Recovery:
    """What keeps one node from working, and when to try again; used with its lock held."""

    def __init__(self, node: _Recoverable, *, start_error: str) -> None:
        """Take what is wrong with the parameters that the process was started with, if any."""
        self._node, self._start_error = node, start_error
        self.failure = start_error  # said when the node is configured
        """Why the node cannot work; empty while it can."""
        self._last_failure = start_error
        self.attempts = BackOff()
        self._must_leave = False
        """The node is configured and cannot work: it leaves that state first."""
        self._configuration_is_wrong = False
        self._awaited: Mapping[str, Any] = {}
        """What was accepted for a wrong configuration and may not be stored yet."""
        self._is_as_started = True
        """It never worked, and no parameter was set."""
        self.is_hopeless = False
        """It starts by itself, and cannot work with what the process was started with."""
        # It rests while nothing fails: each timer wakes the executor, which costs in a quiet room.
        self._timer = steady_timer(node, _LOOK_S, node.exclusive(self._look),
                                   callback_group=MutuallyExclusiveCallbackGroup())

    def begin(self) -> None:
        """
        Take it that the node is being configured: failures from before say nothing of it.

        Raises ConfigurationError where the process was started with wrong parameters.
        """
        self.failure, self._must_leave = '', False
        self._configuration_is_wrong, self._awaited = False, {}
        self.attempts.stop_waiting()
        if self._start_error:
            raise ConfigurationError(self._start_error)

    def report_failure(self, message: str) -> None:
        """Log and keep for diagnostics what stops the node from working."""
        self.failure = self._last_failure = message
        self._timer.reset()
        self._node.get_logger().error(message)

    def give_up(self, message: str, error: BaseException | None = None) -> None:
        """
        Report why the node cannot work; it becomes unconfigured and is tried again.

        A ConfigurationError is tried again only when a parameter has changed.
        """
        self._must_leave = True
        self.report_failure(message + self.plan_retry(error))

    def plan_retry(self, error: BaseException | None) -> str:
        """Decide when to try again; return it in words."""
        self._awaited = {}
        starts_itself = self._node.get_parameter('autostart').value
        # What the machine refuses today, a folder or a file, may work tomorrow.
        is_wrong = bool(self._start_error) or (isinstance(error, ConfigurationError)
                                               and not isinstance(error.__cause__, OSError))
        if starts_itself and not is_wrong:
            return f'; next try in {self.attempts.fail(time.monotonic()):.0f} s'
        self.attempts.give_up()
        self._configuration_is_wrong = starts_itself and not self._start_error
        self.is_hopeless = starts_itself and self._is_as_started
        if self._start_error or self.is_hopeless:
            return '; then start the node again'
        return '; not tried again before a parameter is set' if starts_itself else ''

    def note_success(self) -> None:
        """Note that the node does what it is for: earlier failures are forgiven."""
        self.attempts.succeed()
        self._is_as_started = False

    def note_cleanup(self) -> None:
        """Take it that the node was cleaned up; who asks for that also ends the tries."""
        if not self._must_leave:
            self.attempts.succeed()
            self._configuration_is_wrong = False

    def note_change(self, values: Mapping[str, Any]) -> None:
        """Take it that parameters were accepted; they are stored a little later."""
        # A callback after the change, which would know it stored, is not in Humble.
        self._awaited = values
        self._is_as_started = self.is_hopeless = False

    def report(self, report: StatusReport) -> None:
        """Say what keeps the node from working, and how often it was configured again for it."""
        report.values.update(failures=self.attempts.total, last_failure=self._last_failure)
        if self.failure:
            report.add(ERROR, self.failure)
            report.values['next_try_s'] = self.attempts.left_s(time.monotonic())
        elif self.attempts.failures:
            report.add(WARN, f'try {self.attempts.failures + 1} after: {self._last_failure}')

    def _look(self) -> None:
        """Leave the state in which the node cannot work, and start again when it is time."""
        if not self.failure:
            self._timer.cancel()
            return
        state = self._node.state
        try:
            if self._must_leave and state == 'active':
                self._node.trigger_deactivate()
            elif self._must_leave and state == 'inactive':
                self._node.trigger_cleanup()
            elif state == 'unconfigured':
                self._try_again_when_due()
        except Exception as error:  # noqa: BLE001 - another transition is under way
            self._node.get_logger().debug(f'not now: {error!r}')

    def _try_again_when_due(self) -> None:
        self._must_leave = False
        if self._configuration_is_wrong and self._is_stored():
            self._configuration_is_wrong = False
            self.attempts.try_now()
        if self.attempts.is_due(time.monotonic()):
            self.attempts.stop_waiting()
            self._node.autostart()

    def _is_stored(self) -> bool:
        """Tell whether a change that a wrong configuration waited for can be read by now."""
        return bool(self._awaited) and all(
            self._node.has_parameter(name) and self._node.get_parameter(name).value == value
            for name, value in self._awaited.items())
