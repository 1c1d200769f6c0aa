"""All figures of replies over event scenes and backgrounds."""

from collections.abc import Callable, Sequence
from typing import Any

from eval.alert_figures.false_alarms import (
    false_alarms,
    false_alarms_by_kind,
    match_backgrounds,
    silent_pieces,
    single_alarms,
)
from eval.alert_figures.outcome import StreamOutcome
from eval.alert_figures.recall import (
    Case,
    MatchedStream,
    cases_of,
    delays,
    detected_by_class,
    match_streams,
    recall,
)
from measure.intervals import Estimate

__all__ = ['balanced_accuracy', 'figures']


def balanced_accuracy(cases: Sequence[Case],
                      backgrounds: Sequence[MatchedStream]) -> Estimate:
    """Return the mean of recall (mean of classes) and share of silent pieces of background."""
    detected, silent = detected_by_class(cases), silent_pieces(backgrounds)
    spread = [((e.high - e.low) / 2) ** 2 for e in (detected, silent)]
    middle, half = (detected.value + silent.value) / 2, sum(spread) ** 0.5 / 2
    return Estimate(value=middle, low=max(0.0, middle - half), high=min(1.0, middle + half),
                    n=detected.n + silent.n)


def figures(heard: Sequence[StreamOutcome]) -> dict[str, Any]:
    """Return all figures of replies over event scenes and backgrounds."""
    scenes = match_streams([stream for stream in heard if stream.events])
    cases, backgrounds = cases_of(scenes), match_backgrounds(heard)
    by_class = _group(cases, lambda case: case.event.label)
    return {
        'recall': recall(cases),
        'classes': {label: {**recall(mine), 'delay': delays(mine)}
                    for label, mine in by_class.items()},
        'conditions': _recall_by(cases, lambda case: case.heard.condition),
        'origins': _recall_by(cases, lambda case: case.heard.origin), 'delay': delays(cases),
        'repeats_per_detection': sum(len(matches.repeats) for _, matches in scenes) / max(
            1, sum(case.detected for case in cases)),
        'false_before_events': sum(len(matches.false) for _, matches in scenes),
        'background': false_alarms(backgrounds),
        'backgrounds': false_alarms_by_kind(heard), 'singles': single_alarms(heard),
        'balanced_accuracy': balanced_accuracy(cases, backgrounds)}


def _recall_by(cases: Sequence[Case], name_of: Callable[[Case], str]) -> dict[str, Any]:
    return {name: recall(mine) for name, mine in _group(cases, name_of).items()}


def _group(cases: Sequence[Case], name_of: Callable[[Case], str]) -> dict[str, list[Case]]:
    """Return cases by name, in the order of names."""
    return {name: [case for case in cases if name_of(case) == name]
            for name in sorted({name_of(case) for case in cases})}
