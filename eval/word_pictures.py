"""
Pictures of words while they are spoken: what stood on the screen when, and how late.

Owns how they look. Knows no model: it draws what ``eval.shown_words`` kept.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from measure import plots

__all__ = ['draw_latencies', 'draw_words']

GOALS_S = {'first word': 1.2, 'final': 0.8}
COLOURS = (plots.BLUE, plots.ORANGE, plots.GREEN, plots.GREY)
_WRAPPED = 46


def draw_words(out: Path, measured: dict[str, Any]) -> list[Path]:
    """Draw what was measured of words: ``words.png`` and ``latency.png``."""
    paths = [draw_screens(out / 'words.png', measured['drawn'])] if measured['drawn'] else []
    return [*paths, draw_latencies(out / 'latency.png', {
        kind.removeprefix('speech_'): row['latencies']
        for kind, row in measured['kinds'].items()})]


def draw_screens(path: Path, clips: Sequence[dict[str, Any]]) -> Path:
    """Draw for each clip how many words were spoken, shown, stable and final at each moment."""
    figure, _ = plots.new_figure(8.2, 2.7 * len(clips))
    figure.clf()
    for place, (clip, axes) in enumerate(zip(clips, np.atleast_1d(
            figure.subplots(len(clips), 1)), strict=True)):
        end = max([clip['ends'][-1] + 2.0, *(at + spent for at, spent, *_ in clip['shown'])])
        _draw_steps(axes, [(0.0, 0), *((at, count + 1) for count, at in enumerate(clip['ends']))],
                    end, 'spoken', plots.GREY, '-')
        shown = [(at + spent, len(text.split())) for at, spent, text, _ in clip['shown']]
        stable = [(at + spent, len(text.split())) for at, spent, _, text in clip['shown']]
        _draw_steps(axes, [(0.0, 0), *shown], end, 'shown', plots.ORANGE, '-')
        _draw_steps(axes, [(0.0, 0), *stable], end, 'stable', plots.BLUE, '-')
        for number, (at, spent, _) in enumerate(clip['finals']):
            axes.axvline(at + spent, color=plots.GREEN, linewidth=1.2, linestyle='--',
                         label=None if number else 'final')
        axes.set(xlim=(0, end), ylabel='words')
        axes.set_title(' '.join(text for *_, text in clip['finals'])[:2 * _WRAPPED], fontsize=8)
        axes.spines[['top', 'right']].set_visible(False)
        axes.grid(color='#e4e6e9', linewidth=0.7)
        if not place:
            axes.legend(fontsize=7.5, loc='upper left')
    axes.set_xlabel('seconds; computing is counted')
    return plots.save_figure(figure, path)


def _draw_steps(axes: Any, steps: Sequence[tuple[float, int]], end: float, name: str,
                colour: str, style: str) -> None:
    at, counts = zip(*steps, (end, steps[-1][1]), strict=True)
    axes.step(at, counts, where='post', label=name, color=colour, linestyle=style, linewidth=1.6)


def draw_latencies(path: Path, kinds: dict[str, dict[str, list[float]]]) -> Path:
    """Draw which share of first words and of finals was there after how many seconds."""
    names = [name for name in GOALS_S if any(name in row for row in kinds.values())]
    figure, _ = plots.new_figure(4.4 * len(names), 3.4)
    figure.clf()
    for name, axes in zip(names, np.atleast_1d(figure.subplots(1, len(names))), strict=True):
        for number, (kind, row) in enumerate(kinds.items()):
            late = np.sort(np.array([value for value in row[name] if value == value]))
            if len(late):
                axes.step(late, np.arange(1, len(late) + 1) / len(late), where='post',
                          label=f'{kind} ({len(late)})', linewidth=1.4,
                          color=COLOURS[number % len(COLOURS)],
                          linestyle='-' if number < len(COLOURS) else '--')
        axes.axvline(GOALS_S[name], color='#30343a', linewidth=1, linestyle=':',
                     label=f'goal of the median: {GOALS_S[name]:g} s')
        axes.set(title=f'{name}: seconds after it was said', xlabel='s, computing counted',
                 ylabel='share', ylim=(0, 1.02), xlim=(-0.5, 4.0))
        axes.spines[['top', 'right']].set_visible(False)
        axes.grid(color='#e4e6e9', linewidth=0.7)
        axes.legend(fontsize=6.5, loc='lower right')
    return plots.save_figure(figure, path)
