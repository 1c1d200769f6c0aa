"""
From sounds, words and replies to alerts: debounce, merge, latch, cool down, expire.

Owns which sightings count and the account of them; what one does to the alert of its label is the
matter of ``track``. Time is audio time, in nanoseconds of message stamps; there is no other clock,
so a replay at any speed gives the same alerts. Knows no topics: whoever publishes turns the
returned changes into messages. Not thread-safe.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from audio_interaction_ros.alerts.alert import Alert, AlertChange, AlertState, Severity
from audio_interaction_ros.alerts.label_rule import LabelRule
from audio_interaction_ros.alerts.monotonic_clock import MonotonicClock
from audio_interaction_ros.alerts.rules import AlertRules
from audio_interaction_ros.alerts.settings import AlertSettings, AlertStats
from audio_interaction_ros.alerts.sighting import Sighting
from audio_interaction_ros.alerts.track import Track
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.stream.events import FinalReply, ReplyFinished, SoundEnded, SoundStarted

__all__ = ['AlertPolicy']

_NS_PER_S = 1_000_000_000


class AlertPolicy:
    """Turns sounds, words and replies into alerts, at most one open alert per label."""

    def __init__(self, rules: AlertRules, settings: AlertSettings | None = None) -> None:
        self.rules = rules
        """Which sounds and words mean what."""
        self.settings = settings or AlertSettings()
        """May be replaced at any time, but for the tolerance."""
        self._line = MonotonicClock(
            tolerance_ns=round(self.settings.backwards_tolerance_s * _NS_PER_S))
        self._tracks: dict[str, Track] = {}
        self.classes: frozenset[str] = frozenset()
        """Sounds that the model tells apart; none before ``note_classes``."""
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
            track = self._tracks.setdefault(alert.label, Track())
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

    def note_classes(self, names: Sequence[str]) -> None:
        """Learn which classes of sounds the model tells apart; none before this is called."""
        if len(names) != len(self.classes) or not self.classes.issuperset(names):
            self.classes = frozenset(names)

    def on_reply(self, reply: ReplyFinished) -> list[AlertChange]:
        """Take a finished reply in; return what changed, expired alerts first."""
        changes = self.tick(reply.stamp_ns)
        if reply.lane not in self.settings.lanes:
            return changes
        self.stats.replies += 1
        urgent = reply.emotion is Emotion.URGENT and not self.rules.denies(reply.text)
        for rule in self.rules.match(reply.text) or ((self.rules.urgent,) if urgent else ()):
            if self._is_left_to_sounds(rule):
                self.stats.left_to_sounds += 1
                continue
            severity = max(rule.severity, self.rules.urgent.severity) if urgent else rule.severity
            if not self._is_drowned(reply.robot_speaking, severity):
                changes.extend(self._count_sighting(rule, Sighting.of_reply(reply, severity)))
        return changes

    def on_sound(self, event: SoundStarted | SoundEnded) -> list[AlertChange]:
        """
        Take in that a sound began or ended; return what changed, expired alerts first.

        An alert does not expire while a sound of its label goes on, and is as severe as its label.
        """
        changes = self.tick(event.stamp_ns)
        rule = self.rules.of_sound.get(event.sound)
        if rule is None:
            return changes
        if isinstance(event, SoundEnded):
            if rule.label in self._tracks:
                self._tracks[rule.label].end_sound(event, self._line.now_ns)
            return changes
        self.stats.sounds += 1
        if self.settings.evidence == 'model' or self._is_drowned(event.robot_speaking,
                                                                 rule.severity):
            return changes
        changes.extend(self._count_sound(rule, event))
        self._tracks[rule.label].sounding[event.sound] = event
        return changes

    def on_answer(self, answer: FinalReply) -> list[AlertChange]:
        """
        Take in an answer to words that were read; return what changed.

        Its intent counts, whatever ``evidence`` says: a label lists it or does not. No time passes
        by it, for words are read after they were said.
        """
        rule = self.rules.of_intent.get(answer.intent)
        if rule is None:
            return []
        self.stats.intents += 1
        return self._count_sighting(
            rule, Sighting.of_words(answer, rule, self.settings.language))

    def _is_left_to_sounds(self, rule: LabelRule) -> bool:
        """Tell whether replies do not count for a label."""
        if self.settings.evidence != 'both':
            return self.settings.evidence == 'sounds'
        return any(sound in self.settings.sounds and sound in self.classes
                   for sound in rule.sounds)

    def _is_drowned(self, robot_speaking: bool, severity: Severity) -> bool:
        """Tell whether, and count that, something is not believed beside the robot's voice."""
        drowned = robot_speaking and severity < self.settings.while_speaking_min_severity
        self.stats.sightings += drowned
        self.stats.while_speaking += drowned
        return drowned

    def _count_sound(self, rule: LabelRule, heard: SoundStarted) -> list[AlertChange]:
        return self._count_sighting(rule, self._sight(rule, heard))

    def _sight(self, rule: LabelRule, heard: SoundStarted) -> Sighting:
        return Sighting.of_sound(heard, rule, self.settings.language)

    def tick(self, now_ns: int) -> list[AlertChange]:
        """
        Let audio time pass; return the alerts that expired.

        And those that are raised again: cleared, and their sound has outlasted the cooling down.
        """
        now = self._line.advance(now_ns)
        changes = []
        for label, track in self._tracks.items():
            window_ns = self._rule_of(label).timing.repeat_window_s * _NS_PER_S
            self.stats.debounced += track.forget_pending(now, window_ns)
            if track.sounding:
                changes.extend(self._hear_on(label, track, now_ns))
            elif track.is_over(now):
                changes.append(track.expire(self._cooldown_ns(track)))
        return changes

    def _hear_on(self, label: str, track: Track, stamp_ns: int) -> list[AlertChange]:
        """
        Keep alive what still sounds; raise it again where its alert ended meanwhile.

        What sounds through the time in which it should repeat need not fall silent to be raised.
        """
        now, rule = self._line.now_ns, self._rule_of(label)
        if track.alert is not None:
            track.hear_on(now, stamp_ns)
            return []
        if self.settings.evidence == 'model':
            return []
        heard = replace(next(iter(track.sounding.values())), stamp_ns=stamp_ns)
        if track.has_cooled(now) or track.covered and not self._is_covered(label):
            return self._count_sound(rule, heard)
        window_ns = rule.timing.repeat_window_s * _NS_PER_S
        if track.sounds_through(now, window_ns) and not self._is_covered(label):
            return [self._raise(rule, track, self._sight(rule, heard))]
        return []

    def _is_covered(self, label: str) -> bool:
        """Tell whether an open alert of another label, heard lately, stands for this one."""
        return any(other in self._tracks and self._tracks[other].stands_for_others(
                       self._line.now_ns, seconds * _NS_PER_S)
                   for other, seconds in self.rules.covering.get(label, {}).items())

    def _rule_of(self, label: str) -> LabelRule:
        """Return the rule of a label, also of an alert from before that the rules do not know."""
        return self.rules.labels.get(label, self.rules.urgent)

    def _cooldown_ns(self, track: Track) -> int:
        assert track.alert is not None, 'only an open alert can end'
        return round(self._rule_of(track.alert.label).timing.cooldown_s * _NS_PER_S)

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
            change = track.acknowledge(operator, self._line.now_ns)
            if change is not None:
                changes.append(change)
        return changes

    def clear(self, alert_id: str, now_ns: int | None,
              operator: str = '') -> list[AlertChange]:
        """End one open alert, or all of them when the id is empty; return what changed."""
        changes = [] if now_ns is None else self.tick(now_ns)
        for track in self._select_tracks(alert_id):
            changes.append(track.clear(operator, self._line.now_ns, self._cooldown_ns(track)))
        return changes

    def _select_tracks(self, alert_id: str) -> list[Track]:
        return [track for track in self._tracks.values() if track.alert is not None
                and alert_id in ('', track.alert.id)]

    def _count_sighting(self, rule: LabelRule, sighting: Sighting) -> list[AlertChange]:
        """Count one sighting: covered, debounced, cooled down, pending, merged or raised."""
        track = self._tracks.setdefault(rule.label, Track())
        now, timing = self._line.now_ns, rule.timing
        self.stats.sightings += 1
        track.covered = track.alert is None and self._is_covered(rule.label)
        if track.covered:
            self.stats.covered += 1
            return []
        if track.bounces(sighting, now, timing.min_interval_s * _NS_PER_S):
            self.stats.debounced += 1
            return []
        if track.alert is not None:
            self.stats.counted += 1
            return [track.merge(sighting, now)]
        if track.is_cooling(now):
            self.stats.cooled_down += 1
            return []
        track.cooled_until_ns = None
        track.pending.append(now)
        if len(track.pending) < timing.min_repeats:
            return []
        return [self._raise(rule, track, sighting)]

    def _raise(self, rule: LabelRule, track: Track, sighting: Sighting) -> AlertChange:
        """Open an alert of the sightings that wait."""
        self.stats.raised += 1
        self.stats.counted += len(track.pending)
        return track.raise_alert(self._new_id(rule.label, sighting.start_ns), rule, sighting,
                                 self._line.now_ns)

    def _new_id(self, label: str, start_ns: int) -> str:
        while True:  # a recording that begins again has the stamps of the alerts it raised before
            self._raised += 1
            alert_id = f'{label}-{start_ns // _NS_PER_S}-{self._raised}'
            if alert_id not in self._restored_ids:
                return alert_id
