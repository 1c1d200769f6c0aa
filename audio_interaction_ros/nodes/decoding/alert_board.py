"""
Alerts as topics and services: one message per change, the open ones, the event and the hold.

Owns publishers, timers and services; when what is heard is an alert is the policy's matter.
All of it, diagnostics included, runs with the node's lock held, so the policy needs none.
"""

import math
import time
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.callback_groups import CallbackGroup
from std_msgs.msg import Bool, Empty

from audio_interaction_msgs.msg import Alert, AlertArray
from audio_interaction_msgs.srv import AcknowledgeAlert
from audio_interaction_ros.alerts.alert import Alert as AlertRecord
from audio_interaction_ros.alerts.alert import AlertChange, AlertState, ChangeKind, Severity
from audio_interaction_ros.alerts.history import MOST_CHARACTERS, AlertHistory
from audio_interaction_ros.alerts.journal import JournalContents, waiting_for_a_person
from audio_interaction_ros.alerts.keeper import AlertKeeper, journal_path
from audio_interaction_ros.alerts.rules import AlertRules
from audio_interaction_ros.alerts.unheard import list_unheard
from audio_interaction_ros.assembly import build_policy, make_policy_settings
from audio_interaction_ros.config import AlertsConfig, LaneConfig
from audio_interaction_ros.nodes.decoding.direction_input import DirectionInput
from audio_interaction_ros.nodes.io.sound_messages import alert_message
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import WARN, StatusReport
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.stream.events import FinalReply, ReplyFinished
from audio_interaction_ros.stream.sound_events import SoundEvent
from audio_interaction_ros.terminal import one_line

__all__ = ['AlertBoard']

_ACTIVE_PERIOD_S, _HOLD_PERIOD_S = 0.5, 0.2
_BEARING_NS = 2_000_000_000
"""Where an alert comes from is heard in so much of the newest sighting, for it may move."""


