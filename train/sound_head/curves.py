"""
What a threshold costs and brings: recall per event and false alarms per hour, for each class.

Owns the rule by which a row of scores becomes an alarm (N of the last M chunks reach a threshold)
and the table of curves. Scores are calibrated ones of heads that were not trained on the stream.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audio_interaction_ros.protocol import CHUNK_S
from train.sound_head.checks import BACKGROUNDS, CONDITIONS
from train.sound_head.classes import ABSENT, SoundClasses
from train.sound_head.dataset import Stream

__all__ = ['FORMAT', 'RULES', 'THRESHOLDS', 'CheckedStream', 'count_alarms', 'draw_curves',
           'is_heard']

FORMAT = 'audio-interaction-sound-curves/1'
THRESHOLDS = (0.02, 0.05, *(round(0.05 * step, 2) for step in range(2, 20)), 0.97, 0.98, 0.99,
              0.995)
RULES = {'1 of 1': (1, 1), '2 of 3': (2, 3)}
TAIL_S = 1.2
"""So long after its end an event may still be told."""


@dataclass(frozen=True)
class CheckedStream:
    """A stream, its scores [chunks, classes] and its targets [chunks, classes]."""

    stream: Stream
    scores: np.ndarray
    targets: np.ndarray


def series_of(scores: np.ndarray, hits: int, of: int) -> np.ndarray:
    """Return the highest threshold that makes an alarm at each chunk [chunks] of scores."""
    padded = np.concatenate([np.zeros(of - 1), scores])
    windows = np.lib.stride_tricks.sliding_window_view(padded, of)
    return np.asarray(np.sort(windows, axis=1)[:, -hits])


def count_alarms(scores: np.ndarray, hits: int, of: int) -> np.ndarray:
    """Return how often an alarm begins in a stream of scores [chunks], per threshold."""
    alarms = series_of(scores, hits, of)[None] >= np.array(THRESHOLDS)[:, None]
    return np.asarray(alarms[:, 0].astype(int) + (alarms[:, 1:] & ~alarms[:, :-1]).sum(1))


def is_heard(checked: CheckedStream, number: int, hits: int, of: int) -> np.ndarray:
    """Tell per threshold whether the event of a stream makes an alarm of a class in its time."""
    event = checked.stream.events[0]
    begin, end = int(event.start / CHUNK_S), int(np.ceil((event.end + TAIL_S) / CHUNK_S))
    series = series_of(checked.scores[:, number], hits, of)[begin:end]
    return np.asarray(float(series.max(initial=0.0)) >= np.array(THRESHOLDS))


def draw_curves(checked: Sequence[CheckedStream], classes: SoundClasses) -> dict[str, Any]:
    """Return the table of ``curves.json``: recall and counts of false alarms per threshold."""
    table: dict[str, Any] = {'format': FORMAT, 'thresholds': list(THRESHOLDS),
                             'rules': {name: list(rule) for name, rule in RULES.items()},
                             'classes': {}}
    for number, name in enumerate(classes.names):
        told: dict[str, Any] = {'events': {}, 'recall': {}, 'hours': {}, 'false_alarms': {}}
        if name in classes.alerts:
            for kind in CONDITIONS:
                _add_recall(told, kind, [one for one in checked if one.stream.kind == kind
                                         and classes.name_of(one.stream.events[0].label) == name],
                            number)
        for kind in BACKGROUNDS:
            _add_alarms(told, kind, [one for one in checked if one.stream.kind == kind
                                     and (one.targets[:, number] == ABSENT).all()], number)
        _add_alarms(told, 'other_alerts', [
            one for one in checked if one.stream.kind in CONDITIONS
            and (one.targets[:, number] == ABSENT).all()], number)
        table['classes'][name] = told
    return table


def _add_recall(told: dict[str, Any], kind: str, streams: Sequence[CheckedStream],
                number: int) -> None:
    recorded = sum(bool(one.stream.events[0].path) for one in streams)
    told['events'][kind] = {'recorded': recorded, 'computed': len(streams) - recorded}
    if streams:
        told['recall'][kind] = {
            rule: np.mean([is_heard(one, number, *parts) for one in streams],
                          axis=0).round(4).tolist() for rule, parts in RULES.items()}


def _add_alarms(told: dict[str, Any], kind: str, streams: Sequence[CheckedStream],
                number: int) -> None:
    told['hours'][kind] = round(sum(one.stream.chunks for one in streams) * CHUNK_S / 3600, 4)
    told['false_alarms'][kind] = {
        rule: sum((count_alarms(one.scores[:, number], *parts) for one in streams),
                  np.zeros(len(THRESHOLDS), int)).tolist() for rule, parts in RULES.items()}


def rate_of(told: Mapping[str, Any], kind: str, rule: str, place: int) -> float:
    """Return the false alarms per hour of one class at threshold number ``place``."""
    hours = told['hours'][kind]
    return told['false_alarms'][kind][rule][place] / hours if hours else 0.0
