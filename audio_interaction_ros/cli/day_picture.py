"""The picture of a day: loudness above; below a row each for words, replies, sounds and alerts."""

from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.alerts.alert import Severity
from audio_interaction_ros.cli.sound_picture import load_pyplot, save_picture
from audio_interaction_ros.replay.day import Day

__all__ = ['draw_day']

_GREY, _BLUE = '#8a8f98', '#2b6ca3'
_COLOURS = {Severity.INFO: '#4d8f5b', Severity.WARN: '#c7a413', Severity.ERROR: '#d9822b',
            Severity.CRITICAL: '#c0392b'}
_MOST_LABELS = 12
_TICKS = (1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14_400)
"""Seconds between marks of the time axis, of which there are twelve at most."""


def draw_day(day: Day, path: Path) -> Path:
    """Write a PNG and return where; MissingDependencyError without matplotlib."""
    pyplot = load_pyplot()
    rows = _list_rows(day)
    figure, (loud, grid) = pyplot.subplots(
        2, 1, sharex=True, figsize=(12, 2.2 + 0.35 * len(rows)), dpi=110, layout='constrained',
        gridspec_kw={'height_ratios': [1.4, 0.35 * len(rows)]})
    minutes = sorted(day.loudness)
    loud.step([60 * minute for minute in minutes], [day.loudness[minute] for minute in minutes],
              where='post', color=_GREY)
    loud.set(ylabel='dBFS', title=day.name)
    for place, (_, name, kind, colour) in enumerate(rows):
        for one in day.heard:
            if one.kind == kind and (kind not in ('alert', 'sound') or one.label == name):
                width = max(one.end_s - one.start_s, day.seconds / 600)
                grid.broken_barh([(one.start_s, width)], (place - 0.35, 0.7), color=colour)
    grid.set_yticks(range(len(rows)), [text for text, *_ in rows])
    grid.set(ylim=(len(rows) - 0.5, -0.5), xlim=(0, max(day.seconds, 1.0)))
    _mark_times(grid, day)
    return save_picture(figure, path, remedy='name another folder in --out')


def _list_rows(day: Day) -> list[tuple[str, str, str, str]]:
    """Return (text, name, kind, colour) of each row: alerts, the worst first, sounds, words."""
    worst: dict[str, Severity] = {}
    for one in day.heard:
        if one.kind == 'alert' and one.severity is not None:
            worst[one.label] = max(worst.get(one.label, Severity.INFO), one.severity)
    rows = [(f'! {label}', label, 'alert', _COLOURS[severity]) for label, severity
            in sorted(worst.items(), key=lambda item: (-item[1], item[0]))[:_MOST_LABELS]]
    sounds = sorted({one.label for one in day.heard if one.kind == 'sound'})
    rows += [(label, label, 'sound', _GREY) for label in sounds[:_MOST_LABELS]]
    return [*rows, ('words', '', 'transcript', _BLUE), ('replies', '', 'reply', _BLUE)]


def _mark_times(axes: Any, day: Day) -> None:
    """Mark times of day (UTC) where they are known, else times since the beginning."""
    step = next((step for step in _TICKS if day.seconds / step <= 12), _TICKS[-1])
    first = -(day.begin_ns // 1_000_000_000) % step if day.has_time_of_day else 0
    ticks = np.arange(first, day.seconds + 1, step)
    begin_s = day.begin_ns // 1_000_000_000 % 86_400 if day.has_time_of_day else 0
    axes.set_xticks(ticks, [_clock(begin_s + tick) for tick in ticks])
    axes.set_xlabel('UTC' if day.has_time_of_day else 'since the beginning')


def _clock(seconds: float) -> str:
    whole = round(seconds) % 86_400
    return f'{whole // 3600:02d}:{whole % 3600 // 60:02d}:{whole % 60:02d}'
