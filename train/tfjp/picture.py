"""A clip before and after as spectrograms, with its level, the gate, silence and the core."""

from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.errors import MissingDependencyError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from train.tfjp.flow import GRID, TfjpResult
from train.tfjp.silence import find_runs, find_silent, limit_gate
from train.tfjp.spectrum import HOP, analyse, power_of, to_level_db

__all__ = ['draw', 'make_example']

_RATE = SAMPLE_RATE_HZ
_INK, _SOFT, _EVENT, _CUT = '#1f2933', '#8a94a0', '#0b7a75', '#d1495b'
_RANGE_DB = 80


def make_example() -> np.ndarray:
    """Return a clip [n] float32 to show the steps on: three knocks and a chime in room noise."""
    rng = np.random.default_rng(5)
    samples = rng.normal(0, 1, round(5.3 * _RATE))
    samples = 0.013 * np.convolve(samples, np.exp(-np.arange(40) / 8) / 3, mode='same')
    for at in (1.13, 1.38, 1.63):
        t = np.arange(round(0.15 * _RATE)) / _RATE
        knock = 0.5 * rng.normal(0, 1, len(t)) * np.exp(-t / 0.012)
        knock += 0.5 * np.sin(2 * np.pi * 180 * t) * np.exp(-t / 0.035)
        _add_sound(samples, at, knock)
    for at, hz in ((2.95, 988), (3.3, 784)):
        t = np.arange(round(0.9 * _RATE)) / _RATE
        chime = sum(np.sin(2 * np.pi * hz * k * t) * np.exp(-t * k / 0.22) / k ** 1.5
                    for k in (1, 2.76, 5.4))
        _add_sound(samples, at, 0.25 * chime * np.minimum(1, t / 0.003))
    return samples.astype(np.float32)


def _add_sound(samples: np.ndarray, at: float, sound: np.ndarray) -> None:
    first = round(at * _RATE)
    samples[first:first + len(sound)] += sound


def draw(before: np.ndarray, result: TfjpResult, path: Path, *, title: str = '') -> None:
    """Write a PNG of samples [n] and what came of them; needs matplotlib, else raises."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingDependencyError(
            'a picture expected matplotlib, which is not installed; install it with pip install '
            "'matplotlib>=3.8,<4'") from error
    report = result.report
    seconds = max(len(before), len(result.samples), GRID) / _RATE
    figure = Figure(figsize=(10, 6.4), dpi=100, layout='constrained',
                    facecolor='white')
    FigureCanvasAgg(figure)
    axes = figure.subplots(4, 1, sharex=True, height_ratios=[3, 1.1, 3, 1.1])
    loudest = to_level_db(power_of(analyse(before))).max() if len(before) else 0.0
    _draw_half(axes[:2], before, (report.core_start_s, report.core_end_s), loudest,
               f'before   {len(before) / _RATE:.2f} s')
    _draw_half(axes[2:], result.samples, (report.onset_s, report.offset_s), loudest,
               f'after   {len(result.samples) / _RATE:.1f} s = '
               f'{len(result.samples) // GRID} half chunks   verdict: {report.verdict}   '
               f'silence cut: {report.cut_s:.2f} s   loops: {report.loops}',
               least_gate=report.gate_dbfs)
    for edge in range(len(result.samples) // GRID + 1):
        axes[3].axvline(edge * GRID / _RATE, color=_SOFT, lw=0.6, zorder=0)
    axes[3].set_xlim(0, seconds)
    axes[3].set_xlabel('time (s)', color=_INK)
    figure.suptitle(title or 'TFJP: silence cut, noise subtracted, core on the 200 ms grid',
                    fontsize=12, color=_INK)
    figure.savefig(path, format='png')


def _draw_half(axes: Any, samples: np.ndarray, core: tuple[float, float], loudest: float,
               label: str, least_gate: float = -np.inf) -> None:
    import matplotlib
    spectrum, level = axes
    powers = power_of(analyse(samples)) if len(samples) else np.zeros((1, HOP + 1))
    levels = to_level_db(powers.sum(axis=1))
    end = len(samples) / _RATE
    # Few colours of 4 dB each: as clear, and a much smaller file.
    colours = matplotlib.colormaps['magma'].resampled(_RANGE_DB // 4)
    spectrum.imshow(to_level_db(powers).T, origin='lower', aspect='auto', cmap=colours,
                    vmin=loudest - _RANGE_DB, vmax=loudest, interpolation='nearest',
                    extent=(0, max(end, 0.01), 0, 8))
    spectrum.set_ylabel('kHz', color=_INK)
    spectrum.set_title(label, loc='left', fontsize=10, color=_INK)
    gate = limit_gate(levels, least_gate)
    time = np.arange(len(levels)) * HOP / _RATE
    level.plot(time, levels, color=_INK, lw=0.9)
    level.axhline(gate, color=_CUT, lw=0.9, ls='--')
    for first, last in find_runs(find_silent(levels, gate)):
        too_long = last - first >= 30
        level.axvspan(first / 100, last / 100, color=_CUT if too_long else _SOFT,
                      alpha=0.28 if too_long else 0.18, lw=0)
    level.set_ylim(loudest - _RANGE_DB, loudest + 12)
    level.set_ylabel('dBFS', color=_INK)
    for axis in axes:
        axis.axvspan(*core, ymin=0.95, color=_EVENT, lw=0)
        axis.tick_params(colors=_INK, labelsize=8)
        for side in ('top', 'right'):
            axis.spines[side].set_visible(False)
    level.text(0.995, 0.06, 'gate – –   red: silence over 300 ms   grey: silence   green: core',
               transform=level.transAxes, ha='right', fontsize=7, color=_INK)
