"""
``python -m bench plot FILE …``: pictures of what earlier runs wrote.

Owns the pictures: decisions over time (nodes), the parts of the assistant over time and in sum
(parts), the cost of a chunk over hours (hour). Measures nothing.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import CHUNK_NS
from bench.measure import Figure
from bench.parts import PARTS
from measure.plots import BLUE, GREEN, GREY, ORANGE, new_figure, save_figure

__all__ = ['PICTURES', 'draw', 'draw_queues', 'main']

COLOURS = dict(zip(PARTS, (GREY, BLUE, '#8bbbe0', '#b9a3d6', ORANGE, '#efc08a', GREEN,
                         '#a5d3a0', '#d5d8dc'),
                   strict=True))
_CHUNK_MS = CHUNK_NS / 1e6
Figures = dict[str, dict[str, Any]]


def _decisions(figures: Figures, title: str, path: Path) -> Path:
    """Draw each decision's latency over the time of the stream."""
    one = figures['decision latency, all']
    at, late = np.array(one['series']).T
    figure, axes = new_figure(9.5, 3.6)
    axes.scatter(at, late, s=7, color=BLUE, linewidths=0, label=f'decisions ({len(at)})')
    axes.axhline(one['p95'], color=ORANGE, linewidth=1.2, label=f'p95 {one["p95"]:.0f} ms')
    axes.axhline(_CHUNK_MS, color=GREY, linewidth=1.2, linestyle='--', label='a stall: 400 ms')
    axes.set(xlabel='time of the stream, s', ylabel='decision latency, ms', title=title,
             ylim=(0, max(1.1 * _CHUNK_MS, 1.05 * float(late.max()))), xlim=(0, at.max()))
    axes.legend(fontsize=8, loc='upper left', ncols=3)
    return save_figure(figure, path)


def _parts(figures: Figures, title: str, path: Path) -> Path:
    """Draw what each part took of each chunk, and of a minute."""
    from matplotlib import pyplot
    names = [part for part in PARTS if part in figures]
    figure, (left, right) = pyplot.subplots(
        1, 2, figsize=(11, 3.9), dpi=130, layout='constrained', width_ratios=(2.4, 1))
    at = np.array(figures[names[0]]['series'])[:, 0]
    low = np.zeros(len(at))
    for name in names:
        high = low + np.array(figures[name]['series'])[:, 1]
        left.fill_between(at, low, high, step='pre', color=COLOURS[name], linewidth=0, label=name)
        low = high
    left.axhline(_CHUNK_MS, color=GREY, linewidth=1.2, linestyle='--')
    left.set(xlabel='time of the stream, s', ylabel='processor time per chunk, ms', title=title,
             xlim=(at.min(), at.max()), ylim=(0, 1.05 * float(max(low.max(), _CHUNK_MS))))
    means = [figures[name]['value'] / _CHUNK_MS for name in names]
    right.barh(names[::-1], means[::-1], color=[COLOURS[name] for name in names[::-1]])
    for row, value in enumerate(means[::-1]):
        right.text(value, row, f' {value:.3f}', va='center', fontsize=8)
    right.set(xlabel=f'the same, s per s; sum {sum(means):.2f}',
              xlim=(0, 1.3 * max(means)))
    for axes in (left, right):
        axes.spines[['top', 'right']].set_visible(False)
    return save_figure(figure, path)


def _hour(figures: Figures, title: str, path: Path) -> Path:
    """Draw the cost of a chunk over the time of the stream."""
    at, cost = np.array(figures['cost of a chunk']['series']).T
    figure, axes = new_figure(9.5, 3.2)
    axes.plot(at / 60, cost, color=BLUE, linewidth=1.2)
    axes.set(xlabel='time of the stream, min', ylabel='ms per chunk (medians of 50)', title=title,
             ylim=(0, 1.3 * float(cost.max())), xlim=(0, at.max() / 60))
    return save_figure(figure, path)


PICTURES: dict[str, tuple[Callable[[Figures, str, Path], Path], str]] = {
    'nodes': (_decisions, 'Decisions in real time'),
    'parts': (_parts, 'Where the time goes'),
    'hour': (_hour, 'Cost of streaming, without a model')}
"""Part of a benchmark to what draws it and the title of its picture."""


def draw(file: Path, folder: Path) -> list[Path]:
    """Draw what a file holds; ConfigurationError where that is nothing."""
    try:
        document = json.loads(file.read_text(encoding='utf-8'))
        machine, results = document['machine'], document['results']
        sections = {name: {one['what']: one for one in results[name]} for name in PICTURES
                    if any('series' in one for one in results.get(name, ()))}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f'{file}: expected what python -m bench wrote ({error!r}); give '
                                 'another file') from error
    if not sections:
        raise ConfigurationError(f'{file}: expected values over time, found none; run python -m '
                                 f'bench with one of {", ".join(PICTURES)} again')
    folder.mkdir(parents=True, exist_ok=True)
    where = f'{machine["processor"]}, {machine["cores"]} cores'
    return [PICTURES[name][0](figures, f'{PICTURES[name][1]}: {_what(document, name)}{where}',
                              folder / f'bench_{name}.png')
            for name, figures in sections.items()]


def draw_queues(sections: Mapping[str, Sequence[Figure]], chunk_s: float, title: str,
                path: Path) -> Path:
    """Draw how late the decisions are over the time of a stream, with a queue and without."""
    figure, axes = new_figure(9.5, 3.6)
    for colour, (name, figures) in zip((BLUE, ORANGE), sections.items(), strict=True):
        one = next(one for one in figures if one.series)
        at, late = np.array(one.series).T
        axes.scatter(at, late, s=7, color=colour, linewidths=0,
                     label=f'{name}: p95 {one.p95:.0f} ms')
    axes.axhline(1000 * chunk_s, color=GREY, linewidth=1.2, linestyle='--',
                 label=f'a stall: {1000 * chunk_s:.0f} ms')
    axes.set(xlabel='time of the stream, s', ylabel='decision after its chunk, ms', title=title,
             xlim=(0, at.max()))
    axes.set_ylim(0, 1.25 * axes.get_ylim()[1])  # room for what the colours mean
    axes.legend(fontsize=8, loc='upper left', ncols=3)
    return save_figure(figure, path)


def _what(document: dict[str, Any], name: str) -> str:
    options = document.get('options', {})
    return '' if name == 'hour' else ''.join(
        f'{options[key]}, ' for key in ('runtime', 'dtype') if key in options)


def main(arguments: Sequence[str] | None = None) -> int:
    """Draw files and say where the pictures are."""
    parser = argparse.ArgumentParser(
        prog='python -m bench plot', description='Pictures of what earlier runs wrote as JSON: '
        'nodes, parts and hour.')
    parser.add_argument('files', nargs='+', type=Path, metavar='FILE')
    parser.add_argument('--out', type=Path, default=Path(__file__).parent / 'results',
                        metavar='FOLDER', help='where the PNG go (default: bench/results)')
    options = parser.parse_args(arguments)
    for file in options.files:
        for path in draw(file, options.out):
            print(path)
    return 0
