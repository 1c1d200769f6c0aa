"""
Diagnostics of a node: named tasks, published once a second.

Owns the message and the timer, in a callback group of its own so that a busy node still
reports: it waits for the node's lock for a moment only. What a task says is the node's matter.
"""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.node import Node

from audio_interaction_ros.config import ModelConfig
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.steady_timer import steady_timer
from audio_interaction_ros.stream.events import ReplyWithheld

__all__ = ['ERROR', 'OK', 'STALE', 'WARN', 'BusyMeter', 'Diagnostics', 'QosWatch', 'StatusReport',
           'Timings', 'WithheldReplies', 'have_other_fields', 'model_report', 'publisher_name',
           'name_several', 'why_unheard']

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


class Timings:
    """Newest durations of a repeated computation."""

    def __init__(self, *, length: int = 256) -> None:
        """Start empty; ``length`` durations are remembered."""
        self._seconds: deque[float] = deque(maxlen=length)

    def add(self, seconds: float) -> None:
        """Take in one duration."""
        self._seconds.append(seconds)

    def percentile_ms(self, percent: float) -> float:
        """Return a percentile in ms, 0 before the first duration."""
        values = list(self._seconds)
        return float(np.percentile(values, percent)) * 1000 if values else 0.0


class BusyMeter:
    """Real-time factor: seconds of computing per second of audio, over the newest seconds."""

    def __init__(self, *, window_s: float = 5.0) -> None:
        """Start empty."""
        self._window_s = window_s
        self._spans: deque[tuple[float, float, float]] = deque()
        self._over_since: float | None = None

    def add(self, end: float, seconds: float, audio_s: float) -> None:
        """Take in a computation that ended at ``end`` and worked off ``audio_s`` of audio."""
        self._spans.append((end, seconds, audio_s))
        while self._spans[0][0] < end - self._window_s:
            self._spans.popleft()

    def factor(self, now: float) -> float:
        """Return the real-time factor of the window, 0 where nothing was computed."""
        spans = [span for span in list(self._spans) if span[0] >= now - self._window_s]
        busy, audio_s = sum(span[1] for span in spans), sum(span[2] for span in spans)
        return busy / (audio_s or self._window_s)

    def overload_s(self, now: float) -> float:
        """Return for how long the factor has been above 1, as seen by calls of this."""
        if self.factor(now) <= 1.0:
            self._over_since = None
            return 0.0
        if self._over_since is None:
            self._over_since = now
        return now - self._over_since


class WithheldReplies:
    """The replies of a lane that were withheld, for the model was not sure of their words."""

    def __init__(self, min_confidence: float, *, shown_s: float = 10.0) -> None:
        """Start empty; the newest one is told in words for ``shown_s``."""
        self.min_confidence, self._shown_s = min_confidence, shown_s
        self._count = 0
        self._newest: ReplyWithheld | None = None
        self._at = float('-inf')

    def note(self, event: ReplyWithheld) -> None:
        """Take in one."""
        self._count += 1
        self._newest, self._at = event, time.monotonic()

    def check(self, lane: str, report: StatusReport) -> None:
        """Say how many there were; of a recent one, how unsure it was."""
        report.values.update({f'{lane}.min_confidence': self.min_confidence,
                              f'{lane}.withheld': self._count})
        if self._newest is None:
            return
        sure, text = self._newest.confidence, self._newest.text
        report.values.update({f'{lane}.withheld_text': text, f'{lane}.withheld_confidence': sure})
        if time.monotonic() - self._at < self._shown_s:
            report.add(OK, f'{lane}: a reply was withheld, confidence {sure:.2f} below '
                           f'{self.min_confidence:.2f}: {text!r}')


def model_report(model: ModelConfig, *, unit: str, loaded: bool, since: float, timings: Timings,
                 busy: BusyMeter, too_slow: str) -> StatusReport:
    """
    Report on a model at work, or being loaded ``since`` (steady clock).

    ``unit`` is what one of ``timings`` is spent on.
    """
    report = StatusReport()
    now = time.monotonic()
    report.values.update({
        'runtime': model.runtime, 'device': model.device, 'path': model.path, 'loaded': loaded,
        f'{unit}_ms_p50': timings.percentile_ms(50), f'{unit}_ms_p95': timings.percentile_ms(95),
        'real_time_factor': busy.factor(now)})
    if not loaded:
        report.add(WARN, f'loading the model for {now - since:.0f} s so far')
    if busy.overload_s(now) > 5.0:
        report.add(ERROR, too_slow)
    return report


class QosWatch:
    """Names publishers of a topic whose quality of service never connects to ours."""

    def __init__(self, *, node: Node) -> None:
        """Watch nothing yet."""
        self._node = node
        self._topics: dict[str, Any] = {}

    def watch(self, topic: str, profile: Any) -> None:
        """Watch a topic that the node subscribes to with this profile."""
        self._topics[topic] = profile

    def check(self, report: StatusReport) -> None:
        """Add a warning for each publisher that cannot be heard."""
        for topic, profile in self._topics.items():
            name = self._node.resolve_topic_name(topic)
            for info in self._node.get_publishers_info_by_topic(name):
                problem = why_unheard(info, profile)
                if problem:
                    report.add(WARN, f'{name}: {problem}')


def why_unheard(info: Any, profile: Any) -> str:
    """Return why a publisher never connects to a subscription; empty where it does."""
    reason = qos.find_mismatch(info.qos_profile, profile)
    return f'publisher {publisher_name(info)} has an incompatible QoS: {reason}' if reason else ''


def have_other_fields(info: Any, own: Iterable[Any]) -> bool:
    """
    Tell whether an endpoint has our type's name and other fields, so that nothing of it is read.

    ``own`` are endpoints of the topic made here. Distributions before Iron say nothing of fields.
    """
    theirs: Any = getattr(info, 'topic_type_hash', None)
    if theirs is None:
        return False
    ours = [item.topic_type_hash for item in own if item.topic_type == info.topic_type]
    return any(theirs.version == hash_.version > 0 and theirs != hash_ for hash_ in ours)


def publisher_name(info: Any) -> str:
    """Return the full name of the node of an endpoint."""
    return f'{info.node_namespace.rstrip("/")}/{info.node_name}'


def name_several(endpoints: Iterable[Any]) -> str:
    """Return the nodes of endpoints where there are more than one; empty where there are not."""
    names = Counter(publisher_name(info) for info in endpoints)
    if names.total() < 2:
        return ''
    return ', '.join(f'{name} ({count} times)' if count > 1 else name
                     for name, count in sorted(names.items()))
