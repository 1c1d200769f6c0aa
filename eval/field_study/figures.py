"""
The figures of a study: what was triggered, how late, how silent, in both splits.

Trigger accuracy is the mean of two shares: of due events those of which anything of their kind
was told in time, and of quiet stretches those in which nothing was told; one that never speaks
and one that always does have 0.5. Latency is from the end of an event to when it was told,
compared for events that both splits triggered. The silence rate is the share of decisions to stay
silent in a bin of two seconds. Intervals are drawn over recordings.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from audio_interaction_ros.replay.expectation import Expected
from audio_interaction_ros.replay.verdict import hold_against
from eval.field_study.listening import StudyHearing
from eval.field_study.study import DECIDED, Recording, loosen
from measure.intervals import bootstrap, percentiles, poisson, quotients, wilson

__all__ = ['BIN_S', 'STRETCH_S', 'Outcome', 'compare', 'judge', 'score']

BIN_S = 2.0
ROUNDS = 200
STRETCH_S = 10.0
"""Length of a stretch in which nothing is due."""


@dataclass(frozen=True)
class Outcome:
    """What became of one recording, real or synthetic."""

    name: str
    scene: str
    due: tuple[Expected, ...]
    triggered: tuple[bool, ...]
    """Of each due event: whether anything of its kind came."""
    right: tuple[bool, ...]
    """Of each: whether what came was as the label says."""
    latency_s: tuple[float, ...]
    """Of each: from its end to when it was told; NaN where it was not."""
    quiet: tuple[bool, ...]
    """Of each stretch in which nothing was due: whether nothing was told."""
    too_much: int
    """Alerts and replies that nothing was due to."""
    silence: np.ndarray
    """Share of silent decisions in every bin [bins]; NaN where there was none."""
    hours: float


def judge(recording: Recording, hearing: StudyHearing) -> Outcome:
    """Hold what was heard against the labels of a recording."""
    due = tuple(one for one in recording.labels.expect if not one.optional)
    loose = loosen(recording.labels)
    found = hold_against(recording.name, hearing.heard, loose)
    place_of = {id(one): place for place, one in enumerate(loose.expect)}
    heard = {place_of[id(one)]: what for one, what in found.matched}
    strict = hold_against(recording.name, hearing.heard, recording.labels)
    right = {id(one) for one, _ in strict.matched}
    extra = [one.heard for one in found.extra]
    return Outcome(
        recording.name, recording.scene, due,
        triggered=tuple(place in heard for place in range(len(due))),
        right=tuple(id(one) in right for one in due),
        latency_s=tuple(hearing.told_at(heard[place]) - _end_of(one) if place in heard
                        else float('nan') for place, one in enumerate(due)),
        quiet=tuple(_quiet_stretches(due, hearing)),
        too_much=sum(one.kind in ('alert', 'reply') for one in extra),
        silence=_silence_rates(hearing), hours=hearing.seconds / 3600)


def _end_of(one: Expected) -> float:
    assert one.at is not None, 'what is due has a time'
    return one.at if one.until is None or one.kind == 'alert' else one.until


def _quiet_stretches(due: Sequence[Expected], hearing: StudyHearing) -> Iterator[bool]:
    """Yield of each stretch without a due event whether nothing was told in it."""
    told = [when for when, one in hearing.told if one.kind in DECIDED]
    for begin in np.arange(0, hearing.seconds - STRETCH_S + 1e-6, STRETCH_S):
        end = begin + STRETCH_S
        if not any(one.at - 1 < end and (one.until or one.at) + 3 > begin  # type: ignore[operator]
                   for one in due):
            yield not any(begin <= when < end for when in told)


def _silence_rates(hearing: StudyHearing) -> np.ndarray:
    bins = max(1, int(np.ceil(hearing.seconds / BIN_S)))
    silent, asked = np.zeros(bins), np.zeros(bins)
    for at, responded in hearing.decisions:
        place = min(bins - 1, int((at - 1e-6) / BIN_S))
        asked[place] += 1
        silent[place] += not responded
    return np.divide(silent, asked, out=np.full(bins, np.nan), where=asked > 0)


def score(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the figures of one split or of a scene of it."""
    above, below = _count_right(outcomes)
    (right, quiet), (events, stretches) = above.sum(0).tolist(), below.sum(0).tolist()
    late = [value for one in outcomes for value in one.latency_s if np.isfinite(value)]
    return {'recordings': len(outcomes), 'events': events, 'stretches': stretches,
            'trigger accuracy': quotients(above, below, share=True),
            'events triggered': wilson(right, events),
            'and as labelled': wilson(sum(sum(one.right) for one in outcomes), events),
            'quiet stretches quiet': wilson(quiet, stretches),
            'too much per hour': poisson(sum(one.too_much for one in outcomes),
                                         sum(one.hours for one in outcomes)),
            'latency, s': percentiles(late)}


def _count_right(outcomes: Sequence[Outcome]) -> tuple[np.ndarray, np.ndarray]:
    """Return right decisions and all [recordings, 2]: on due events, on quiet stretches."""
    return (np.array([[sum(one.triggered), sum(one.quiet)] for one in outcomes]),
            np.array([[len(one.due), len(one.quiet)] for one in outcomes]))


def _trigger_accuracy(outcomes: Sequence[Outcome]) -> float:
    right, asked = (each.sum(0) for each in _count_right(outcomes))
    there = asked > 0
    return float((right[there] / asked[there]).mean()) if there.any() else float('nan')


def compare(real: Sequence[Outcome], synthetic: Sequence[Outcome]) -> dict[str, Any]:
    """
    Return how recordings differ from their synthetic twins, which come in the same order.

    Accuracy and latency: real less synthetic; the silence rates of both: Pearson's correlation
    over bins.
    """
    pairs = list(zip(real, synthetic, strict=True))

    def difference(drawn: Sequence[tuple[Outcome, Outcome]]) -> float:
        gaps = [one - other for a, b in drawn
                for one, other in zip(a.latency_s, b.latency_s, strict=True)]
        return float(np.nanmean(gaps)) if np.isfinite(gaps).any() else float('nan')

    def correlation(drawn: Sequence[tuple[Outcome, Outcome]]) -> float:
        rates = np.concatenate([np.stack((a.silence, b.silence)) for a, b in drawn], axis=1)
        rates = rates[:, np.isfinite(rates).all(0)]
        if rates.shape[1] < 2 or (rates.std(1) == 0).any():
            return float('nan')
        return float(np.corrcoef(rates)[0, 1])

    def lost(drawn: Sequence[tuple[Outcome, Outcome]]) -> float:
        return _trigger_accuracy([a for a, _ in drawn]) - _trigger_accuracy(
            [b for _, b in drawn])
    statistics = {'trigger accuracy': lost, 'latency, s': difference,
                  'correlation of silence rates': correlation}
    return {name: bootstrap(pairs, statistic, rounds=ROUNDS)
            for name, statistic in statistics.items()}
