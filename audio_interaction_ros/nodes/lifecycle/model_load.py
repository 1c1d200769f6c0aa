"""
How busy a model keeps a node: how long its steps take, against the audio that they work off.

Owns the numbers, and what diagnostics say of a model at work or being loaded.
"""

import time
from collections import deque

import numpy as np

from audio_interaction_ros.config import ModelConfig
from audio_interaction_ros.nodes.lifecycle.diagnostics import ERROR, WARN, StatusReport

__all__ = ['BusyMeter', 'Timings', 'model_report']


class Timings:
    """Newest durations of a repeated computation."""

    def __init__(self, *, length: int = 256) -> None:
        """Start empty; ``length`` durations are remembered."""
        self._seconds: deque[float] = deque(maxlen=length)

    def add(self, seconds: float) -> None:
        """Take in one duration."""
        self._seconds.append(seconds)

    def percentile_ms(self, percent: float) -> float:
        """Return a percentile in ms, 0 before the first duration."""
        values = list(self._seconds)
        return float(np.percentile(values, percent)) * 1000 if values else 0.0


class BusyMeter:
    """Real-time factor: seconds of computing per second of audio, over the newest seconds."""

    def __init__(self, *, window_s: float = 5.0) -> None:
        """Start empty."""
        self._window_s = window_s
        self._spans: deque[tuple[float, float, float]] = deque()
        self._over_since: float | None = None

    def add(self, end: float, seconds: float, audio_s: float) -> None:
        """Take in a computation that ended at ``end`` and worked off ``audio_s`` of audio."""
        self._spans.append((end, seconds, audio_s))
        while self._spans[0][0] < end - self._window_s:
            self._spans.popleft()

    def factor(self, now: float) -> float:
        """Return the real-time factor of the window, 0 where nothing was computed."""
        spans = [span for span in list(self._spans) if span[0] >= now - self._window_s]
        busy, audio_s = sum(span[1] for span in spans), sum(span[2] for span in spans)
        return busy / (audio_s or self._window_s)

    def overload_s(self, now: float) -> float:
        """Return for how long the factor has been above 1, as seen by calls of this."""
        if self.factor(now) <= 1.0:
            self._over_since = None
            return 0.0
        if self._over_since is None:
            self._over_since = now
        return now - self._over_since


def model_report(model: ModelConfig, *, unit: str, loaded: bool, since: float, timings: Timings,
                 busy: BusyMeter, too_slow: str) -> StatusReport:
    """
    Report on a model at work, or being loaded ``since`` (steady clock).

    ``unit`` is what one of ``timings`` is spent on.
    """
    report = StatusReport()
    now = time.monotonic()
    report.values.update({
        'runtime': model.runtime, 'device': model.device, 'path': model.path, 'loaded': loaded,
        f'{unit}_ms_p50': timings.percentile_ms(50), f'{unit}_ms_p95': timings.percentile_ms(95),
        'real_time_factor': busy.factor(now)})
    if not loaded:
        report.add(WARN, f'loading the model for {now - since:.0f} s so far')
    if busy.overload_s(now) > 5.0:
        report.add(ERROR, too_slow)
    return report
