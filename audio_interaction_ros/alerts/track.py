"""
One label's share of the policy: its open alert, and what was seen of it lately.

Owns what a sighting, the end of a sound, an acknowledgement and time do to them. Which sightings
count, and how they are counted, is the matter of ``policy``. Times are nanoseconds of its time
line, but for those of an alert, which are stamps.
"""

from collections import deque
from dataclasses import dataclass, field, replace

from audio_interaction_ros.alerts.alert import Alert, AlertChange, AlertState, ChangeKind
from audio_interaction_ros.alerts.label_rule import LabelRule
from audio_interaction_ros.alerts.sighting import Sighting, note_end
from audio_interaction_ros.stream.events import SoundEnded, SoundStarted

__all__ = ['Track']


@dataclass(kw_only=True)
class Track:
    """Everything remembered of one label."""

    alert: Alert | None = None
    pending: deque[int] = field(default_factory=deque)
    """Sightings that wait for enough repeats to become an alert."""
    seen_ns: int | None = None
    """Newest sighting, debounced ones included."""
    renewed_ns: int = 0
    """Newest counted sighting or acknowledgement: expiry counts from here."""
    cooled_until_ns: int | None = None
    sounding: dict[str, SoundStarted] = field(default_factory=dict)
    """Sounds of the label that began, counted, and go on."""
    ended_ns: int = 0
    """When the newest of them ended."""
    covered: bool = False
    """The newest sighting was left out, for an alert of another label stands for it."""

    def stands_for_others(self, now_ns: int, lasting_ns: float) -> bool:
        """Tell whether an alert is open and was heard within so long."""
        return self.alert is not None and (
            bool(self.sounding) or now_ns - max(self.seen_ns or 0, self.ended_ns) <= lasting_ns)

    def bounces(self, sighting: Sighting, now_ns: int, min_interval_ns: float) -> bool:
        """Take a sighting in; True where it comes too soon after the one before to count."""
        escalates = self.alert is not None and sighting.severity > self.alert.severity
        if (self.seen_ns is not None and now_ns - self.seen_ns < min_interval_ns
                and self.cooled_until_ns is None and not escalates):
            return True  # what was seen stays, or a steady stream of them would never count again
        self.seen_ns = now_ns
        return False

    def is_cooling(self, now_ns: int) -> bool:
        """Tell whether an alert ended so lately that no other one is raised."""
        return self.cooled_until_ns is not None and now_ns < self.cooled_until_ns

    def has_cooled(self, now_ns: int) -> bool:
        """Tell whether an alert ended, and another one may be raised again."""
        return self.cooled_until_ns is not None and now_ns >= self.cooled_until_ns

    def forget_pending(self, now_ns: int, window_ns: float) -> int:
        """Drop sightings that waited too long for repeats, and are over; return how many."""
        before = len(self.pending)
        while len(self.pending) > bool(self.sounding) and now_ns - self.pending[0] > window_ns:
            self.pending.popleft()
        return before - len(self.pending)

    def sounds_through(self, now_ns: int, window_ns: float) -> bool:
        """Tell whether the newest sighting waits for repeats and has sounded ever since."""
        return (bool(self.sounding and self.pending)
                and now_ns - self.pending[-1] >= window_ns)

    def raise_alert(self, alert_id: str, rule: LabelRule, sighting: Sighting,
                    now_ns: int) -> AlertChange:
        """Open an alert of all sightings that wait, of which this is the last."""
        self.alert = sighting.open_alert(alert_id, rule, count=len(self.pending))
        self.pending.clear()
        self.renewed_ns = now_ns
        return AlertChange(alert=self.alert, kind=ChangeKind.RAISED, previous=None)

    def merge(self, sighting: Sighting, now_ns: int) -> AlertChange:
        """Take a sighting into the open alert."""
        before = self.alert
        assert before is not None, 'only an open alert can be merged into'
        self.renewed_ns = now_ns
        self.alert = sighting.merge_into(before)
        kind = (ChangeKind.ESCALATED if self.alert.severity > before.severity
                else ChangeKind.REPEATED)
        return AlertChange(alert=self.alert, kind=kind, previous=before.state)

    def hear_on(self, now_ns: int, stamp_ns: int) -> None:
        """Keep the open alert alive, for a sound of it goes on at a stamp."""
        assert self.alert is not None, 'only an open alert can live on'
        self.renewed_ns = now_ns
        self.alert = replace(self.alert, last_seen_ns=max(self.alert.last_seen_ns, stamp_ns))

    def end_sound(self, ended: SoundEnded, now_ns: int) -> None:
        """Let time of expiry and of cooling down count from the end of a sound."""
        if self.sounding.pop(ended.sound, None) is None:
            return
        self.renewed_ns = self.ended_ns = now_ns
        if self.alert is not None:
            self.alert = note_end(self.alert, ended)

    def acknowledge(self, operator: str, now_ns: int) -> AlertChange | None:
        """Take it that a person has seen the alert; None where that is known."""
        before = self.alert
        if before is None or before.state is not AlertState.ACTIVE:
            return None
        self.alert = replace(before, state=AlertState.ACKNOWLEDGED)
        self.renewed_ns = now_ns
        return AlertChange(alert=self.alert, kind=ChangeKind.ACKNOWLEDGED, previous=before.state,
                           operator=operator)

    def is_over(self, now_ns: int) -> bool:
        """Tell whether the open alert was not heard for its time; a latched one waits on."""
        alert = self.alert
        if alert is None or now_ns - self.renewed_ns < alert.ttl_ns:
            return False
        return not (alert.requires_ack and alert.state is AlertState.ACTIVE)

    def expire(self, cooldown_ns: int) -> AlertChange:
        """End the open alert, for it was heard no more."""
        return self._end(AlertState.EXPIRED, ChangeKind.EXPIRED, '', cooldown_ns)

    def clear(self, operator: str, now_ns: int, cooldown_ns: int) -> AlertChange:
        """End the open alert, for a person says so."""
        self.seen_ns = now_ns
        return self._end(AlertState.CLEARED, ChangeKind.CLEARED, operator, cooldown_ns)

    def _end(self, state: AlertState, kind: ChangeKind, operator: str,
             cooldown_ns: int) -> AlertChange:
        before = self.alert
        assert before is not None, 'only an open alert can end'
        seen_ns = self.renewed_ns if self.seen_ns is None else self.seen_ns
        self.cooled_until_ns = max(seen_ns, self.ended_ns) + cooldown_ns
        self.alert = None
        return AlertChange(alert=replace(before, state=state), kind=kind, previous=before.state,
                           operator=operator)
