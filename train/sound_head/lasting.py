"""
Alarms of minutes: whether a sound stays on for as long as it sounds, in places of all kinds.

Checks are seconds long. So the scores of what is heard in one are repeated, after as long a time
of its place as a robot remembers, and the robot's own detector follows them. Owns that, and which
events last long enough to be told. Knows no net.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from audio_interaction_ros.protocol import CHUNK_S
from audio_interaction_ros.stream.sound_events import SoundRule
from train.sound_head.alarms import find_alarms
from train.sound_head.checks import CONDITIONS
from train.sound_head.classes import SoundClasses
from train.sound_head.curves import CheckedStream
from train.sound_head.place import lengthen

__all__ = ['Lasting', 'follow_lasting', 'say_lasting']

SECONDS = (30.0, 120.0)
LEAST_S = 2.0
"""An event that sounds for less is no alarm that lasts."""
SHARES = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Lasting:
    """What becomes of events that last."""

    events: int
    begun: int
    """So many of them were heard at all; the rest is of these."""
    beginnings: float
    """How often each began; more than once: it flickered, or it has pauses."""
    on: float
    """Share of the time from its beginning to its end."""


def follow_lasting(checked: Sequence[CheckedStream], classes: SoundClasses,
                   rules: Mapping[str, SoundRule]) -> dict[str, Lasting]:
    """Return by seconds and share of the background what becomes of recorded events that last."""
    return {f'{seconds:g} s, background {share:g}': _follow(
        checked, classes, rules, seconds, share)
            for seconds in SECONDS for share in SHARES}


def _follow(checked: Sequence[CheckedStream], classes: SoundClasses,
            rules: Mapping[str, SoundRule], seconds: float, share: float) -> Lasting:
    events, found = 0, list[tuple[int, float]]()
    for one in checked:
        name = _name_lasting(one, classes)
        if name not in rules:
            continue
        events += 1
        scores, begin, end = _repeat(one, classes.names.index(name), seconds)
        rule = replace(rules[name], background=share)
        alarms = [(max(first, begin), min(last, end))
                  for first, last in find_alarms(scores, rule, rule.threshold)
                  if first < end and last > begin]
        if alarms:
            sounding = sum(last - first for first, last in alarms)
            found.append((len(alarms), sounding / (end - alarms[0][0])))
    beginnings, on = np.mean(found, axis=0).tolist() if found else (0.0, 0.0)
    return Lasting(events, len(found), beginnings, on)


def _name_lasting(one: CheckedStream, classes: SoundClasses) -> str:
    """Return the class of a recorded event that lasts; '' for any other stream."""
    if one.stream.kind not in CONDITIONS:
        return ''
    event = one.stream.events[0]
    lasts = event.path and event.end - event.start >= LEAST_S
    return classes.name_of(event.label) if lasts else ''


def _repeat(one: CheckedStream, number: int, seconds: float) -> tuple[np.ndarray, int, int]:
    """Return scores in which the event sounds for so long, and in which chunks it does."""
    event, scores = one.stream.events[0], one.scores[:, number]
    first, last = int(event.start / CHUNK_S), int(event.end / CHUNK_S)
    before, more = lengthen(scores[:first], first)
    sounding = np.resize(scores[first + 1:last], round(seconds / CHUNK_S))
    begin = first + more
    return np.concatenate([before, sounding, scores[last:]]), begin, begin + len(sounding)


def say_lasting(told: Mapping[str, Lasting]) -> str:
    """Return the table as Markdown."""
    return '\n'.join(['| | events | begun | beginnings of each | share of its time on |',
                      '|---|---:|---:|---:|---:|',
                      *(f'| {name} | {one.events} | {one.begun} | {one.beginnings:.2f} | '
                        f'{one.on:.3f} |' for name, one in told.items())])
