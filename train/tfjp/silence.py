"""
What is silent, and cutting silence that lasts too long.

A frame is silent when its level is at or below the gate. The gate follows the paper's tenth
percentile where a noise floor lies there, and stays between 40 and 15 dB under the loudest frame,
so that neither a decaying tail nor a steady sound is taken for silence.
"""

import numpy as np

__all__ = ['DELTA', 'GATE_PERCENTILE', 'TAU', 'limit_gate', 'find_gate', 'choose_frames',
           'measure_longest_run', 'find_runs', 'find_silent']

TAU = 30
"""Longest silent run in hops (300 ms, the paper's tau)."""
DELTA = 20
"""Boundary grid in hops (200 ms, the paper's delta)."""
GATE_PERCENTILE = 10.0
LOWEST_DB, HIGHEST_DB = -40.0, -15.0
"""Gate relative to the loudest frame."""
MARGIN_DB = 6.0
"""How far frames of one noise floor spread above its tenth percentile."""
_BLIP_FRAMES, _BLIP_DB = 3, 6.0
_KEEP = TAU - 2
"""Frames of a run that stay: n silent frames of 20 ms cover (n + 1) hops."""


def find_gate(levels: np.ndarray) -> float:
    """Return the gate in dBFS for frame levels [T] dBFS."""
    loudest = levels.max()
    floor = np.percentile(levels, GATE_PERCENTILE)
    gate = floor + MARGIN_DB if _is_noise_floor(levels, floor) else -np.inf
    return float(np.clip(gate, loudest + LOWEST_DB, loudest + HIGHEST_DB))


def limit_gate(levels: np.ndarray, least_gate: float) -> float:
    """Return the gate for levels [T], no lower than another one unless that is too high here."""
    return float(min(max(find_gate(levels), least_gate), levels.max() + HIGHEST_DB))


def _is_noise_floor(levels: np.ndarray, floor: float) -> bool:
    """Tell whether frames crowd around a level; on the way down a tail they are spread evenly."""
    crowd = np.count_nonzero(np.abs(levels - floor - 1) <= 3)
    above = np.count_nonzero(np.abs(levels - floor - 9) <= 3)
    return crowd >= 2 * above


def find_silent(levels: np.ndarray, gate: float) -> np.ndarray:
    """Return which frames [T] bool are silent; a faint blip of 30 ms does not end silence."""
    silent = levels <= gate
    for first, end in find_runs(~silent):
        inside = 0 < first and end < len(levels)
        if inside and end - first <= _BLIP_FRAMES and levels[first:end].max() < gate + _BLIP_DB:
            silent[first:end] = True
    return silent


def find_runs(marked: np.ndarray) -> np.ndarray:
    """Return [R, 2] first and end (exclusive) of each run of True."""
    edges = np.diff(np.concatenate([[False], marked, [False]]).astype(np.int8))
    return np.stack([np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)], axis=1)


def measure_longest_run(levels: np.ndarray, gate: float) -> float:
    """Return the longest silent run in hops that its frames cover."""
    lengths = np.diff(find_runs(find_silent(levels, gate)), axis=1)
    return int(lengths.max()) + 1 if len(lengths) else 0


def choose_frames(levels: np.ndarray, least_gate: float, *, whole: bool) -> np.ndarray:
    """
    Return the indices of the frames [T] that stay when silent runs are cut to 300 ms.

    The gate is found again after each cut, since less silence moves the percentile, and is never
    below ``least_gate`` dBFS. ``whole``: cut whole steps of 200 ms, so that a length on the grid
    stays on it. The middle of a run goes, its edges stay.
    """
    kept = np.arange(len(levels))
    while True:
        here = levels[kept]
        stay = _cut_once(find_silent(here, limit_gate(here, least_gate)), whole)
        if stay.all():
            return kept
        kept = kept[stay]


def _cut_once(silent: np.ndarray, whole: bool) -> np.ndarray:
    stay = np.ones(len(silent), dtype=bool)
    for first, end in find_runs(silent):
        excess = end - first - _KEEP
        if excess <= 1:
            continue
        if whole:
            excess = -(-excess // DELTA) * DELTA
        middle = (first + end - excess) // 2
        stay[middle:middle + excess] = False
    return stay
