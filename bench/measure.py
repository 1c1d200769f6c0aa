"""
Taking times and memory, and summing them up.

Owns how a figure is made: always from the steady clock, always as a distribution. Knows
nothing of what is measured.
"""

import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ['Figure', 'peak_memory_mib', 'processor_s', 'resident_mib', 'spread', 'time_calls']


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One line of the table."""

    what: str
    unit: str
    value: float
    """The figure itself: the median where there is a distribution."""
    p95: float | None = None
    p99: float | None = None
    samples: int = 1
    goal: float | None = None
    """Largest value that meets the goal; None where there is no goal."""
    note: str = ''
    series: Sequence[tuple[float, float]] = ()
    """(second of the stream, value), where it matters when a value was taken: for plots."""

    @property
    def met(self) -> bool | None:
        """Tell whether the goal is met; None without a goal. Latency goals are of the p95."""
        if self.goal is None:
            return None
        return (self.value if self.p95 is None else self.p95) <= self.goal

    def as_json(self) -> dict[str, Any]:
        """Return the figure as plain values."""
        made = {**asdict(self), 'met': self.met}
        made['series'] = [(round(at, 3), round(value, 4)) for at, value in self.series]
        return made if self.series else {k: v for k, v in made.items() if k != 'series'}


def spread(what: str, values: Sequence[float], *, unit: str = 'ms', goal: float | None = None,
           note: str = '', series: Sequence[tuple[float, float]] = ()) -> Figure:
    """Sum values up as median, 95th and 99th percentile."""
    if not len(values):
        raise ValueError(f'{what}: expected at least one measurement, got none')
    p50, p95, p99 = np.percentile(np.asarray(values, dtype=np.float64), (50, 95, 99))
    return Figure(what=what, unit=unit, value=float(p50), p95=float(p95), p99=float(p99),
                  samples=len(values), goal=goal, note=note, series=series)


def time_calls(call: Callable[[], object], *, repeat: int, warm_up: int = 3,
               clock: Callable[[], float] = time.perf_counter) -> list[float]:
    """Return the milliseconds of each of ``repeat`` calls, after some that do not count."""
    for _ in range(warm_up):
        call()
    times = []
    for _ in range(repeat):
        began = clock()
        call()
        times.append(1000.0 * (clock() - began))
    return times


def resident_mib(pid: int | str = 'self') -> float:
    """Return the memory that a process holds now, in MiB; NaN where /proc does not tell."""
    return _status_mib(pid, 'VmRSS')


def peak_memory_mib(pid: int | str = 'self') -> float:
    """Return the most memory that a process ever held, in MiB."""
    if pid == 'self' and sys.platform != 'linux':
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    return _status_mib(pid, 'VmHWM')


def _status_mib(pid: int | str, key: str) -> float:
    try:
        lines = Path(f'/proc/{pid}/status').read_text(encoding='ascii').splitlines()
    except OSError:
        return float('nan')
    for line in lines:
        if line.startswith(f'{key}:'):
            return int(line.split()[1]) / 1024
    return float('nan')


def processor_s(pid: int) -> float:
    """Return processor seconds of all threads of a process so far; NaN where there is none."""
    try:
        fields = Path(f'/proc/{pid}/stat').read_text(encoding='ascii').rpartition(')')[2].split()
    except OSError:
        return float('nan')
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
