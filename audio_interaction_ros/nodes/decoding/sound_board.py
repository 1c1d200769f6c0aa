"""
What is heard, as topics and diagnostics: sounds that begin and end, the likeliest of each chunk.

Owns the publishers and what is remembered of the newest half minute. When a sound begins is the
detector's matter, what alert comes of it the policy's.
"""

from collections import Counter, deque
from collections.abc import Collection, Mapping

from audio_interaction_msgs.msg import SoundEvent as SoundEventMessage
from audio_interaction_msgs.msg import SoundScores as SoundScoresMessage
from audio_interaction_ros.config import AlertsConfig, SoundsConfig
from audio_interaction_ros.nodes.decoding.direction_input import DirectionInput
from audio_interaction_ros.nodes.io.sound_messages import sound_event_message, sound_scores_message
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import WARN, StatusReport
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.events import SoundEnded, SoundStarted
from audio_interaction_ros.stream.sound_events import SoundEvent, SoundRule, list_likeliest

__all__ = ['SoundBoard']

_SHOWN = 5
_SHOWN_CHUNKS = 3
"""So many of the newest chunks are told in diagnostics, which come once a second."""
_REMEMBERED_CHUNKS = 75  # half a minute


class SoundBoard:
    """The sound topics of one decoder node."""

    def __init__(self, *, node: ManagedNode, alerts: AlertsConfig, sounds: SoundsConfig,
                 rules: Mapping[str, SoundRule], directions: DirectionInput) -> None:
        """Create the publishers; ``rules`` are those of the detector."""
        self._directions = directions
        self._events = node.managed_publisher(SoundEventMessage, 'sounds', qos.EVENTS)
        self._scores = node.managed_publisher(SoundScoresMessage, 'sounds/scores', qos.DECISIONS)
        self._counts: Counter[str] = Counter()
        self._on: dict[str, tuple[SoundStarted, str]] = {}  # beside each its microphone
        self._newest: deque[EncodedChunk] = deque(maxlen=_SHOWN_CHUNKS)
        self._below: deque[dict[str, tuple[float, float]]] = deque(maxlen=_REMEMBERED_CHUNKS)
        self.apply(alerts, sounds, rules)

    def apply(self, alerts: AlertsConfig, sounds: SoundsConfig,
              rules: Mapping[str, SoundRule]) -> None:
        """Take other settings; ``rules`` are those of the detector from now on."""
        self._settings, self._top, self._rules = alerts, sounds.top, rules
        self._below.clear()

    def on_chunk(self, chunk: EncodedChunk, thresholds: Mapping[str, float],
                 frame_id: str) -> None:
        """Publish what a chunk sounds like, beside what each sound had to score in it."""
        self._newest.append(chunk)
        scores = dict(zip(chunk.sounds.names, chunk.sounds.scores.tolist(), strict=True))
        self._below.append({name: (scores[name], threshold)
                            for name, threshold in thresholds.items()
                            if name in scores and name not in self._on})
        if self._top and scores:
            self._scores.publish(sound_scores_message(
                chunk, frame_id=frame_id, top=self._top, thresholds=thresholds))

    def on_event(self, event: SoundEvent, frame_id: str) -> None:
        """Publish that a sound began or ended."""
        if isinstance(event, SoundStarted):
            self._counts[event.sound] += 1
            self._on[event.sound] = event, frame_id
            for scores in self._below:
                scores.pop(event.sound, None)
        elif self._on.pop(event.sound, None) is None:  # told by whoever gave up
            return
        ended_ns = event.stamp_ns if isinstance(event, SoundStarted) else event.offset_ns
        self._events.publish(sound_event_message(
            event, frame_id=frame_id,
            bearing=self._directions.find_bearing(event.onset_ns, ended_ns, frame_id)))

    @property
    def on(self) -> Collection[str]:
        """The sounds that go on."""
        return self._on.keys()

    def list_ends(self) -> list[tuple[SoundEnded, str]]:
        """Return the end of each sound that goes on, where hearing ended, and its microphone."""
        heard_ns = self._newest[-1].end_ns if self._newest else 0
        return [(SoundEnded(
            lane=event.lane, stamp_ns=heard_ns, epoch=event.epoch, seq=event.seq,
            sound=event.sound, score=event.score, threshold=event.threshold,
            onset_ns=event.onset_ns, offset_ns=heard_ns), frame_id)
            for event, frame_id in self._on.values()]

    def report(self) -> StatusReport:
        """Say what is heard, how loud, and which threshold was nearly reached."""
        report = StatusReport()
        report.values.update(profile=self._settings.profile or 'default',
                             evidence=self._settings.evidence, listened_for=len(self._rules),
                             events=self._counts.total(),
                             heard=', '.join(f'{name} {count}' for name, count
                                             in sorted(self._counts.items())),
                             on=', '.join(self._on), **self._describe_newest())
        report.values['nearest'] = self._describe_nearest()
        if self._newest:
            self._check_classes(frozenset(self._newest[-1].sounds.names), report)
        return report

    def _describe_newest(self) -> dict[str, object]:
        """Return the likeliest sounds of the last second, and how loud it was."""
        loudest = max((chunk.rms_dbfs for chunk in self._newest), default=float('nan'))
        best: dict[str, float] = {}
        for chunk in self._newest:
            for name, score in list_likeliest(chunk.sounds, len(chunk.sounds.names)):
                best[name] = max(score, best.get(name, 0.0))
        likeliest = sorted(best.items(), key=lambda item: -item[1])[:_SHOWN]
        return {'rms_dbfs': loudest,
                **{f'top_{place}': f'{name} {score:.2f}'
                   for place, (name, score) in enumerate(likeliest, 1)}}

    def _describe_nearest(self) -> str:
        """Return which sound came nearest to its threshold in half a minute and did not begin."""
        near = max(((score / threshold, name, score, threshold) for told in self._below
                    for name, (score, threshold) in told.items()), default=None)
        return f'{near[1]} {near[2]:.2f} of {near[3]:.2f}' if near else ''

    def _check_classes(self, told_apart: frozenset[str], report: StatusReport) -> None:
        report.values['classes'] = len(told_apart)
        if not told_apart:
            if self._settings.evidence == 'sounds':
                report.add(WARN, 'no alert can be raised: the model tells no sounds apart; set '
                                 'alerts.evidence to both, or take another model')
            return
        missing = sorted(set(self._rules) - told_apart)
        if missing:
            report.add(WARN, 'thresholds are given for sounds that the model does not tell '
                             f'apart: {", ".join(missing)}')
