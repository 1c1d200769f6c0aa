"""
Figures of alerts that sounds decide: recall, false alarms, trade-off and calibration by class.

Owns which figures of eval.alert_figures are taken of which streams, the truth of a chunk, and how
far each goal is met. Only streams of the test side are reported on. Knows neither models nor
audio.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from audio_interaction_ros.protocol import CHUNK_S
from eval.alert_figures.outcome import StreamOutcome
from eval.alert_figures.recall import mean_of_classes
from eval.alert_figures.summary import figures
from eval.matching import GRACE_S, ExpectedEvent
from eval.sounds.detection import ScoredStream
from eval.sounds.scorers import BRANCH
from held_out.classes import ALSO
from measure.intervals import Estimate, calibration

__all__ = ['CLASS_OF', 'GOALS', 'calibration_by_class', 'goals', 'point_of', 'test_figures',
           'truth_of']

CLASS_OF = {label: name for name, labels in BRANCH.items() for label in labels}
"""Label of a clip -> class that it is."""
PRESENT, ABSENT, UNKNOWN = 1, 0, -1
AFTER_S = 0.8
"""So long after its end a sound is neither there nor gone: the ears still hear it."""
SURE = 0.1
"""Chunks with this score or more are where a calibration can go wrong: most others are silent."""
CRITICAL = ('smoke_alarm', 'fire_alarm', 'glass_break', 'scream', 'gunshot')
FEW = 10
"""Test recordings below which a figure says little."""


def test_figures(heard: Sequence[StreamOutcome]) -> dict[str, Any]:
    """
    Return all figures of the test side, and recall by condition for each class.

    ``named`` asks that the first alert names the event, ``named_later`` that one in its window
    does.
    """
    test = [stream for stream in heard if stream.side == 'test']
    by_condition = {}
    for condition in sorted({stream.condition for stream in test if stream.events}):
        mine = figures([stream for stream in test if stream.condition == condition])
        by_condition[condition] = {
            **{name: mine[name] for name in ('recall', 'classes', 'delay')},
            'named_later': _count_named_later([
                stream for stream in test if stream.events and stream.condition == condition])}
    return {**figures(test), 'by_condition': by_condition}


def _count_named_later(heard: Sequence[StreamOutcome]) -> Estimate:
    """Return the mean over classes of the share of events that an alert in their window names."""
    return mean_of_classes([
        (stream.group, event.label, any(
            said.labels & event.accepts and event.start < said.at <= event.end + GRACE_S
            for said in stream.replies)) for stream in heard for event in stream.events])


def point_of(heard: Sequence[StreamOutcome]) -> dict[str, Any]:
    """Return what one setting gives: recall, false alarms per hour, single sounds with one."""
    found = figures(heard)
    return {'named': found['recall']['named_mean_of_classes'],
            'any': found['recall']['any_mean_of_classes'],
            'false_per_hour': found['background']['false_alarms_per_hour'],
            'by_kind': {kind: row['false_alarms_per_hour']
                        for kind, row in found['backgrounds'].items()},
            'singles': found['singles']['share']}


def truth_of(events: Sequence[ExpectedEvent], name: str, chunks: int) -> np.ndarray:
    """
    Return for each chunk whether a class sounds in it [chunks] int8.

    UNKNOWN: in less than half of it, shortly after its end, or where a sound is heard that may
    pass for it (a fire alarm for a smoke alarm).
    """
    truth = np.zeros(chunks, np.int8)
    begins = np.arange(chunks) * CHUNK_S
    for event in events:
        covered = np.minimum(begins + CHUNK_S, event.end) - np.maximum(begins, event.start)
        near = (covered > 0) | ((begins >= event.end) & (begins < event.end + AFTER_S))
        if CLASS_OF.get(event.label) == name:
            truth[near & (truth == ABSENT)] = UNKNOWN
            truth[covered >= CHUNK_S / 2] = PRESENT
        elif name in ALSO.get(event.label, ()):
            truth[near & (truth == ABSENT)] = UNKNOWN
    return truth


def calibration_by_class(streams: Sequence[ScoredStream],
                         names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """
    Return calibration over chunks for each class that sounds in any stream.

    ``ece`` is over all chunks, ``ece_sure`` over those with a score of SURE or more.
    """
    found = {}
    for name in names:
        truth, scores = _join(streams, name)
        known = truth != UNKNOWN
        if not (truth == PRESENT).any():
            continue
        p, y = scores[known], truth[known] == PRESENT
        sure = p >= SURE
        found[name] = {**calibration(p.tolist(), y.tolist()), 'present': int(y.sum()),
                       'ece_sure': calibration(p[sure].tolist(), y[sure].tolist())['ece'],
                       'sure': int(sure.sum())}
    return found


def _join(streams: Sequence[ScoredStream], name: str) -> tuple[np.ndarray, np.ndarray]:
    """Return truth and scores of a class over all chunks of all streams."""
    mine = [stream for stream in streams if name in stream.names]
    return (np.concatenate([truth_of(stream.heard.scene.events, name, len(stream.scores))
                            for stream in mine]),
            np.concatenate([stream.scores[:, stream.names.index(name)] for stream in mine]))


def goals(found: Mapping[str, Any], calibrated: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each goal that these figures can meet, with what was reached."""
    dry = found['by_condition'].get('dry', {})
    rows = [_goal(f'recall rightly named, mean of classes, {condition}',
                  part['recall']['named_mean_of_classes'], GOALS['recall'])
            for condition, part in found['by_condition'].items()]
    rows += [_goal(f'{label}, dry', dry['classes'][label]['named'], GOALS['critical'])
             for label in CRITICAL if label in dry.get('classes', {})]
    rows += [_goal(f'false alarms per hour, {kind}',
                   found['backgrounds'][kind]['false_alarms_per_hour'], GOALS[kind])
             for kind in ('ambience', 'speech', 'harmless') if kind in found['backgrounds']]
    rows += [_goal(f'from onset to alert, {which}, s',
                   found['delay']['decision_from_onset_s'][which], GOALS[which])
             for which in ('p50', 'p95')]
    if calibrated:
        worst = max(calibrated, key=lambda name: calibrated[name]['ece'])
        rows.append(_goal(f'calibration error, worst class ({worst})',
                          calibrated[worst]['ece'], GOALS['ece']))
    return rows


def _at_least(bound: float) -> tuple[str, Callable[[float], bool]]:
    return f'≥ {bound:g}', lambda value: value >= bound


def _at_most(bound: float) -> tuple[str, Callable[[float], bool]]:
    return f'≤ {bound:g}', lambda value: value <= bound


GOALS = {'recall': _at_least(0.85), 'critical': _at_least(0.9), 'ambience': _at_most(0.5),
         'speech': _at_most(0.5), 'harmless': _at_most(5.0), 'p50': _at_most(0.8),
         'p95': _at_most(1.6), 'ece': _at_most(0.05)}
"""What an alert is worth trusting for."""


def _goal(name: str, found: Any, goal: tuple[str, Callable[[float], bool]]) -> dict[str, Any]:
    value = float(getattr(found, 'value', found))
    return {'name': name, 'found': found, 'goal': goal[0], 'met': bool(goal[1](value))}


