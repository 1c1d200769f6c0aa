"""
Where a model stands among those of which arXiv 2606.05121 prints a figure.

Owns the published figures (``eval/data/published.yaml``) and their order. Knows no page.
"""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from audio_interaction_ros.strict_yaml import read_yaml
from eval.suites.table import SUITES
from measure.intervals import Estimate

__all__ = ['OURS', 'PAPER', 'Place', 'rank']

OURS = 'no benchmark'
"""Key of figures that were taken on items of our own."""
PAPER = 'Audio-Interaction 3B (the paper)'
_PUBLISHED = Path(__file__).parents[1] / 'data' / 'published.yaml'
_LESS_IS_BETTER = 'word error rate'


class Place(NamedTuple):
    """One row of a leaderboard."""

    who: str
    value: float
    measured: Estimate | None = None
    """What was measured here; None for what is published."""


@cache
def _read_published() -> Mapping[str, Mapping[str, float]]:
    found: Mapping[str, Mapping[str, float]] = read_yaml(_PUBLISHED)
    return found


def rank(name: str, part: Mapping[str, Any], model: str) -> tuple[str, list[Place]]:
    """
    Return the figure that a suite is ranked by and the places, best first.

    There are none where the figure was not measured, or on items of our own.
    """
    figure, ours = next(iter(SUITES[name].paper.items()))
    mine = part.get(figure)
    if OURS in part or not isinstance(mine, Estimate):
        return figure, []
    places = [Place(who, value) for who, value in _read_published().get(name, {}).items()]
    places += [Place(PAPER, ours), Place(model, mine.value, mine)]
    return figure, sorted(places, key=lambda place: place.value,
                          reverse=figure != _LESS_IS_BETTER)
