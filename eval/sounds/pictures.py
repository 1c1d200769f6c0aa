"""
The pictures of alerts that sounds decide: recall per class, and what a threshold costs.

Owns how they look. Knows no metric: it draws what it is given.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from measure import plots

__all__ = ['draw', 'draw_costs']

COLOURS = (plots.BLUE, plots.ORANGE, plots.GREEN, '#8e5ea2', plots.GREY, '#b3261e')
GOAL_RATE, GOAL_RECALL = 1.0, 0.85
MOST_BARS = 4


def draw(out: Path, measured: Mapping[str, Any]) -> None:
    """Draw all pictures into a folder."""
    settings = measured['settings']
    if settings:
        shown = list(settings)[:1] + list(settings)[2:][:MOST_BARS - 1] if len(
            settings) > MOST_BARS else list(settings)
        first = next(iter(settings.values()))
        plots.draw_bars(out / 'recall.png', {
            f'{label} ({row["recordings"]})': {name: settings[name]['classes'][label]['named']
                                               for name in shown}
            for label, row in first['classes'].items()},
            title='Rightly named per class (source recordings)', label='recall, 95 % interval')
    draw_costs(out / 'tradeoff.png', measured['trade_off'], {
        name: (part['background']['false_alarms_per_hour'].value,
               part['recall']['named_mean_of_classes'].value)
        for name, part in settings.items()})


def draw_costs(path: Path, curves: Mapping[str, Sequence[Mapping[str, Any]]],
               chosen: Mapping[str, tuple[float, float]]) -> Path:
    """Draw recall over false alarms per hour for all scorers, and the settings as diamonds."""
    figure, axes = plots.new_figure(7.2, 5.4)
    axes.fill_between([0, GOAL_RATE], GOAL_RECALL, 1.0, color=plots.GREEN, alpha=0.18,
                      linewidth=0, label=f'recall ≥ {GOAL_RECALL:.0%} at ≤ {GOAL_RATE:g}/h')
    for colour, (name, points) in zip(COLOURS * 2, curves.items(), strict=False):
        axes.plot([point['false_per_hour'].value for point in points],
                  [point['named'].value for point in points], color=colour, marker='o',
                  markersize=3, linewidth=1.4, label=name)
        axes.fill_between([point['false_per_hour'].value for point in points],
                          [point['named'].low for point in points],
                          [point['named'].high for point in points], color=colour, alpha=0.07,
                          linewidth=0)
    colours = dict(zip(curves, COLOURS * 2, strict=False))
    for name, (rate, recall) in chosen.items():
        axes.plot(rate, recall, marker='D' if name in colours else '*', linestyle='',
                  color=colours.get(name, 'black'), markeredgecolor='black',
                  markersize=8 if name in colours else 13,
                  label=None if name in colours else name)
    axes.set_xscale('symlog', linthresh=1.0)
    axes.set(xlabel='false alarms per hour of background (linear below 1)',
             ylabel='recall rightly named, mean of classes', xlim=(-0.05, 400), ylim=(0, 1.03),
             title='What a threshold costs (diamonds: chosen on validation)')
    axes.xaxis.set_major_formatter(lambda value, _: f'{value:g}')
    axes.legend(fontsize=7.5, loc='upper center', bbox_to_anchor=(0.5, -0.13), ncols=3,
                frameon=False)
    return plots.save_figure(figure, path)
