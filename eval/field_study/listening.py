"""
What the assistant makes of one recording of a study, with the times at which it told it.

Owns that record and keeps it on disk, by recording, configuration and model, so that a study that
was stopped goes on. Each chunk is worked off before the next one enters: times are those of the
audio, and what computing adds is for the day's report.
"""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.alerts.alert import AlertChange, Severity
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.replay.collect import EventCollector
from audio_interaction_ros.replay.heard import Heard
from audio_interaction_ros.stream.events import Event, ReplyStarted, Silence
from measure.kept_lines import KeptLines

__all__ = ['StudyHearing', 'StudyListener']

BLOCK = SAMPLE_RATE_HZ // 10


@dataclass
class StudyHearing:
    """What was heard of one recording."""

    seconds: float
    heard: list[Heard] = field(default_factory=list)
    told: list[tuple[float, Heard]] = field(default_factory=list)
    """Every message of what was heard, and when it came, in seconds of the audio."""
    decisions: list[tuple[float, bool]] = field(default_factory=list)
    """Of every lane and chunk: the chunk's end in seconds, and whether the lane responded."""

    def told_at(self, one: Heard) -> float:
        """Return when something that was heard was told first."""
        return min(when for when, other in self.told
                   if (other.kind, other.label) == (one.kind, one.label)
                   and other.end_s >= one.start_s - 1e-6
                   and (one.kind in ('alert', 'sound') or other.text == one.text))


class StudyListener:
    """An assistant for one recording after another, and the file of what it heard."""

    def __init__(self, make: Callable[[], Assistant], kinds: dict[str, str], *, cache: Path,
                 variant: str) -> None:
        """
        Take what makes assistants, the kinds of their lanes, and a file, which need not exist.

        ``variant`` is what decides what they hear: model and configuration.
        """
        self._make, self._kinds, self._variant = make, kinds, variant
        self._cache = KeptLines(cache, from_row=_from_row, to_row=asdict)

    def hear(self, samples: np.ndarray) -> StudyHearing:
        """Return what is heard of samples [n] float32 at 16 kHz, now or before."""
        key = hashlib.sha256(self._variant.encode() + samples.astype('<f4').tobytes()).hexdigest()
        return self._cache.find(key, lambda: self._hear(samples))

    def _hear(self, samples: np.ndarray) -> StudyHearing:
        assistant, hearing = self._make(), StudyHearing(seconds=len(samples) / SAMPLE_RATE_HZ)
        whole = self._collector(assistant)
        clock = _Clock(samples)
        for event in assistant.listen(clock.blocks()):
            whole.note(event)
            alone = self._collector(assistant)
            alone.note(event)
            hearing.told += [(clock.now_s, one) for one in alone.heard]
            hearing.decisions += _decisions(event)
        hearing.heard = whole.heard
        return hearing

    def _collector(self, assistant: Assistant) -> EventCollector:
        return EventCollector(kinds=self._kinds, read_again=assistant.read_again)


class _Clock:
    """Hands samples out and tells how far that is."""

    def __init__(self, samples: np.ndarray) -> None:
        self._samples = samples
        self.now_s = 0.0

    def blocks(self) -> Iterator[AudioBlock]:
        for at in range(0, len(self._samples), BLOCK):
            block = self._samples[at:at + BLOCK]
            self.now_s = (at + len(block)) / SAMPLE_RATE_HZ
            yield AudioBlock(samples=block, sample_rate_hz=SAMPLE_RATE_HZ,
                             stamp_ns=round(at * 1e9 / SAMPLE_RATE_HZ))


def _decisions(event: Event | AlertChange) -> list[tuple[float, bool]]:
    if isinstance(event, Silence | ReplyStarted):
        return [(event.stamp_ns / 1e9, isinstance(event, ReplyStarted))]
    return []


def _from_row(row: dict[str, Any]) -> StudyHearing:
    return StudyHearing(
        seconds=row['seconds'], heard=[_heard(one) for one in row['heard']],
        told=[(when, _heard(one)) for when, one in row['told']],
        decisions=[(at, responded) for at, responded in row['decisions']])


def _heard(row: dict[str, Any]) -> Heard:
    severity = row['severity']
    return Heard(**{**row, 'severity': None if severity is None else Severity(severity)})
