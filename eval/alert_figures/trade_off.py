"""What another threshold or min_confidence would give, and which pair of them to take."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from eval.alert_figures.false_alarms import alarm_rate, chatter_rate, match_backgrounds
from eval.alert_figures.outcome import StreamOutcome, end_of
from eval.alert_figures.recall import (
    cases_of,
    detected_by_class,
    match_streams,
    named_by_class,
)
from eval.matching import GivenReply

__all__ = ['BARS', 'THRESHOLDS', 'apply_threshold', 'choose_pair', 'list_pairs',
           'pick_threshold', 'trade_off']

THRESHOLDS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7,
              0.75, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999)
FINE = (*(round(0.1 + 0.01 * i, 2) for i in range(90)), 0.995, 0.999)
"""Thresholds that one is picked from."""
BARS = (0.0, 0.3, 0.4, 0.5, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
"""Values of min_confidence that one is picked from, with a threshold each."""
SAME = 0.01
"""Recalls that differ by less are taken for the same when a pair is chosen."""


def apply_threshold(stream: StreamOutcome, threshold: float,
                    min_confidence: float = 0.0) -> StreamOutcome:
    """
    Return a stream with the replies of another pair: one after each chunk that reaches threshold.

    What the model would have been less sure of than ``min_confidence`` is not said. Exact for the
    first reply of a stream. For later ones it is a model: the lane that gave p never replied, so
    its context has no replies in it, told or withheld. Where nobody asked what it would have said
    (a tagger), each is an alarm.
    """
    known = {chunk: (said, sure) for chunk, said, sure in stream.asides}

    def reply_at(chunk: int) -> tuple[GivenReply, float]:
        return known.get(chunk, (GivenReply(at=end_of(chunk), urgent=True), 1.0))
    said = [reply_at(chunk) for chunk, p in enumerate(stream.p) if p >= threshold]
    return replace(stream, computing=(), replies=tuple(
        reply for reply, sure in said if sure >= min_confidence))


def trade_off(heard: Sequence[StreamOutcome], thresholds: Sequence[float] = THRESHOLDS,
              min_confidence: float = 0.0) -> list[dict[str, Any]]:
    """Return recall (mean of classes) and false alarms and chatter per hour by threshold."""
    points = []
    for threshold in thresholds:
        moved = [apply_threshold(stream, threshold, min_confidence) for stream in heard]
        cases, backgrounds = cases_of(match_streams(moved)), match_backgrounds(moved)
        points.append({
            'threshold': threshold, 'min_confidence': min_confidence,
            'recall': detected_by_class(cases),
            'named': named_by_class(cases),
            'false_per_hour': alarm_rate(backgrounds),
            'chatter_per_hour': chatter_rate(backgrounds)})
    return points


def pick_threshold(heard: Sequence[StreamOutcome], rate: float,
                   min_confidence: float = 0.0) -> float | None:
    """Return the lowest threshold with at most ``rate`` false alarms an hour; None if none has."""
    for threshold in FINE:
        moved = [apply_threshold(stream, threshold, min_confidence) for stream in heard
                 if not stream.events]
        if alarm_rate(match_backgrounds(moved)).value <= rate:
            return threshold
    return None


def list_pairs(heard: Sequence[StreamOutcome], rate: float,
               bars: Sequence[float] = BARS) -> list[dict[str, Any]]:
    """Return a point of the trade-off for each min_confidence, at the threshold it allows."""
    allowed = [(bar, pick_threshold(heard, rate, bar)) for bar in bars]
    return [trade_off(heard, [threshold], bar)[0] for bar, threshold in allowed
            if threshold is not None]


def choose_pair(points: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """
    Return the pair with the highest recall; of those with the same, the one of least chatter.

    Where chatter is the same too, the one that withholds least. None of no pairs.
    """
    if not points:
        return None
    best = max(point['recall'].value for point in points)
    return min((point for point in points if not point['recall'].value <= best - SAME),
               key=lambda point: (point['chatter_per_hour'].value, point['min_confidence']))
