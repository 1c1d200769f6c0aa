"""
How the allowed false alarms are best shared out among classes, told on folds it was not chosen on.

Thresholds are chosen by the curves of all folds but one and tried on that one, for every fold.
Owns the ways that are compared and what they hear and cost there. Scores are those that curves are
drawn of; the robot's own detector decides.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from audio_interaction_ros.protocol import CHUNK_S
from audio_interaction_ros.stream.sound_events import SoundRule
from train.sound_head.alarms import find_alarms
from train.sound_head.checks import BACKGROUNDS, CONDITIONS
from train.sound_head.choose import (
    Chosen,
    choose_thresholds,
    price_thresholds,
    rules_of_alerts,
    share_evenly,
    weights_of_alerts,
)
from train.sound_head.classes import ABSENT, SoundClasses
from train.sound_head.clips import FOLDS
from train.sound_head.curves import STREAMS_OF, CheckedStream, draw_curves

__all__ = ['RATE', 'WAYS', 'compare_sharings', 'say_sharings']

RATE = 2.5
Choose = Callable[[Mapping[str, Any], float, Mapping[str, str], Mapping[str, float]],
                  dict[str, Chosen]]
WAYS: Mapping[str, tuple[Choose, float]] = {
    'step by step, severe ones first': (choose_thresholds, 1.0),
    'step by step, all alike': (choose_thresholds, 0.0),
    'one price, severe ones first': (price_thresholds, 1.0),
    'one price, all alike': (price_thresholds, 0.0),
    'one price, severe ones much first': (price_thresholds, 2.0),
    'the same for each': (share_evenly, 0.0)}
"""How thresholds are chosen, and the power of the weights of the classes."""


def compare_sharings(checked: Sequence[CheckedStream], classes: SoundClasses,
                     detect: Mapping[str, SoundRule]) -> dict[str, dict[str, float]]:
    """Return by way mean recall by condition and false alarms per hour, at a rate of RATE."""
    found = {way: Counter[tuple[str, ...]]() for way in WAYS}
    for fold in range(FOLDS):
        known = [one for one in checked if one.stream.fold != fold]
        table = draw_curves(known, classes, detect, rules_of_alerts())
        rules = {name: rule for name, rule in rules_of_alerts().items()
                 if table['classes'].get(name, {}).get('recall')}
        for way, (choose, power) in WAYS.items():
            weights = {name: weight ** power for name, weight in weights_of_alerts().items()}
            chosen = choose(table, RATE, rules, weights)
            found[way] += _try([one for one in checked if one.stream.fold == fold], classes, {
                name: replace(detect[name], threshold=one.threshold)
                for name, one in chosen.items()})
    hours = {kind: sum(one.stream.chunks for one in checked if one.stream.kind in STREAMS_OF.get(
        kind, (kind,))) * CHUNK_S / 3600 for kind in BACKGROUNDS}
    return {way: _sum_up(counts, hours) for way, counts in found.items()}


def _try(checked: Sequence[CheckedStream], classes: SoundClasses,
         rules: Mapping[str, SoundRule]) -> Counter[tuple[str, ...]]:
    """Return how many events there are and are heard by class, and false alarms by kind."""
    counts = Counter[tuple[str, ...]]()
    for one in checked:
        stream = one.stream
        if stream.kind in CONDITIONS:
            name, recorded = classes.name_of(stream.events[0].label), stream.events[0].path
            if recorded and name in rules:
                counts['all', stream.kind, name] += 1
                counts['heard', stream.kind, name] += _hears(one, classes, name, rules[name])
            continue
        for name, rule in rules.items():
            number = classes.names.index(name)
            if (one.targets[:, number] == ABSENT).all():
                scores, more = one.hear(number)
                counts['false', stream.kind] += sum(
                    last > more for _, last in find_alarms(scores, rule, rule.threshold))
    return counts


def _hears(one: CheckedStream, classes: SoundClasses, name: str, rule: SoundRule) -> bool:
    (scores, more), (begin, end) = one.hear(classes.names.index(name)), one.span
    return any(first < more + end and last > more + begin
               for first, last in find_alarms(scores, rule, rule.threshold))


def _sum_up(counts: Counter[tuple[str, ...]], hours: Mapping[str, float]) -> dict[str, float]:
    row = {}
    for kind in CONDITIONS:
        names = [key[2] for key in counts if key[:2] == ('all', kind)]
        shares = {name: counts['heard', kind, name] / counts['all', kind, name] for name in names}
        severe = [share for name, share in shares.items() if weights_of_alerts()[name] > 1]
        row[f'recall {kind}'] = float(np.mean(list(shares.values()))) if shares else 0.0
        row[f'of severe ones, {kind}'] = float(np.mean(severe)) if severe else 0.0
    return row | {f'false alarms/h, {kind}': sum(counts['false', own] for own in STREAMS_OF.get(
        kind, (kind,))) / hours[kind] if hours[kind] else 0.0 for kind in hours}


def say_sharings(table: Mapping[str, Mapping[str, float]]) -> str:
    """Return the table as Markdown."""
    columns = list(next(iter(table.values())))
    lines = ['| | ' + ' | '.join(columns) + ' |', '|---|' + '---:|' * len(columns)]
    return '\n'.join([*lines, *(f'| {way} | ' + ' | '.join(
        f'{row[column]:.2f}' for column in columns) + ' |' for way, row in table.items())])
