"""
The table of arms as Markdown and its pictures: bars per arm, and accuracy over lambda.

Owns their form. Figures are ``figures``', what the paper prints is ``arms``'.
"""

from collections.abc import Mapping
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
    parts = {ARMS[name].title: {measure: arm['figures'][measure] for measure in SHOWN}
             for name, arm in figures.items() if ARMS[name].loss_weight is None or
             name == FULL.name}
    pictures = [draw_bars(out / 'arms.png', parts, title='Without a part of the recipe',
                          label='share (95 % over seeds and streams)')]
    weights = {ARMS[name].loss_weight: arm['figures'] for name, arm in figures.items()
               if ARMS[name].loss_weight is not None}
    if len(weights) > 1:
        ordered = sorted(weights.items())
        pictures.append(draw_curves(
            out / 'lambda.png', {measure: {weight: each[measure] for weight, each in ordered}
                                 for measure in (*SHOWN, 'text accuracy')},
            title='Weight of the decision in the loss', x='λ', y='share', logarithmic=True,
            beside={'trigger accuracy in the paper': {
                arm.loss_weight: arm.paper for arm in sorted(
                    ARMS.values(), key=lambda one: one.loss_weight or 0)
                if arm.loss_weight is not None and arm.paper is not None}}))
    return pictures