class AlertBoard:
    """The alert topics of one decoder node."""

    def __init__(self, *, node: ManagedNode, settings: AlertsConfig, group: CallbackGroup,
                 lanes: Sequence[LaneConfig], hearing: Callable[[], bool],
                 directions: DirectionInput, before: 'AlertBoard | None' = None) -> None:
        """
        Load the rules, create the topics and take over what an earlier board left.

        ``before`` is that of an earlier configuration, of which every alert stays open; without
        one the journal is read. Raises ConfigurationError for bad rules.
        """
        self._policy, self._lanes = build_policy(settings, lanes), lanes
        self._node, self._settings, self._hearing = node, settings, hearing
        self._directions = directions
        self._bearings: dict[str, float] = {}
        self._now_ns: int | None = None
        self._history: AlertHistory = AlertHistory() if before is None else before._history
        self._keeper = self._make_keeper()
        kept = self._keeper.recall() if before is None else before.contents
        self._policy.restore(kept.alerts)
        self._frame_id = kept.frame_id
        self._keeper.keep(self.journal_contents)
        if kept.alerts:
            node.get_logger().warning(
                'alerts from before the start are still open: '
                + ', '.join(alert.id for alert in kept.alerts))
        self._changes = node.managed_publisher(Alert, 'alerts', qos.EVENTS)
        self._active = node.managed_publisher(AlertArray, 'alerts/active', qos.ALERTS_ACTIVE)
        self._event = node.managed_publisher(Empty, 'alerts/event', qos.FINAL_TEXT)
        self._hold = node.managed_publisher(Bool, 'alerts/hold', qos.FLAG)
        node.managed_timer(_ACTIVE_PERIOD_S, self._publish_active, callback_group=group)
        node.managed_timer(_HOLD_PERIOD_S, self._publish_hold, callback_group=group)
        node.managed_service(AcknowledgeAlert, 'alerts/acknowledge', self._on_acknowledge,
                             callback_group=group)
        node.managed_service(AcknowledgeAlert, 'alerts/clear', self._on_clear,
                             callback_group=group)

    @property
    def contents(self) -> JournalContents:
        """All that is open."""
        return JournalContents(alerts=tuple(self._policy.active), frame_id=self._frame_id)

    @property
    def journal_contents(self) -> JournalContents:
        """What must outlive this board."""
        return JournalContents(alerts=waiting_for_a_person(self._policy.active),
                               frame_id=self._frame_id)

    def apply(self, settings: AlertsConfig) -> None:
        """
        Take other severities, another profile, and another life of the journal.

        The rules file itself is read at configure. Raises ConfigurationError, with nothing
        changed, for a profile that it does not have and for thresholds that cannot be read.
        """
        self._policy.settings = make_policy_settings(settings, self._lanes, self._policy.rules)
        before, self._settings = self._settings, settings
        if settings.journal_s != before.journal_s:
            self._keeper.close()
            self._keeper = self._make_keeper()
            self._keeper.keep(self.journal_contents)

    def _make_keeper(self) -> AlertKeeper:
        node = self._node
        return AlertKeeper(
            place=lambda: journal_path(node.get_namespace(), node.context.get_domain_id()),
            lifetime_s=self._settings.journal_s)

    def close(self) -> None:
        """Finish the journal. Idempotent."""
        self._keeper.close()

    @property
    def rules(self) -> AlertRules:
        """What the rules file says."""
        return self._policy.rules

    def note_classes(self, names: Sequence[str]) -> None:
        """Learn which sounds the model tells apart."""
        self._policy.note_classes(names)

    def on_sound(self, event: SoundEvent, frame_id: str) -> None:
        """Take in that a sound began or ended."""
        self._frame_id = frame_id
        self._now_ns = max(self._now_ns or 0, event.stamp_ns)
        self._publish_changes(self._policy.on_sound(event))

    def on_reply(self, reply: ReplyFinished, frame_id: str) -> None:
        """Take in a finished reply."""
        self._frame_id = frame_id
        self._now_ns = max(self._now_ns or 0, reply.stamp_ns)
        self._publish_changes(self._policy.on_reply(reply))

    def on_answer(self, answer: FinalReply, frame_id: str) -> None:
        """Take in what was understood of words that were read."""
        self._frame_id = frame_id
        self._publish_changes(self._policy.on_answer(answer))

    def tick(self, now_ns: int) -> None:
        """Let audio time pass."""
        self._now_ns = now_ns
        self._publish_changes(self._policy.tick(now_ns))

    def report(self) -> StatusReport:
        """Say how many alerts are open."""
        report = StatusReport()
        alerts = self._policy.active
        waiting = [alert for alert in alerts if alert.state is AlertState.ACTIVE]
        report.values.update(active=len(alerts), unacknowledged=len(waiting),
                             **vars(self._policy.stats),
                             journal=self._keeper.path or 'off')
        for problem in (self._keeper.failure, self._keeper.lost):
            if problem:
                report.add(WARN, problem)
        if self._settings.rules and self._policy.classes:  # else nobody mistyped, or none is known
            for said in list_unheard(self.rules, self._policy.settings.sounds,
                                     self._policy.classes):
                report.add(WARN, f'{self._settings.rules}: {said}')
        if waiting:
            report.add(WARN, 'unacknowledged: ' + ', '.join(alert.label for alert in waiting))
        return report

    def _publish_changes(self, changes: Sequence[AlertChange]) -> None:
        self._history.note(changes, time.strftime('%Y-%m-%d %H:%M:%S %Z'))
        for change in changes:
            self._note_bearing(change)
            self._changes.publish(self._make_message(change.alert))
            if (change.kind in (ChangeKind.RAISED, ChangeKind.ESCALATED)
                    and change.alert.severity >= self._settings.event_min_severity):
                self._event.publish(Empty())
        if changes:
            self._publish_active()
            self._publish_hold()
            self._keeper.keep(
                self.journal_contents)  # last: whoever can act is told before a disk is

    def _make_message(self, alert: AlertRecord) -> Any:
        return alert_message(alert, frame_id=self._frame_id,
                             bearing=self._bearings.get(alert.id, math.nan))

    def _note_bearing(self, change: AlertChange) -> None:
        """
        Learn where an alert that was heard came from.

        A sighting of which it is not known leaves what was known.
        """
        alert = change.alert
        if change.kind in (ChangeKind.RAISED, ChangeKind.REPEATED, ChangeKind.ESCALATED):
            start_ns = max(alert.stamp_ns, alert.last_seen_ns - _BEARING_NS)
            bearing = self._directions.find_bearing(
                start_ns, max(alert.last_seen_ns, start_ns + _BEARING_NS), self._frame_id)
            if not math.isnan(bearing):
                self._bearings[alert.id] = bearing

    def _publish_active(self) -> None:
        alerts = self._policy.active
        self._bearings = {alert.id: self._bearings[alert.id] for alert in alerts
                          if alert.id in self._bearings}
        message = AlertArray(
            alerts=[self._make_message(alert) for alert in alerts],
            max_severity=max((int(alert.severity) for alert in alerts), default=0),
            any_unacknowledged=any(alert.state is AlertState.ACTIVE for alert in alerts))
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.header.frame_id = self._frame_id
        self._active.publish(message)

    def _publish_hold(self) -> None:
        held = self._policy.needs_hold(Severity(self._settings.hold_min_severity))
        # To a multiplexer silence means locked, and without a model nobody listens. That an
        # alert of earlier is open is known without one.
        if held or self._hearing():
            self._hold.publish(Bool(data=held))

    def _on_acknowledge(self, request: Any, response: Any) -> Any:
        changes = self._policy.acknowledge(
            request.id, _for_log(request.operator_name), self._now_ns)
        return self._answer_request(changes, ChangeKind.ACKNOWLEDGED, request, response)

    def _on_clear(self, request: Any, response: Any) -> Any:
        changes = self._policy.clear(
            request.id, self._now_ns, _for_log(request.operator_name))
        return self._answer_request(changes, ChangeKind.CLEARED, request, response)

    def _answer_request(self, changes: Sequence[AlertChange], kind: ChangeKind, request: Any,
                        response: Any) -> Any:
        self._publish_changes(changes)
        response.success, response.message = self._history.answer(
            kind, request.id, changes, self._policy.active)
        if any(change.kind is kind for change in changes):
            self._node.get_logger().info(
                f'{response.message} by {_for_log(request.operator_name) or "nobody named"}: '
                f'{_for_log(request.response)}')
        return response


def _for_log(text: str) -> str:
    """Return what a client sent as it may stand in the log."""
    return one_line(text, MOST_CHARACTERS)
