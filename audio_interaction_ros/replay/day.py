"""
What was heard over a long time, hour by hour: the numbers of a report.

Owns how recordings become one time line, and what of an hour counts. Draws and prints nothing.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.intents.words import tokenise
from audio_interaction_ros.replay.heard import Heard, in_order

__all__ = ['Day', 'Hour', 'join_days', 'settle']

_NS = 1_000_000_000
_HOUR_S, _MINUTE_S = 3600, 60
_REAL_NS = 365 * 86_400 * _NS
"""Stamps later than a year after 1970 are taken for times of day."""
_LONGEST_S = 366 * 86_400
"""More than this lies between two stamps only where a clock was set between them."""


@dataclass(frozen=True, kw_only=True)
class Hour:
    """One hour of it."""

    begin_s: float
    listened_s: float
    loudest_dbfs: float
    """NaN where no level is known."""
    words: int
    sounds: int
    alerts: int
    replies: int

    @property
    def is_quiet(self) -> bool:
        """True where somebody listened and there was nothing to tell."""
        return self.listened_s > 0 and not (self.words or self.sounds or self.alerts)


@dataclass(frozen=True, kw_only=True)
class Day:
    """Everything that is told of a long recording; times are seconds since it began."""

    name: str
    begin_ns: int = 0
    """When it began, since 1970; 0: not known."""
    seconds: float
    heard: tuple[Heard, ...]
    listened: Mapping[int, float] = field(default_factory=dict)
    """Seconds of audio that were decided on, by minute."""
    loudness: Mapping[int, float] = field(default_factory=dict)
    """Loudest dBFS, by minute."""
    latencies_s: tuple[float, ...] = ()
    """From the end of a chunk's audio to its decision; none where nobody measured it."""
    drops: Mapping[str, int] = field(default_factory=dict)
    """What was lost, by its name in the diagnostics; empty where nothing tells."""

    @property
    def has_time_of_day(self) -> bool:
        """True where it is known when the recording was made."""
        return self.begin_ns > _REAL_NS

    @property
    def hours(self) -> list[Hour]:
        """The hours from its beginning, quiet ones too."""
        return [self._make_hour(index) for index in range(
            max(1, int(np.ceil(self.seconds / _HOUR_S))))]

    def _make_hour(self, index: int) -> Hour:
        mine = [one for one in self.heard if int(one.start_s // _HOUR_S) == index]
        minutes = range(index * 60, index * 60 + 60)
        kinds = Counter(one.kind for one in mine)
        return Hour(
            begin_s=float(index * _HOUR_S),
            listened_s=sum(self.listened.get(minute, 0.0) for minute in minutes),
            loudest_dbfs=max((self.loudness[minute] for minute in minutes
                              if minute in self.loudness), default=float('nan')),
            words=sum(len(tokenise(one.text)) for one in mine if one.kind == 'transcript'),
            sounds=kinds['sound'], alerts=kinds['alert'], replies=kinds['reply'])

    def latency(self, percent: float) -> float | None:
        """Return a percentile of the latencies in seconds; None where there are none."""
        return float(np.percentile(self.latencies_s, percent)) if self.latencies_s else None

    def to_json(self) -> dict[str, Any]:
        """Return all of it as plain values."""
        return {
            'name': self.name, 'begin_ns': self.begin_ns, 'seconds': round(self.seconds, 3),
            'listened_s': round(sum(self.listened.values()), 1),
            'hours': [{**vars(hour), 'quiet': hour.is_quiet, 'loudest_dbfs': (
                None if np.isnan(hour.loudest_dbfs) else round(hour.loudest_dbfs, 1))}
                for hour in self.hours],
            'latency_s': {f'p{percent}': self.latency(percent) for percent in (50, 95, 100)},
            'drops': dict(self.drops),
            'heard': [{**vars(one), 'slots': dict(one.slots), 'severity': (
                None if one.severity is None else one.severity.name)} for one in self.heard]}


def settle(day: Day) -> Day:
    """
    Return a recording in which nothing lies before its beginning or after its end.

    A clock that was set back puts what followed before the first audio, and hours would not have
    it. AudioFormatError where it was set by years, as on a robot without a battery for it.
    """
    first_s = min([0.0, *(one.start_s for one in day.heard),
                   *(60.0 * minute for minute in (*day.listened, *day.loudness))])
    last_s = max([day.seconds, *(one.end_s for one in day.heard)])
    if last_s - first_s > _LONGEST_S:
        raise AudioFormatError(
            f'{day.name}: expected a recording of a year at most, its stamps lie '
            f'{(last_s - first_s) / 86_400:.0f} days apart: the clock was set on the way; cut it '
            'there, and report each part')
    later_s = -_MINUTE_S * (first_s // _MINUTE_S)
    begin_ns = day.begin_ns - round(later_s) * _NS if day.has_time_of_day else day.begin_ns
    return replace(_move(day, later_s), seconds=last_s + later_s, begin_ns=begin_ns)


def join_days(name: str, days: Sequence[Day]) -> Day:
    """
    Return several recordings as one: at their times of day, or one after another.

    They are laid one after another where the time of day of one of them is not known, or is so
    far from that of another that a clock was set between them.
    """
    begins = [day.begin_ns for day in days]
    timed = (all(day.has_time_of_day for day in days)
             and max(begins) - min(begins) < _LONGEST_S * _NS)
    ordered = sorted(days, key=lambda day: day.begin_ns) if timed else list(days)
    begin_ns, end_s = ordered[0].begin_ns if timed else 0, 0.0
    moved: list[Day] = []
    for day in ordered:
        later = (day.begin_ns - begin_ns) / _NS if timed else end_s
        moved.append(_move(day, later))
        end_s = max(end_s, later + day.seconds)
    drops = Counter[str]()
    for day in days:
        drops.update(day.drops)
    return Day(name=name, begin_ns=begin_ns, seconds=end_s,
               heard=tuple(in_order(one for day in moved for one in day.heard)),
               listened=_merge((day.listened for day in moved), add=True),
               loudness=_merge((day.loudness for day in moved), add=False),
               latencies_s=tuple(value for day in days for value in day.latencies_s),
               drops=dict(drops))


def _move(day: Day, later_s: float) -> Day:
    """Return a recording as it is where it begins later; levels move by whole minutes."""
    minutes = int(later_s // _MINUTE_S)
    return replace(
        day, heard=tuple(replace(one, start_s=round(one.start_s + later_s, 3),
                                 end_s=round(one.end_s + later_s, 3)) for one in day.heard),
        listened={minute + minutes: value for minute, value in day.listened.items()},
        loudness={minute + minutes: value for minute, value in day.loudness.items()})


def _merge(parts: Iterable[Mapping[int, float]], *, add: bool) -> dict[int, float]:
    found: dict[int, float] = {}
    for part in parts:
        for minute, value in part.items():
            found[minute] = (found.get(minute, 0.0) + value if add
                             else max(found.get(minute, -np.inf), value))
    return found
