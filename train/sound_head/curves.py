"""
What a threshold costs and brings: recall per event and false alarms per hour, for each class.

Owns the table of curves and the rules of chunks (N of the last M reach a threshold) in it; what
else makes an alarm is as in the rules file. Alarms are those of the robot's own detector, which
has heard the place of a check for a while (``place``). Scores are calibrated ones of heads that
were not trained on the stream.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from audio_interaction_ros.protocol import CHUNK_S
from audio_interaction_ros.stream.sound_events import SoundRule
from train.sound_head.alarms import find_alarms, levels_of
from train.sound_head.checks import BACKGROUNDS, CONDITIONS
from train.sound_head.classes import ABSENT, SoundClasses
from train.sound_head.clips import HELD_OUT
from train.sound_head.dataset import Stream
from train.sound_head.hours import HOURS
from train.sound_head.place import LEAD_S, count_place, lengthen
from train.sound_head.tails import extrapolate

__all__ = ['FORMAT', 'RULES', 'THRESHOLDS', 'CheckedStream', 'count_alarms', 'draw_curves',
           'is_heard', 'rate_of']

FORMAT = 'audio-interaction-sound-curves/1'
THRESHOLDS = (0.02, 0.05, *(round(0.05 * step, 2) for step in range(2, 20)), 0.97, 0.98, 0.99,
              0.995, 0.998, 0.999, 0.9995, 0.9998, 0.9999)
RULES = {'1 of 1': (1, 1), '2 of 2': (2, 2), '2 of 3': (2, 3), '3 of 5': (3, 5)}
ONE = {'1 of 1': (1, 1)}
"""The rule of what raises no alert."""
STREAMS_OF = {'ambience': ('ambience', HOURS)}
"""Kinds of streams that count as one kind of background, where that is more than its own."""
TAIL_S = 1.2
"""So long after its end an event may still be told."""


@dataclass(frozen=True)
class CheckedStream:
    """A stream, its scores [chunks, classes] and its targets [chunks, classes]."""

    stream: Stream
    scores: np.ndarray
    targets: np.ndarray

    def hear(self, number: int, lead_s: float = LEAD_S) -> tuple[np.ndarray, int]:
        """Return the scores of a class [more + chunks] after ``lead_s`` of the place, and more."""
        return lengthen(self.scores[:, number], count_place(self.stream), lead_s)

    @property
    def span(self) -> tuple[int, int]:
        """Return (first, last + 1) of the chunks in which the event of a stream may be told."""
        event = self.stream.events[0]
        return int(event.start / CHUNK_S), int(np.ceil((event.end + TAIL_S) / CHUNK_S))


def count_alarms(scores: np.ndarray, rule: SoundRule, place: int = 0) -> np.ndarray:
    """Return how many alarms are on after the first ``place`` of scores [chunks], by threshold."""
    return np.array([sum(last > place for _, last in alarms)
                     for alarms in _list_alarms(scores, rule)])


def is_heard(checked: CheckedStream, number: int, rule: SoundRule) -> np.ndarray:
    """Tell per threshold whether the event of a stream makes an alarm of a class in its time."""
    (scores, more), (begin, end) = checked.hear(number), checked.span
    return np.array([any(first < more + end and last > more + begin for first, last in alarms)
                     for alarms in _list_alarms(scores, rule)])


def _list_alarms(scores: np.ndarray, rule: SoundRule) -> list[list[tuple[int, int]]]:
    """Return the alarms at each threshold; above the highest level nothing begins."""
    highest = levels_of(scores, rule).max(initial=0.0)
    return [find_alarms(scores, rule, threshold) if threshold <= highest else []
            for threshold in THRESHOLDS]


def draw_curves(checked: Sequence[CheckedStream], classes: SoundClasses,
                detect: Mapping[str, SoundRule] | None = None,
                only: Mapping[str, str] | None = None) -> dict[str, Any]:
    """
    Return the table of ``curves.json``: recall and counts of false alarms per threshold.

    ``detect`` says by class what makes an alarm beside threshold and chunks; none: the defaults.
    ``only``: rules of chunks by class, of which alone curves are drawn; none: all of all.
    """
    table: dict[str, Any] = {'format': FORMAT, 'thresholds': list(THRESHOLDS),
                             'rules': {name: list(rule) for name, rule in RULES.items()},
                             'classes': {}}
    for number, name in enumerate(classes.names):
        if only is not None and name not in only:
            continue
        base = (detect or {}).get(name, SoundRule(threshold=1.0))
        rules = {said: replace(base, hits=hits, of=of) for said, (hits, of) in (
            RULES if name in classes.alerts else ONE).items() if not only or said == only[name]}
        told: dict[str, Any] = {'events': {}, 'recall': {}, 'hours': {}, 'false_alarms': {},
                                'rates': {}}
        if name in classes.alerts:
            for kind in CONDITIONS:
                _add_recall(told, kind, [one for one in checked if one.stream.kind == kind
                                         and classes.name_of(one.stream.events[0].label) == name],
                            number, rules)
        for kind in BACKGROUNDS:
            _add_alarms(told, kind, [
                one for one in checked if one.stream.kind in STREAMS_OF.get(kind, (kind,))
                and (one.targets[:, number] == ABSENT).all()], number, rules)
        _add_alarms(told, 'other_alerts', [
            one for one in checked if one.stream.kind in CONDITIONS
            and (one.targets[:, number] == ABSENT).all()], number, rules)
        table['classes'][name] = told
    return table


def _add_recall(told: dict[str, Any], kind: str, streams: Sequence[CheckedStream],
                number: int, rules: Mapping[str, SoundRule]) -> None:
    recorded = sum(bool(one.stream.events[0].path) for one in streams)
    told['events'][kind] = {'recorded': recorded, 'computed': len(streams) - recorded}
    if streams:
        told['recall'][kind] = {
            said: np.mean([is_heard(one, number, rule) for one in streams],
                          axis=0).round(4).tolist() for said, rule in rules.items()}


def _add_alarms(told: dict[str, Any], kind: str, streams: Sequence[CheckedStream],
                number: int, rules: Mapping[str, SoundRule]) -> None:
    heard = [one.hear(number) for one in streams]
    told['hours'][kind] = round(_hours(streams), 4)
    told['false_alarms'][kind] = {
        said: sum((count_alarms(scores, rule, more) for scores, more in heard),
                  np.zeros(len(THRESHOLDS), int)).tolist() for said, rule in rules.items()}
    if kind in STREAMS_OF:
        told['rates'][kind] = {said: _rates_beyond(
            streams, number, rule, np.array(told['false_alarms'][kind][said])).tolist()
            for said, rule in rules.items()}


def _rates_beyond(streams: Sequence[CheckedStream], number: int, rule: SoundRule,
                  counts: np.ndarray) -> np.ndarray:
    """
    Return false alarms per hour at each threshold: as counted, or as a tail says, if more.

    Tails are those of all streams, and of what is put aside, which nobody ever heard.
    """
    groups = [streams, [one for one in streams if one.stream.fold == HELD_OUT]]
    rates = [counts / max(_hours(streams), 1e-9)]
    for group in groups:
        peaks = [float(levels_of(one.scores[:, number], rule).max(initial=0.0)) for one in group]
        rates.append(extrapolate(np.array(peaks), _hours(group), THRESHOLDS))
    return np.max(rates, axis=0).round(4)


def _hours(streams: Sequence[CheckedStream]) -> float:
    return sum(one.stream.chunks for one in streams) * CHUNK_S / 3600


def rate_of(told: Mapping[str, Any], kind: str, rule: str, place: int) -> float:
    """Return the false alarms per hour of one class at threshold number ``place``."""
    if kind in told.get('rates', {}):
        return float(told['rates'][kind][rule][place])
    hours = told['hours'][kind]
    return told['false_alarms'][kind][rule][place] / hours if hours else 0.0
