"""
Forms of detection at equal promised rates: what each hears, and whether that is more than chance.

A form says what scores must do to be an alarm: chunks, and how a background raises thresholds.
Each form gets the lowest threshold of each class that keeps within a rate of false alarms, so that
none is better by being looser. Owns that choice and the paired intervals. Knows no net.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from audio_interaction_ros.protocol import CHUNK_S
from audio_interaction_ros.stream.sound_events import SoundRule
from train.sound_head.calibration import sigmoid
from train.sound_head.checks import BACKGROUNDS, CONDITIONS
from train.sound_head.choose import HARMLESS_FACTOR
from train.sound_head.classes import ABSENT, SoundClasses
from train.sound_head.curves import STREAMS_OF, CheckedStream
from train.sound_head.forms import Form
from train.sound_head.place import LEAD_S
from train.sound_head.tails import extrapolate

__all__ = ['RATES', 'compare_ways', 'say_ways']

RATES = (0.025, 0.125, 0.5)
"""False alarms per hour of ambience that a class may have; ten times as many of close sounds."""
STEPS = sigmoid(np.arange(-14.0, 16.01, 0.25))
"""Thresholds that are tried."""
DRAWS = 1000

Found = dict[tuple[str, str], dict[str, bool]]
"""Whether an event was heard, by its class and recording, and by condition."""
Table = dict[str, dict[str, list[float]]]


def compare_ways(ways: Mapping[str, tuple[Sequence[CheckedStream], Form]], classes: SoundClasses,
                 rules: Mapping[str, SoundRule], lead_s: float = LEAD_S) -> Table:
    """
    Return rows by way: at each rate recall dry and at 10 dB, and what it gains with its interval.

    A way is who scores the same streams, and a form. Recall is the mean over classes of recorded
    events. The gain is that of both conditions together over the first way, with a bootstrap over
    recordings, 95 %. The place of an event or a close sound counts for ``lead_s`` more.
    """
    first: dict[float, Found] = {}
    table: Table = {}
    for name, (checked, form) in ways.items():
        found = _listen(checked, classes, rules, form, lead_s)
        first = first or found
        table[name] = {f'{rate:g}': [*(_mean_recall(found[rate], kind) for kind in CONDITIONS),
                                     *_gain(first[rate], found[rate])] for rate in RATES}
    return table


def _listen(checked: Sequence[CheckedStream], classes: SoundClasses,
            rules: Mapping[str, SoundRule], form: Form, lead_s: float) -> dict[float, Found]:
    """Return by rate what a form hears at the thresholds that the rate allows it."""
    found: dict[float, Found] = {rate: {} for rate in RATES}
    for number, name in enumerate(classes.names):
        events = [one for one in checked if one.stream.kind in CONDITIONS
                  and classes.name_of(one.stream.events[0].label) == name
                  and one.stream.events[0].path]
        if name not in rules or not events:
            continue
        costs = {kind: _cost(checked, number, rules[name], form, kind, lead_s)
                 for kind in BACKGROUNDS}
        heard = [(one.stream, _peak(one, number, rules[name], form, lead_s)) for one in events]
        for rate in RATES:
            least = _lowest(costs, rate)
            for stream, peak in heard:
                found[rate].setdefault((name, stream.events[0].path), {})[stream.kind] = (
                    peak >= least)
    return found


def _peak(one: CheckedStream, number: int, rule: SoundRule, form: Form, lead_s: float) -> float:
    """Return the highest threshold at which the event of a stream is heard in its time."""
    (scores, more), (begin, end) = one.hear(number, lead_s), one.span
    return float(form.levels_of(scores, rule)[more + begin:more + end].max(initial=0.0))


def _cost(checked: Sequence[CheckedStream], number: int, rule: SoundRule, form: Form,
          kind: str, lead_s: float) -> np.ndarray:
    """Return false alarms per hour of one kind of background at each of STEPS."""
    levels = []
    for one in checked:
        if one.stream.kind in STREAMS_OF.get(kind, (kind,)) and (
                one.targets[:, number] == ABSENT).all():
            scores, more = one.hear(number, lead_s)
            levels.append(form.levels_of(scores, rule)[more:])
    hours = sum(map(len, levels)) * CHUNK_S / 3600
    if not hours:
        return np.zeros(len(STEPS))
    above = [np.concatenate([[0.0], level])[None] >= STEPS[:, None] for level in levels]
    counted = sum((one[:, 1:] & ~one[:, :-1]).sum(1) for one in above) / hours
    peaks = np.array([level.max() for level in levels])
    return counted if kind not in STREAMS_OF else np.maximum(
        counted, extrapolate(peaks, hours, STEPS))


def _lowest(costs: Mapping[str, np.ndarray], rate: float) -> float:
    """Return the lowest threshold from which on all is within the rate; above 1 if none is."""
    bad = np.flatnonzero((costs['ambience'] > rate) | (costs['speech'] > rate)
                         | (costs['harmless'] > HARMLESS_FACTOR * rate))
    place = bad[-1] + 1 if len(bad) else 0
    return float(STEPS[place]) if place < len(STEPS) else 2.0


def _mean_recall(found: Found, kind: str) -> float:
    return _mean_of_classes({key: float(heard[kind]) for key, heard in found.items()
                             if kind in heard})


def _mean_of_classes(values: Mapping[tuple[str, str], float]) -> float:
    names = dict.fromkeys(name for name, _ in values)
    return float(np.mean([np.mean([value for (own, _), value in values.items() if own == name])
                          for name in names])) if names else 0.0


def _gain(before: Found, after: Found) -> tuple[float, float, float]:
    """Return by how much recall is higher, and the ends of its interval."""
    gains = {key: float(np.mean([float(after[key][kind]) - float(before[key][kind])
                                 for kind in before[key]])) for key in before}
    chance, drawn = np.random.default_rng(0), []
    for name in dict.fromkeys(name for name, _ in gains):
        own = np.array([value for (other, _), value in gains.items() if other == name])
        drawn.append(own[chance.integers(len(own), size=(DRAWS, len(own)))].mean(1))
    low, high = np.quantile(np.mean(drawn, axis=0), (0.025, 0.975)) if drawn else (0.0, 0.0)
    return _mean_of_classes(gains), float(low), float(high)


def say_ways(table: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """Return the table as Markdown."""
    rates = list(next(iter(table.values())))
    lines = ['| | ' + ' | '.join(f'{rate}: dry, 10 dB | gain' for rate in rates) + ' |',
             '|---' * (1 + 2 * len(rates)) + '|']
    return '\n'.join([*lines, *(f'| {name} | ' + ' | '.join(
        f'{dry:.2f}, {soft:.2f} | {gain:+.3f} [{low:+.2f}, {high:+.2f}]'
        for dry, soft, gain, low, high in row.values()) + ' |' for name, row in table.items())])
