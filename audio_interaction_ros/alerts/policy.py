"""
From replies to alerts: debounce, merge, latch, cool down, expire.

Owns every open alert and the timers behind it. Time is audio time, in nanoseconds of message
stamps; there is no other clock, so a replay at any speed gives the same alerts. Knows no
topics: whoever publishes turns the returned changes into messages. Not thread-safe.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from audio_interaction_ros.alerts.alert import Alert, AlertChange, AlertState, ChangeKind, Severity
from audio_interaction_ros.alerts.monotonic_clock import MonotonicClock
from audio_interaction_ros.alerts.rules import AlertRules, LabelRule
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.stream.events import ReplyFinished

__all__ = ['AlertPolicy', 'AlertSettings', 'AlertStats']

_NS_PER_S = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class AlertSettings:
    """Which replies count, and how far a clock may step back."""

    lanes: tuple[str, ...] = ('assistant',)
    """Lanes whose replies may become alerts. A transcript of somebody saying "fire alarm" is
    no alert, so the transcript lane is not among them unless asked for."""
    while_speaking_min_severity: int = Severity.CRITICAL
    """What is heard while the robot itself speaks counts from this severity; 4: nothing does."""
    backwards_tolerance_s: float = 5.0
    """Stamps may step back by this much (lanes differ); more means a new time line."""


@dataclass(kw_only=True)
class AlertStats:
    """
    Counters of replies and sightings.

    Sightings = counted + debounced + cooled_down + while_speaking + those still pending.
    """

    replies: int = 0
    sightings: int = 0
    counted: int = 0
    """Merged into an alert: with ``counted_before`` the sum of ``count`` over all alerts."""
    debounced: int = 0
    cooled_down: int = 0
    while_speaking: int = 0
    """Left out: heard while the robot spoke, and not severe enough to be believed then."""
    raised: int = 0
    restored: int = 0
    """Alerts that were open before this policy began."""
    counted_before: int = 0
    """Sightings that these had at that time."""


@dataclass(kw_only=True)
class _Track:
    """Everything remembered of one label; times are those of the time line."""

    alert: Alert | None = None
    pending: deque[int] = field(default_factory=deque)
    seen_ns: int | None = None
    """Newest sighting, debounced ones included."""
    renewed_ns: int = 0
    """Newest counted sighting or acknowledgement: expiry counts from here."""
    cooled_until_ns: int | None = None


class AlertPolicy:
    """Turns replies into alerts, at most one open alert per label."""

    def __init__(self, rules: AlertRules, settings: AlertSettings | None = None) -> None:
        self._rules = rules
        self.settings = settings or AlertSettings()
        """May be replaced at any time, but for the tolerance."""
        self._line = MonotonicClock(
            tolerance_ns=round(self.settings.backwards_tolerance_s * _NS_PER_S))
        self._tracks: dict[str, _Track] = {}
        self._raised = 0
        self._restored_ids: set[str] = set()
        self.stats = AlertStats()

    def restore(self, alerts: Iterable[Alert]) -> None:
        """
        Take in alerts that were open before this policy began; nothing is raised by it.

        They stay as they were, also those whose label the rules no longer know. A label that has
        an open alert keeps it. Expiry counts from the first stamp on.
        """
        for alert in alerts:
            track = self._tracks.setdefault(alert.label, _Track())
            if alert.state.open and track.alert is None:
                track.alert, track.renewed_ns = alert, self._line.now_ns
                self._restored_ids.add(alert.id)
                self.stats.restored += 1
                self.stats.counted_before += alert.count

    @property
    def active(self) -> list[Alert]:
        """Open alerts (active and acknowledged), the most severe first, then the oldest."""
        alerts = [track.alert for track in self._tracks.values() if track.alert is not None]
        return sorted(alerts, key=lambda alert: (-alert.severity, alert.stamp_ns, alert.id))

    @property
    def pending(self) -> int:
        """Sightings that wait for enough repeats to become an alert."""
        return sum(len(track.pending) for track in self._tracks.values())

    def needs_hold(self, min_severity: Severity) -> bool:
        """Tell whether an unacknowledged alert of at least this severity is open."""
        return any(alert.state is AlertState.ACTIVE and alert.severity >= min_severity
                   for alert in self.active)

    def on_reply(self, reply: ReplyFinished) -> list[AlertChange]:
        """Take a finished reply in; return what changed, expired alerts first."""
        changes = self.tick(reply.stamp_ns)
        if reply.lane not in self.settings.lanes:
            return changes
        self.stats.replies += 1
        urgent = reply.emotion is Emotion.URGENT
        for rule in self._rules.match(reply.text) or ((self._rules.urgent,) if urgent else ()):
            severity = max(rule.severity, self._rules.urgent.severity) if urgent \
                else rule.severity
            if (reply.robot_speaking
                    and severity < self.settings.while_speaking_min_severity):
                self.stats.sightings += 1
                self.stats.while_speaking += 1
                continue
            changes.extend(self._count_sighting(rule, severity, reply))
        return changes

    def tick(self, now_ns: int) -> list[AlertChange]:
        """Let audio time pass; return the alerts that expired."""
        now = self._line.advance(now_ns)
        changes = []
        for label, track in self._tracks.items():
            self._forget_pending(label, track, now)
            alert = track.alert
            if alert is None or now - track.renewed_ns < alert.ttl_ns:
                continue
            if alert.requires_ack and alert.state is AlertState.ACTIVE:
                continue  # latched: only a person ends it
            changes.append(self._end(track, AlertState.EXPIRED, ChangeKind.EXPIRED, ''))
        return changes

    def acknowledge(self, alert_id: str, operator: str,
                    now_ns: int | None) -> list[AlertChange]:
        """
        Acknowledge one open alert, or all of them when the id is empty.

        ``now_ns`` is None while no audio has come: no time passes then. Returns what changed:
        expiries that were due, then the acknowledged. An unknown or already acknowledged id
        changes nothing.
        """
        changes = [] if now_ns is None else self.tick(now_ns)
        for track in self._select_tracks(alert_id):
            alert = track.alert
            if alert is None or alert.state is not AlertState.ACTIVE:
                continue
            track.alert = replace(alert, state=AlertState.ACKNOWLEDGED)
            track.renewed_ns = self._line.now_ns
            changes.append(AlertChange(alert=track.alert, kind=ChangeKind.ACKNOWLEDGED,
                                       previous=alert.state, operator=operator))
        return changes

    def clear(self, alert_id: str, now_ns: int | None,
              operator: str = '') -> list[AlertChange]:
        """End one open alert, or all of them when the id is empty; return what changed."""
        changes = [] if now_ns is None else self.tick(now_ns)
        for track in self._select_tracks(alert_id):
            track.seen_ns = self._line.now_ns
            changes.append(self._end(track, AlertState.CLEARED, ChangeKind.CLEARED, operator))
        return changes

    def _select_tracks(self, alert_id: str) -> list[_Track]:
        return [track for track in self._tracks.values() if track.alert is not None
                and alert_id in ('', track.alert.id)]

    def _count_sighting(self, rule: LabelRule, severity: Severity,
                        reply: ReplyFinished) -> list[AlertChange]:
        """Count one sighting of a label: debounced, cooled down, pending, merged or raised."""
        track = self._tracks.setdefault(rule.label, _Track())
        now, timing = self._line.now_ns, rule.timing
        self.stats.sightings += 1
        before, track.seen_ns = track.seen_ns, now
        escalates = track.alert is not None and severity > track.alert.severity
        if (before is not None and now - before < timing.min_interval_s * _NS_PER_S
                and track.cooled_until_ns is None and not escalates):
            track.seen_ns = before  # or a steady stream of bounces would never count again
            self.stats.debounced += 1
            return []
        if track.alert is not None:
            return [self._merge(track, severity, reply)]
        if track.cooled_until_ns is not None and now < track.cooled_until_ns:
            self.stats.cooled_down += 1
            return []
        track.cooled_until_ns = None
        track.pending.append(now)
        if len(track.pending) < timing.min_repeats:
            return []
        return [self._raise_alert(track, rule, severity, reply)]

    def _raise_alert(self, track: _Track, rule: LabelRule, severity: Severity,
                     reply: ReplyFinished) -> AlertChange:
        self.stats.raised += 1
        self.stats.counted += len(track.pending)
        track.alert = Alert(
            id=self._new_id(rule.label, reply.start_ns), label=rule.label,
            category=rule.category, severity=severity, state=AlertState.ACTIVE,
            message=reply.text, confidence=reply.p_respond, count=len(track.pending),
            stamp_ns=reply.start_ns, last_seen_ns=reply.end_ns,
            ttl_ns=round(rule.timing.ttl_s * _NS_PER_S),
            requires_ack=rule.requires_ack)
        track.pending.clear()
        track.renewed_ns = self._line.now_ns
        return AlertChange(alert=track.alert, kind=ChangeKind.RAISED, previous=None)

    def _new_id(self, label: str, start_ns: int) -> str:
        while True:  # a recording that begins again has the stamps of the alerts it raised before
            self._raised += 1
            alert_id = f'{label}-{start_ns // _NS_PER_S}-{self._raised}'
            if alert_id not in self._restored_ids:
                return alert_id

    def _merge(self, track: _Track, severity: Severity, reply: ReplyFinished) -> AlertChange:
        alert = track.alert
        assert alert is not None, 'only an open alert can be merged into'
        self.stats.counted += 1
        track.renewed_ns = self._line.now_ns
        escalates = severity > alert.severity
        track.alert = replace(
            alert, count=alert.count + 1, message=reply.text,
            severity=max(severity, alert.severity),
            state=AlertState.ACTIVE if escalates else alert.state,
            confidence=max(alert.confidence, reply.p_respond), last_seen_ns=reply.end_ns)
        kind = ChangeKind.ESCALATED if escalates else ChangeKind.REPEATED
        return AlertChange(alert=track.alert, kind=kind, previous=alert.state)

    def _end(self, track: _Track, state: AlertState, kind: ChangeKind,
             operator: str) -> AlertChange:
        alert = track.alert
        assert alert is not None, 'only an open alert can end'
        ended = replace(alert, state=state)
        rule = self._rules.labels.get(alert.label, self._rules.urgent)
        seen = track.renewed_ns if track.seen_ns is None else track.seen_ns
        track.cooled_until_ns = seen + round(rule.timing.cooldown_s * _NS_PER_S)
        track.alert = None
        return AlertChange(alert=ended, kind=kind, previous=alert.state, operator=operator)

    def _forget_pending(self, label: str, track: _Track, now: int) -> None:
        rule = self._rules.labels.get(label, self._rules.urgent)
        window = rule.timing.repeat_window_s * _NS_PER_S
        while track.pending and now - track.pending[0] > window:
            track.pending.popleft()
            self.stats.debounced += 1
