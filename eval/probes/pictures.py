"""The pictures of the probes: a ratio by depth, and a map of heads."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from measure.plots import BLUE, GREY, ORANGE, new_figure, new_figures, save_figure

__all__ = ['draw_continuity', 'draw_heads']


def draw_continuity(path: Path, depths: Mapping[str, Mapping[str, Any]],
                    paper: Mapping[str, float]) -> Path:
    """Draw both ratios over depth, with their intervals, and what the paper has."""
    figure, axes = new_figure(9.0, 4.2)
    names = list(depths)
    for key, label, colour in (('ratio', 'across a seam / inside a chunk', BLUE),
                               ('excess', 'the same, above features half a clip apart', ORANGE)):
        values = [depths[name][key] for name in names]
        axes.plot(range(len(names)), [value.value for value in values], color=colour, marker='o',
                  markersize=3, linewidth=1.4, label=label)
        axes.fill_between(range(len(names)), [value.low for value in values],
                          [value.high for value in values], color=colour, alpha=0.15, linewidth=0)
    there = [name for name in paper if name in depths]
    axes.plot([names.index(name) for name in there], [paper[name] for name in there],
              color=GREY, marker='x', linestyle='', label='paper, 3B')
    axes.axhline(1.0, color=GREY, linewidth=0.8, linestyle='--')
    axes.set_xticks(range(len(names)), [name.removeprefix('layer ') for name in names],
                    rotation=90, fontsize=7)
    axes.set(ylabel='ratio of mean cosines', xlabel='encoder, projector, layers of the decoder',
             title='Neighbouring features across chunks')
    axes.legend(fontsize=8, frameon=False)
    return save_figure(figure, path)


def draw_heads(path: Path, lanes: Mapping[str, Mapping[str, Any]]) -> Path:
    """Draw how far the log-odds move without each head, a map for each lane."""
    shape = np.shape(next(iter(lanes.values()))['moved'])
    figure, rows = new_figures(1, len(lanes), 1.6 + 0.28 * shape[1] * len(lanes),
                               1.6 + 0.17 * shape[0])
    for axes, (name, lane) in zip(rows[0], lanes.items(), strict=True):
        axes.grid(visible=False)
        image = axes.imshow(lane['moved'], aspect='auto', cmap='viridis', origin='lower')
        axes.set(title=name, xlabel='head', ylabel='layer')
        figure.colorbar(image, ax=axes, label='mean change of log-odds')
    return save_figure(figure, path)
