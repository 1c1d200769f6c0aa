"""The picture of what was heard: loudness above, a row per sound with its scores below."""

from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.cli.sound_timeline import SoundTimeline
from audio_interaction_ros.errors import ConfigurationError, MissingDependencyError
from audio_interaction_ros.protocol import CHUNK_S

__all__ = ['draw_sounds', 'load_pyplot', 'save_picture']

_ROWS = 12
_BLUE, _ORANGE, _GREY = '#2b6ca3', '#d9822b', '#8a8f98'


def load_pyplot(without: str = 'leave --png out: the table needs none') -> Any:
    """
    Return matplotlib's pyplot, which opens no window.

    Raises MissingDependencyError where it is missing; ``without`` says how to do without it.
    """
    try:
        import matplotlib
    except ImportError as error:
        raise MissingDependencyError(
            f'Expected the matplotlib package, to draw a picture, found {error}; run: pip install '
            f'matplotlib, or {without}') from error
    matplotlib.use('Agg')
    from matplotlib import pyplot
    return pyplot


def _choose_rows(timeline: SoundTimeline) -> list[int]:
    """Return which sounds are shown: those that were heard, then the highest scores."""
    heard = {item.sound for item in timeline.heard}
    peaks = timeline.scores.max(axis=0)
    order = sorted(range(len(timeline.names)),
                   key=lambda i: (timeline.names[i] not in heard, -peaks[i]))
    return order[:_ROWS]


def draw_sounds(timeline: SoundTimeline, path: Path, title: str) -> Path:
    """
    Write a PNG and return where.

    Each row holds a sound's scores (0 to 1), its threshold as a dashed line, and a bar where it
    was heard.
    """
    pyplot = load_pyplot()
    rows = _choose_rows(timeline)
    figure, (loud, grid) = pyplot.subplots(
        2, 1, sharex=True, figsize=(11, 2.2 + 0.5 * len(rows)), dpi=120, layout='constrained',
        gridspec_kw={'height_ratios': [1.4, 0.5 * len(rows)]})
    times = timeline.starts_s + CHUNK_S / 2
    loud.plot(times, timeline.loudness_dbfs, color=_GREY)
    loud.set(ylabel='dBFS', title=title)
    for place, index in enumerate(rows):
        _draw_row(grid, timeline, index, len(rows) - 1 - place)
    grid.set(xlabel='seconds; dashed: threshold, bar: heard', ylim=(-0.1, len(rows)),
             xlim=(0, float(times[-1]) + CHUNK_S / 2))
    grid.set_yticks([len(rows) - 1 - place + 0.4 for place in range(len(rows))],
                    [timeline.names[index] for index in rows])
    return save_picture(figure, path, remedy='name another file in --png')


def save_picture(figure: Any, path: Path, *, remedy: str) -> Path:
    """Write a figure as PNG, close it and return where; ConfigurationError where it cannot be."""
    try:
        figure.savefig(path, format='png')
    except OSError as error:
        raise ConfigurationError(f'expected to write {path}, cannot ({error}); '
                                 f'{remedy}') from error
    finally:
        load_pyplot().close(figure)
    return path


def _draw_row(axes: Any, timeline: SoundTimeline, index: int, base: int) -> None:
    name, scores = timeline.names[index], timeline.scores[:, index]
    times = timeline.starts_s + CHUNK_S / 2
    axes.fill_between(times, base, base + 0.8 * np.clip(scores, 0, 1), color=_BLUE, alpha=0.7,
                      linewidth=0)
    axes.axhline(base, color='#e4e6e9', linewidth=0.7)
    if name in timeline.rules:
        axes.plot(times, base + 0.8 * timeline.thresholds[:, index], color=_GREY, linewidth=0.7,
                  linestyle='--')
    for item in timeline.heard:
        if item.sound == name:
            axes.plot((item.onset_s, item.offset_s), (base + 0.87, base + 0.87), color=_ORANGE,
                      linewidth=3, solid_capstyle='butt')
