"""
What a decoder node says of itself: how near lanes came to answering, what was refused or failed.

Owns the counts, and for how long a fault is told. Knows neither session nor topics: the node hands
in what happened, and asks for the reports.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.nodes.decoding.decoder_task import Progress
from audio_interaction_ros.nodes.decoding.withheld_replies import WithheldReplies
from audio_interaction_ros.nodes.lifecycle.diagnostics import ERROR, StatusReport
from audio_interaction_ros.stream.events import (
    ContextRolled,
    Event,
    ReplyStarted,
    ReplyWithheld,
    Silence,
    StreamReset,
)

__all__ = ['DecoderHealth']

_SHOWN_DECISIONS = 75  # half a minute
_TOLD_S = 10.0
_SAME_S = 5.0
"""What is the same as so shortly before is not logged again."""


class DecoderHealth:
    """The counts and newest faults of one decoder node, as long as it lives."""

    def __init__(self, log: Any) -> None:
        """Take the logger of the node."""
        self._log = log
        self.refusals = self.replies = self._rolled = 0
        self._refusal, self._refused_at = '', float('-inf')
        self._faults: dict[str, tuple[str, float]] = {}  # of each lane, and when it came
        self.nearest: dict[str, deque[float]] = {}
        """Newest probabilities to respond of each lane."""
        self.thresholds: dict[str, float] = {}
        self.unsure: dict[str, WithheldReplies] = {}

    def forget_lanes(self) -> None:
        """Take it that there is another model."""
        self.unsure = {}

    def note_lanes(self, lanes: Sequence[LaneConfig]) -> None:
        """Learn what the lanes are set to."""
        self.thresholds = {lane.name: lane.threshold for lane in lanes}
        for lane in lanes:
            if lane.min_confidence > 0 or lane.name in self.unsure:
                self.unsure.setdefault(
                    lane.name,
                    WithheldReplies(lane.min_confidence)).min_confidence = lane.min_confidence

    def note_event(self, event: Event) -> None:
        """Count an event."""
        if isinstance(event, (Silence, ReplyStarted)):
            self.nearest.setdefault(event.lane, deque(maxlen=_SHOWN_DECISIONS)).append(
                event.p_respond)
        self.replies += isinstance(event, ReplyStarted) and not event.robot_speaking
        self._rolled += isinstance(event, ContextRolled)
        if isinstance(event, StreamReset):
            self._note_reset(event)
        if isinstance(event, ReplyWithheld):
            self.unsure[event.lane].note(event)

    def _note_reset(self, event: StreamReset) -> None:
        if not event.fault:
            self._log.info(f'lane {event.lane} starts anew')
            return
        now, fault = time.monotonic(), f'lane {event.lane} started anew after: {event.fault}'
        before, then = self._faults.get(event.lane, ('', now))
        if fault != before or now - then > _SAME_S:
            self._log.error(fault)
        self._faults[event.lane] = fault, now

    def note_refusal(self, reason: str) -> None:
        """Count a chunk that was refused, and log why."""
        self.refusals += 1
        now = time.monotonic()
        if reason != self._refusal or now - self._refused_at > _SAME_S:
            self._log.error(f'chunk refused: {reason}')
        self._refusal, self._refused_at = reason, now

    def report_input(self, report: StatusReport) -> None:
        """Say how near each lane came to answering."""
        report.values['replies'] = self.replies
        for name, lane in self.nearest.items():
            report.values[f'{name}.p_respond_max'] = max(lane, default=float('nan'))
            report.values[f'{name}.threshold'] = self.thresholds.get(name, float('nan'))
        for name, unsure in self.unsure.items():
            unsure.check(name, report)

    def report_decode(self, report: StatusReport, progress: Progress,
                      parts: Sequence[Callable[[StatusReport], object]]) -> None:
        """Say how far decoding has come, what the ``parts`` say, and what failed lately."""
        report.values.update(
            lag_s=progress.oldest_age_s, depth=progress.depth,
            context_rolled=self._rolled, **progress.counts)
        report.values['refused'] = self.refusals
        for part in parts:
            part(report)
        now = time.monotonic()
        for fault, at in self._faults.values():
            if now - at < _TOLD_S:
                report.add(ERROR, fault)
        if now - self._refused_at < _TOLD_S:
            report.add(ERROR, f'chunk refused: {self._refusal}')
