"""
The pictures of the evaluation, as PNG.

Owns how figures look: one colour per thing in all pictures, intervals always drawn. Knows no
metric: it draws what it is given.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from audio_interaction_ros.errors import MissingDependencyError
from audio_interaction_ros.protocol import CHUNK_S
from measure.intervals import Estimate

__all__ = ['BLUE', 'GREEN', 'GREY', 'ORANGE', 'draw_bars', 'draw_curves', 'draw_reliability',
           'draw_timeline', 'draw_tradeoff', 'new_figure', 'new_figures', 'save_figure']

BLUE, ORANGE, GREEN, GREY = '#2b6ca3', '#d9822b', '#3a8f5c', '#8a8f98'


def new_figure(width: float, height: float) -> tuple[Any, Any]:
    """Return a figure of so many inches, and its axes."""
    figure, axes = new_figures(1, 1, width, height)
    return figure, axes[0, 0]


def new_figures(rows: int, columns: int, width: float, height: float) -> tuple[Any, Any]:
    """Return a figure of so many inches, and its axes [rows, columns]."""
    try:
        import matplotlib
    except ImportError as error:
        raise MissingDependencyError('plots need matplotlib; run: pip install -r '
                                     'requirements/eval.txt') from error
    matplotlib.use('Agg')
    from matplotlib import pyplot
    figure, all_axes = pyplot.subplots(rows, columns, figsize=(width, height), dpi=130,
                                       layout='constrained', squeeze=False)
    for axes in all_axes.flat:
        axes.spines[['top', 'right']].set_visible(False)
        axes.grid(color='#e4e6e9', linewidth=0.7)
        axes.set_axisbelow(True)
    return figure, all_axes


def save_figure(figure: Any, path: Path) -> Path:
    """Write a figure as PNG and forget it."""
    from matplotlib import pyplot
    figure.savefig(path)
    pyplot.close(figure)
    return path


def draw_reliability(path: Path, curves: dict[str, dict[str, Any]]) -> Path:
    """Draw calibration curves (intervals.calibration) with their counts written beside."""
    figure, axes = new_figure(5.6, 5.2)
    axes.plot([0, 1], [0, 1], color=GREY, linewidth=1, linestyle='--', label='calibrated')
    for colour, (name, curve) in zip((BLUE, ORANGE), curves.items(), strict=False):
        points = curve['points']
        x, y = [p['score'] for p in points], [p['share'] for p in points]
        ends = [[max(0.0, p['share'] - p['low']) for p in points],
                [max(0.0, p['high'] - p['share']) for p in points]]
        axes.errorbar(x, y, yerr=ends, color=colour, marker='o', markersize=4, capsize=2,
                      linewidth=1.4, label=f'{name}: n = {curve["n"]}, ECE {curve["ece"]:.3f}, '
                      f'Brier {curve["brier"]:.3f}')
        for point in points:
            axes.annotate(str(point['n']), (point['score'], point['share']), fontsize=6.5,
                          color=colour, textcoords='offset points',
                          xytext=(4, 3) if colour == BLUE else (-4, 9),
                          ha='left' if colour == BLUE else 'right')
    axes.set(xlabel='p_respond (mean of the bin)', ylabel='share in which a reply was due',
             xlim=(-0.04, 1.02), ylim=(-0.02, 1.18), title='Calibration of p_respond')
    axes.legend(fontsize=7.5, loc='upper left')
    return save_figure(figure, path)


def draw_tradeoff(path: Path, curves: dict[str, Sequence[dict[str, Any]]], chosen: float,
                  goal: tuple[float, float]) -> Path:
    """
    Draw recall over false alarms per hour by threshold; the goal is (rate, recall).

    The first two curves are drawn with their intervals and the chosen threshold, others as what
    stands beside.
    """
    figure, axes = new_figure(7.2, 5.0)
    axes.fill_between([0, goal[0]], goal[1], 1.0, color=GREEN, alpha=0.18, linewidth=0,
                      label=f'goal: recall ≥ {goal[1]:.0%} at ≤ {goal[0]:g}/h')
    top = 10.0
    for (name, points), colour in zip(curves.items(), (ORANGE, BLUE, GREY, '#555b63'),
                                      strict=False):
        rate, recall = ([point[key].value for point in points]
                        for key in ('false_per_hour', 'recall'))
        top = max(top, *(value for value in rate if math.isfinite(value)), 0.0)
        axes.plot(rate, recall, color=colour, marker='o', markersize=3, linewidth=1.4,
                  linestyle='-' if colour in (ORANGE, BLUE) else ':', label=name)
        if colour not in (ORANGE, BLUE):
            continue
        low, high = ([getattr(point['recall'], end) for point in points]
                     for end in ('low', 'high'))
        axes.fill_between(rate, low, high, color=colour, alpha=0.12, linewidth=0)
        nearest = min(points, key=lambda point: abs(point['threshold'] - chosen))
        axes.plot(nearest['false_per_hour'].value, nearest['recall'].value, marker='D',
                  color=colour, markeredgecolor='black', markersize=8, linestyle='',
                  label=f'{name} at the configured {chosen:.2f}')
        if colour == BLUE:
            _annotate(axes, points)
    axes.plot(0, 0, marker='s', color=GREY, markersize=7, linestyle='', label='always silent')
    axes.set_xscale('symlog', linthresh=1.0)
    axes.set(xlabel='false alarms per hour of background (linear below 1)', ylabel='recall',
             xlim=(-0.05, top * 1.3), ylim=(-0.03, 1.03),
             title='What a threshold costs (bands: 95 % interval of recall)')
    axes.xaxis.set_major_formatter(lambda value, _: f'{value:g}')
    axes.legend(fontsize=7.5, loc='upper center', bbox_to_anchor=(0.5, -0.14), ncols=2,
                frameon=False)
    return save_figure(figure, path)


def _annotate(axes: Any, points: Sequence[dict[str, Any]]) -> None:
    """Write thresholds beside the points of a curve where they do not cover each other."""
    written: list[tuple[float, float]] = []
    for point in points:
        place = (math.log10(1 + point['false_per_hour'].value), point['recall'].value)
        if not math.isfinite(sum(place)) or any(
                math.dist(place, other) < 0.12 for other in written):
            continue
        written.append(place)
        axes.annotate(f'{point["threshold"]:.2f}', fontsize=6.5, color=BLUE,
                      xy=(point['false_per_hour'].value, point['recall'].value),
                      textcoords='offset points', xytext=(5, -9))


def draw_bars(path: Path, groups: dict[str, dict[str, Estimate]], *, title: str, label: str,
              top: float | None = 1.0) -> Path:
    """Draw groups of horizontal bars: {row: {series: estimate}}, with intervals."""
    series = list(dict.fromkeys(name for row in groups.values() for name in row))
    figure, axes = new_figure(7.0, 1.3 + 0.22 * len(groups) * (len(series) + 0.6))
    high = 0.8 / max(1, len(series))
    for index, (name, colour) in enumerate(zip(series, (BLUE, ORANGE, GREEN, GREY) * 3,
                                               strict=False)):
        rows = [(place, row[name]) for place, row in enumerate(groups.values()) if name in row
                and row[name].value == row[name].value]
        y = [place + (index - (len(series) - 1) / 2) * high for place, _ in rows]
        values = [estimate.value for _, estimate in rows]
        ends = [[max(0.0, e.value - e.low) for _, e in rows],
                [max(0.0, e.high - e.value) for _, e in rows]]
        axes.barh(y, values, height=high * 0.9, color=colour, label=name)
        axes.errorbar(values, y, xerr=ends, fmt='none', ecolor='#30343a', elinewidth=0.9,
                      capsize=2)
    axes.set_yticks(range(len(groups)), list(groups), fontsize=8)
    axes.invert_yaxis()
    axes.set(title=title, xlabel=label)
    axes.set_xlim(0, top)
    if len(series) > 1:
        axes.legend(fontsize=7.5, loc='upper center', bbox_to_anchor=(0.5, -0.08 - 0.6 / len(
            groups)), ncols=len(series), frameon=False)
    return save_figure(figure, path)


def draw_curves(path: Path, curves: dict[str, dict[float, Estimate]], *, title: str, x: str,
                y: str, beside: dict[str, dict[float, float]] | None = None,
                logarithmic: bool = False, ticks: bool = True) -> Path:
    """
    Draw figures with their intervals over a number: {curve: {place: estimate}}.

    ``beside`` are curves of others, without intervals: dotted. ``ticks``: a mark at each place.
    """
    figure, axes = new_figure(6.2, 4.2)
    looks = [(colour, line) for line in ('-', '--', ':') for colour in (BLUE, ORANGE, GREEN, GREY)]
    for (name, points), (colour, line) in zip(curves.items(), looks, strict=False):
        places, estimates = list(points), list(points.values())
        ends = [[max(0.0, e.value - e.low) for e in estimates],
                [max(0.0, e.high - e.value) for e in estimates]]
        axes.errorbar(places, [e.value for e in estimates], yerr=ends, color=colour, marker='o',
                      markersize=4, capsize=2, linewidth=1.4, linestyle=line, label=name)
    for name, others in (beside or {}).items():
        axes.plot(list(others), list(others.values()), color=GREY, marker='s', markersize=4,
                  linestyle=':', linewidth=1.2, label=name)
    if logarithmic:
        axes.set_xscale('log', base=2)
    if ticks:
        axes.set_xticks(sorted({place for points in curves.values() for place in points}))
    axes.xaxis.set_major_formatter(lambda value, _: f'{value:g}')
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.legend(fontsize=7.5, frameon=False)
    return save_figure(figure, path)


def draw_timeline(path: Path, streams: Sequence[dict[str, Any]], minutes: float,
                  compared_min: float) -> Path:
    """Draw long streams: per stream p [chunks] and times of found, missed, false, in seconds."""
    figure, axes = new_figure(9.5, 1.4 + 0.9 * len(streams))
    for row, stream in enumerate(streams):
        p = stream['p']
        axes.plot([CHUNK_S * (i + 1) / 60 for i in range(len(p))],
                  [row + 0.35 - 0.7 * x for x in p], color='#b9c3cf', linewidth=0.5)
        for name, colour, marker in (('found', GREEN, 'o'), ('missed', '#b3261e', 'x'),
                                     ('false', ORANGE, 'v')):
            axes.plot([t / 60 for t in stream[name]], [row] * len(stream[name]), marker=marker,
                      color=colour, linestyle='', markersize=6, label=name if not row else None)
    for begin in (0, minutes - compared_min):
        axes.axvspan(begin, begin + compared_min, color=BLUE, alpha=0.08, linewidth=0)
    axes.set_yticks(range(len(streams)), [stream['name'] for stream in streams])
    axes.set(xlim=(0, minutes), ylim=(len(streams) - 0.4, -0.6), xlabel='minutes',
             title='Long streams: shaded parts are the same audio')
    figure.legend(fontsize=7.5, ncols=3, loc='outside lower center', frameon=False)
    return save_figure(figure, path)
