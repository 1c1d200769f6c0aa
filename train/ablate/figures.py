"""
From counts to figures: accuracies of each arm and their differences to the full recipe.

Owns which counts make which figure. An interval holds chance of seeds and of streams; a
difference is taken on the seeds that both arms have, over the same streams.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from measure.intervals import crossed_quotients
from train.ablate.arms import FULL
from train.ablate.score import ASSISTANT, LaneCounts

__all__ = ['MEASURES', 'always_silent', 'figures_of']

MEASURES: dict[str, tuple[tuple[str, str], ...]] = {
    'trigger accuracy': (('events_right', 'events'),),
    'balanced accuracy': (('respond_right', 'respond_due'), ('silence_right', 'silence_due')),
    'text accuracy': (('text_right', 'text'),),
    'answers about earlier turns': (('review_right', 'review'),),
    'kept silent in silent scenes': (('calm_right', 'calm_events'),)}
"""Figure: counts above and below, the mean where there are two."""
ANY_LANE = ('text accuracy',)
"""Of these every lane counts, of others the assistant's alone."""

Seeds = Mapping[int, Sequence[LaneCounts]]
"""Counts of every held-out sample by seed."""


def _stack(seeds: Seeds, chosen: Sequence[int], measure: str) -> tuple[np.ndarray, np.ndarray]:
    """Return what is above and below [seeds, streams, columns]."""
    streams = {stream: place for place, stream in enumerate(
        dict.fromkeys(row.stream for row in seeds[chosen[0]]))}
    names = MEASURES[measure]
    table = np.zeros((2, len(chosen), len(streams), len(names)))
    for place, seed in enumerate(chosen):
        for row in seeds[seed]:
            if row.lane == ASSISTANT or measure in ANY_LANE:
                for column, pair in enumerate(names):
                    table[:, place, streams[row.stream], column] += [
                        getattr(row, name) for name in pair]
    return table[0], table[1]


def figures_of(counts: Mapping[str, Seeds]) -> dict[str, dict[str, Any]]:
    """
    Return by arm: its seeds, its figures, and what it has more than the full recipe.

    ``counts`` are by name of the arm and seed; arms without any are left out. A difference is
    there where an arm shares a seed with the full recipe.
    """
    whole = counts.get(FULL.name, {})
    result: dict[str, dict[str, Any]] = {}
    for name, seeds in counts.items():
        if not seeds:
            continue
        shared = sorted(set(seeds) & set(whole)) if name != FULL.name else []
        result[name] = {
            'seeds': sorted(seeds),
            'figures': {measure: crossed_quotients(*_stack(seeds, sorted(seeds), measure))
                        for measure in MEASURES},
            'differences': {measure: crossed_quotients(
                *_stack(seeds, shared, measure), against=_stack(whole, shared, measure))
                for measure in MEASURES} if shared else {}}
    return result


def always_silent(rows: Sequence[LaneCounts]) -> dict[str, float]:
    """Return what a model that never speaks would reach on the same streams."""
    own = [row for row in rows if row.lane == ASSISTANT]
    events = sum(row.events for row in own)
    return {'trigger accuracy': (1 - sum(row.events_due for row in own) / events
                                 if events else float('nan')),
            'balanced accuracy': 0.5, 'text accuracy': float('nan'),
            'answers about earlier turns': float('nan'), 'kept silent in silent scenes': 1.0}
