"""
Diagnostics of a node: named tasks, published once a second.

Owns the message and the timer, in a callback group of its own so that a busy node still
reports: it waits for the node's lock for a moment only. What a task says is the node's matter.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node

from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.steady_timer import steady_timer

__all__ = ['ERROR', 'OK', 'STALE', 'WARN', 'Diagnostics', 'StatusReport']

OK, WARN = DiagnosticStatus.OK, DiagnosticStatus.WARN
ERROR, STALE = DiagnosticStatus.ERROR, DiagnosticStatus.STALE
_PATIENCE_S = 0.5
_BUSY = 'the node is busy in a callback; what it says here is from before'


@dataclass
class StatusReport:
    """What one task has to say; the worst level wins, messages are joined."""

    level: bytes = OK
    messages: list[str] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def add(self, level: bytes, message: str) -> None:
        """Add a finding."""
        self.level = max(self.level, level)
        self.messages.append(message)


class Diagnostics:
    """
    Publishes the tasks of one node at 1 Hz on the relative topic ``diagnostics``.

    Tasks run with ``lock`` held. While somebody else keeps it, what was said last is said again,
    with a warning.
    """

    def __init__(self, *, node: Node, tasks: Mapping[str, Callable[[], StatusReport]],
                 lock: 'threading.RLock | None' = None) -> None:
        """Start the timer."""
        self._node = node
        self._tasks = tasks
        self._lock = lock or threading.RLock()
        self._reports = {name: StatusReport() for name in tasks}
        self._publisher = node.create_publisher(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
        self._timer = steady_timer(
            node, 1.0, self.publish, callback_group=MutuallyExclusiveCallbackGroup())

    def publish(self) -> None:
        """Publish now."""
        array = DiagnosticArray()
        array.header.stamp = self._node.get_clock().now().to_msg()
        if self._lock.acquire(timeout=_PATIENCE_S):
            try:
                self._reports = {name: self._run(task) for name, task in self._tasks.items()}
            finally:
                self._lock.release()
        else:
            for report in self._reports.values():
                if _BUSY not in report.messages:
                    report.add(WARN, _BUSY)
        array.status.extend(self._make_status(name, report) for name,
                            report in self._reports.items())
        self._publisher.publish(array)

    def _run(self, task: Callable[[], StatusReport]) -> StatusReport:
        try:
            return task()
        except Exception as error:  # noqa: BLE001 - one broken task must not silence the rest
            report = StatusReport()
            report.add(ERROR, f'diagnostics task failed: {error!r}')
            return report

    def _make_status(self, name: str, report: StatusReport) -> DiagnosticStatus:
        values = [KeyValue(key=key, value=_format_value(value)) for key,
                  value in report.values.items()]
        return DiagnosticStatus(
            level=report.level, name=f'{self._node.get_name()}: {name}',
            message='; '.join(report.messages) or 'ok',
            hardware_id=self._node.get_namespace().strip('/'), values=values)


def _format_value(value: Any) -> str:
    return f'{value:.4g}' if isinstance(value, float) else str(value)
