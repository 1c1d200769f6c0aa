"""
The table of arms as Markdown and its pictures: bars per arm, and curves.

Owns their form. Figures are ``figures``', what the paper prints is ``arms``'.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from measure.intervals import Estimate
from measure.plots import draw_bars, draw_curves
from train.ablate.arms import ARMS, FULL
from train.ablate.figures import MEASURES

__all__ = ['draw', 'say_table']

SHOWN = ('trigger accuracy', 'balanced accuracy')
"""Drawn; the rest stands in the table."""


def say_table(figures: Mapping[str, Mapping[str, Any]], silent: Mapping[str, float]) -> str:
    """
    Return two tables: figures, then differences to the full recipe.

    ``silent`` are the figures of a model that never speaks. A difference whose interval does not
    hold 0 is bold.
    """
    heads = ['arm', 'seeds', *MEASURES]
    lines = [_row([*heads, 'trigger accuracy in the paper']), _row(['---'] * (len(heads) + 1))]
    for name, arm in figures.items():
        paper = ARMS[name].paper
        lines.append(_row([ARMS[name].title, len(arm['seeds']), *arm['figures'].values(),
                           '–' if paper is None else f'{paper:.2f}']))
    lines.append(_row(['never speaks', '–', *(f'{silent[name]:.2f}'.replace('nan', '–')
                                             for name in MEASURES), '–']))
    lines += ['', _row([f'less the {FULL.title}', *heads[1:]]), _row(['---'] * len(heads))]
    lines += [_row([ARMS[name].title, len(arm['seeds']),
                    *map(_say_difference, arm['differences'].values())])
              for name, arm in figures.items() if arm['differences']]
    return '\n'.join(lines) + '\n'


def _row(cells: list[Any]) -> str:
    return '| ' + ' | '.join(map(str, cells)) + ' |'


def _say_difference(estimate: Estimate) -> str:
    if estimate.value != estimate.value:
        return '–'
    text = f'{estimate.value:+.2f} [{estimate.low:+.2f}, {estimate.high:+.2f}]'
    return f'**{text}**' if estimate.low > 0 or estimate.high < 0 else text


def draw(figures: Mapping[str, Mapping[str, Any]], out: Path) -> list[Path]:
    """Draw what was trained into a folder; return the pictures."""
    shown = {arm: figures[arm.name]['figures'] for arm in ARMS.values() if arm.name in figures}
    parts = {arm.title: {measure: each[measure] for measure in SHOWN}
             for arm, each in shown.items() if arm is FULL or not arm.changes}
    pictures = [draw_bars(out / 'arms.png', parts, title='Without a part of the recipe',
                          label='share (95 % over seeds and streams)')]
    weights = {arm.loss_weight: each for arm, each in shown.items() if arm.loss_weight is not None}
    if len(weights) > 1:
        pictures.append(draw_curves(
            out / 'lambda.png', _curves(weights, (*SHOWN, 'text accuracy')), logarithmic=True,
            title='Weight of the decision in the loss', x='λ', y='share',
            beside={'trigger accuracy in the paper': dict(sorted(
                (arm.loss_weight, arm.paper) for arm in ARMS.values()
                if arm.loss_weight is not None and arm.paper is not None))}))
    chunks = {arm.corpus.chunk_s: each for arm, each in shown.items()
              if arm is FULL or arm.corpus.chunk_s != FULL.corpus.chunk_s}
    if len(chunks) > 1:
        pictures.append(draw_curves(
            out / 'chunks.png', _curves(chunks, ('trigger accuracy', 'text accuracy')),
            title='What is heard at once', x='chunk in s', y='share'))
    return pictures


def _curves(points: Mapping[float, Mapping[str, Estimate]],
            measures: Sequence[str]) -> dict[str, dict[float, Estimate]]:
    return {measure: {place: points[place][measure] for place in sorted(points)}
            for measure in measures}
