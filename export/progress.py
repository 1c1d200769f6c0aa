"""
How far a build of TensorRT is, how long the rest may take, and what makes the next one shorter.

A build takes minutes and would look like a hang. Knows no graph.
"""

import re
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audio_interaction_ros.checkpoints.cache import cache_root
from audio_interaction_ros.runtimes.engine_files import Target
from audio_interaction_ros.whole_file import write_whole

__all__ = ['Progress', 'Timings', 'monitor']

_EVERY_S = 2.0


@dataclass
class _Phase:
    parent: str | None
    steps: int
    done: int = 0


class Progress:
    """Prints how much of one build is done; phases may lie in each other."""

    def __init__(self, what: str, *, expected_s: float = 0.0,
                 clock: Callable[[], float] = time.monotonic,
                 write: Callable[[str], object] | None = None) -> None:
        """``expected_s``: how long this build took before; 0: nobody knows."""
        self._what = what
        self._expected_s = expected_s
        self._clock = clock
        self._write = write or (lambda text: print(text, file=sys.stderr, flush=True))
        self._phases: dict[str, _Phase] = {}
        self._lock = threading.Lock()  # TensorRT calls from threads of its own
        self._began = self._told = clock()
        guess = (f'about {_duration(expected_s)}, as before' if expected_s
                 else 'a large model takes minutes the first time')
        self._write(f'{what}: building ({guess})')

    def start(self, name: str, parent: str | None, steps: int) -> None:
        """Note that a phase of so many steps begins."""
        with self._lock:
            self._phases[name] = _Phase(parent, max(1, steps))

    def step(self, name: str, step: int) -> None:
        """Note that a step, from 0 on, is done, and tell of it now and then."""
        with self._lock:
            if name in self._phases:
                self._phases[name].done = step + 1
            self._tell()

    def finish(self, name: str) -> None:
        """Note that a phase is over."""
        with self._lock:
            self._phases.pop(name, None)

    @property
    def seconds(self) -> float:
        """Since the build began."""
        return self._clock() - self._began

    @property
    def share(self) -> float:
        """Of the phases that are known so far, how much is done, 0 to 1."""
        return min(1.0, sum(self._share(name) for name, phase in list(self._phases.items())
                            if phase.parent not in self._phases))

    def _share(self, name: str) -> float:
        phase = self._phases[name]
        inner = [self._share(child) for child, other in list(self._phases.items())
                 if other.parent == name]
        return (phase.done + (inner[0] if inner and phase.done < phase.steps else 0)) / phase.steps

    def _tell(self) -> None:
        now = self._clock()
        if now - self._told < _EVERY_S:
            return
        self._told = now
        took, share = now - self._began, self.share
        left = self._expected_s - took if self._expected_s else took * (1 / share - 1)
        rest = f', about {_duration(left)} left' if left > 0 else ''
        self._write(f'{self._what}: {100 * share:.0f} % after {_duration(took)}{rest}')


def monitor(trt: Any, progress: Progress) -> Any:
    """Return what a builder of TensorRT reports to."""
    class Monitor(trt.IProgressMonitor):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            trt.IProgressMonitor.__init__(self)

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            progress.start(name, parent, steps)

        def step_complete(self, name: str, step: int) -> bool:
            progress.step(name, step)
            return True  # go on

        def phase_finish(self, name: str) -> None:
            progress.finish(name)

    return Monitor()


class Timings:
    """What TensorRT measured of its kernels on a GPU, kept from one build to the next."""

    def __init__(self, target: Target, progress: Progress) -> None:
        """Take whom the measurements are of, and what a build reports to."""
        name = re.sub(r'[^A-Za-z0-9.]+', '-', f'{target.tensorrt}-{target.gpu}').strip('-')
        self.path: Path = cache_root() / 'tensorrt' / f'{name}.timings'
        self._progress = progress
        self._cache: Any = None

    def configure(self, trt: Any, config: Any) -> None:
        """Let a build know what was measured, measure what is new, and report."""
        config.progress_monitor = monitor(trt, self._progress)
        self._cache = config.create_timing_cache(
            self.path.read_bytes() if self.path.is_file() else b'')
        config.set_timing_cache(self._cache, ignore_mismatch=False)

    def save(self) -> None:
        """Keep what was measured, for the next build."""
        if self._cache is not None:
            write_whole(self.path, bytes(self._cache.serialize()))


def _duration(seconds: float) -> str:
    return f'{seconds:.0f} s' if seconds < 90 else f'{seconds / 60:.0f} min'
