"""
Forms of detection at equal promised rates: what each hears, and whether that is more than chance.

A form says what scores must do to be an alarm: chunks, and how a background raises thresholds.
Each form gets the lowest threshold of each class that keeps within a rate of false alarms, so that
none is better by being looser. Owns that choice, the forms that are compared and the paired
intervals. Before the event of a check there is a second or two of its place. That counts as though
it had lasted LEAD_S, or a form that learns places would be tried where it knows none. Knows no
net.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from audio_interaction_ros.protocol import CHUNK_S
from audio_interaction_ros.stream.sound_background import SILENCE, SoundBackground
from audio_interaction_ros.stream.sound_events import SoundRule
from train.sound_head.alarms import lower_by, series_of
from train.sound_head.calibration import sigmoid
from train.sound_head.checks import BACKGROUNDS, CONDITIONS
from train.sound_head.choose import HARMLESS_FACTOR
from train.sound_head.classes import ABSENT, SoundClasses
from train.sound_head.curves import STREAMS_OF, TAIL_S, CheckedStream, extrapolate

__all__ = ['FORMS', 'LEAD_S', 'RATES', 'Form', 'compare_ways', 'lengthen', 'say_ways']

RATES = (0.025, 0.125, 0.5)
"""False alarms per hour of ambience that a class may have; ten times as many of close sounds."""
LEAD_S = 12.0
STEPS = sigmoid(np.arange(-14.0, 16.01, 0.25))
"""Thresholds that are tried."""
DRAWS = 1000
ALIKE = -16.0
"""Log-odds below every score: where that is silence, a quiet place raises thresholds as well."""


@dataclass(frozen=True, kw_only=True)
class Form:
    """How scores become alarms, where that differs from the rules file; as ``SoundRule``."""

    chunks: tuple[int, int] | None = None
    """Hits, of; None: as the rules file says of each class."""
    share: float = 0.0
    seconds: float = 10.0
    quantile: float = 0.5
    silence: float = SILENCE

    def levels_of(self, scores: np.ndarray, rule: SoundRule) -> np.ndarray:
        """Return the highest threshold that makes an alarm at each chunk [chunks]."""
        hits, of = self.chunks or (rule.hits, rule.of if rule.hits > 1 else 1)
        return series_of(lower_by(SoundBackground(
            share=self.share, seconds=self.seconds, quantile=self.quantile,
            silence=self.silence), scores), hits, of)


FORMS: Mapping[str, Form] = {
    'as the rules file': Form(), 'one chunk': Form(chunks=(1, 1)),
    'two chunks of three': Form(chunks=(2, 3)),
    'background 0.3': Form(share=0.3), 'background 0.5': Form(share=0.5),
    'background 0.7': Form(share=0.7), '0.5, of 5 s': Form(share=0.5, seconds=5.0),
    '0.5, of 20 s': Form(share=0.5, seconds=20.0), '0.5, lower quartile': Form(share=0.5,
                                                                              quantile=0.25),
    '0.5, and two of three': Form(share=0.5, chunks=(2, 3)),
    '0.5, above -10': Form(share=0.5, silence=-10.0),
    '0.5, quiet places too': Form(share=0.5, silence=ALIKE)}
"""What is compared; the first is what the others are beside."""

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
    event = one.stream.events[0]
    begin, end = int(event.start / CHUNK_S), int(np.ceil((event.end + TAIL_S) / CHUNK_S))
    scores, more = lengthen(one.scores[:, number], begin, lead_s)
    return float(form.levels_of(scores, rule)[more + begin:more + end].max(initial=0.0))


def lengthen(scores: np.ndarray, lead: int, lead_s: float = LEAD_S) -> tuple[np.ndarray, int]:
    """Return scores whose first ``lead`` chunks last ``lead_s`` more, and how many these are."""
    more = round(lead_s / CHUNK_S)
    own = scores[min(1, lead - 1):lead]  # the very first window is not full yet
    return (np.concatenate([np.resize(own, more), scores]), more) if lead else (scores, 0)


def _cost(checked: Sequence[CheckedStream], number: int, rule: SoundRule, form: Form,
          kind: str, lead_s: float) -> np.ndarray:
    """Return false alarms per hour of one kind of background at each of STEPS."""
    levels = []
    for one in checked:
        if one.stream.kind in STREAMS_OF.get(kind, (kind,)) and (
                one.targets[:, number] == ABSENT).all():
            # single sounds stand in silence, and ambience is a place of its own
            scores, more = lengthen(one.scores[:, number], 0 if kind in STREAMS_OF else 2,
                                    lead_s)
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
