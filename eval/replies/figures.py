"""The figures of a model's replies, with the policies without a model beside. Hears nothing."""

from collections.abc import Sequence
from typing import Any

from eval.alert_figures.calibration import calibrations
from eval.alert_figures.outcome import StreamOutcome, apply_constant
from eval.alert_figures.summary import figures
from eval.alert_figures.trade_off import BARS, choose_pair, list_pairs, trade_off
from held_out.classes import EVENTS

__all__ = ['SIDES', 'measure', 'pick_pairs']

SIDES = ('validation', 'test')


def measure(heard: Sequence[StreamOutcome], threshold: float,
            min_confidence: float = 0.0) -> dict[str, Any]:
    """
    Return the figures of a model with those of the two policies without one beside.

    All held-out events count, but backgrounds of the test side only: thresholds are chosen on the
    others.
    """
    blind = [stream for stream in heard if stream.events or stream.side != 'validation']
    sides = {which: [stream for stream in heard if stream.side == which] for which in SIDES}
    return {'threshold': threshold, 'min_confidence': min_confidence, 'model': figures(blind),
            'always_silent': figures(apply_constant(blind, respond=False)),
            'always_respond': figures(apply_constant(blind, respond=True)),
            'classes_without_recordings': sorted(
                set(EVENTS) - {event.label for stream in heard for event in stream.events}),
            'calibration': calibrations(blind),
            'sides': {which: figures(mine) for which, mine in sides.items()},
            'trade_off': {which: trade_off(mine, min_confidence=min_confidence)
                          for which, mine in sides.items()}}


def pick_pairs(heard: Sequence[StreamOutcome], rate: float,
               bars: Sequence[float] = BARS) -> dict[str, Any]:
    """
    Return the pairs that validation allows for a rate, and what the best gives on both sides.

    A pair is a min_confidence with the lowest threshold that has at most ``rate`` false alarms an
    hour. The test side tells of the chosen pair only.
    """
    sides = {which: [stream for stream in heard if stream.side == which] for which in SIDES}
    points = list_pairs(sides['validation'], rate, bars)
    best = choose_pair(points)
    choice: dict[str, Any] = {'rate': rate, 'pairs': points, 'threshold': None}
    if best is not None:
        choice |= {key: best[key] for key in ('threshold', 'min_confidence')}
        choice |= {which: trade_off(mine, [best['threshold']], best['min_confidence'])[0]
                   for which, mine in sides.items()}
    return choice
