"""
What somebody else may have said while the robot spoke, softly as it is, for whoever can read it.

Owns the newest two seconds of audio from which the robot's voice was taken by a linear filter
only, and when they are worth reading: when the canceller proper, which takes that voice out
wholly, left something. What is read of them may hold the robot's own words. Frames come from one
thread, another may read.
"""

import threading
from collections import deque
from dataclasses import dataclass

import numpy as np

from audio_interaction_ros.audio.linear_echo import LinearEcho

__all__ = ['EchoFrame', 'Overhearing']

_FRAME_NS = 10_000_000
_WINDOW = 200
"""Frames that are read: 2 s."""
_PERIOD_NS = 400_000_000
_AUDIBLE = 10 ** -2.5
"""Power of what the canceller left against what was heard: own voice alone is softer."""
_HEARD_KEPT, _LEFT_KEPT = 0.99, 0.9
"""Running means over 1 s and 0.1 s."""


@dataclass(frozen=True)
class EchoFrame:
    """10 ms while the robot spoke, or its voice rang; three times float32 [160], 16 kHz."""

    stamp_ns: int
    heard: np.ndarray
    played: np.ndarray
    left: np.ndarray
    """Of what was heard, by the canceller; late by its delay."""


class Overhearing:
    """Listens for others under the robot's voice."""

    def __init__(self) -> None:
        """Have heard nothing."""
        self._linear = LinearEcho()
        self._lock = threading.Lock()
        self._frames: deque[np.ndarray] = deque(maxlen=_WINDOW)
        self._start_anew(0)

    def _start_anew(self, begin_ns: int) -> None:
        self._frames.clear()
        self._heard = self._left = 0.0
        self._end_ns = self._read_ns = begin_ns
        self._noted_ns = begin_ns - _PERIOD_NS

    def forget(self) -> None:
        """Drop all audio; what was learnt of the room stays."""
        with self._lock:
            self._start_anew(self._end_ns)

    def take(self, frame: EchoFrame) -> None:
        """Take the next frame; after a pause all before it is forgotten."""
        softly = self._linear.process(frame.heard, frame.played)
        with self._lock:
            if abs(frame.stamp_ns - self._end_ns) > _FRAME_NS:
                self._start_anew(frame.stamp_ns)
            self._end_ns = frame.stamp_ns + _FRAME_NS
            self._frames.append(softly)
            self._heard = _keep(_HEARD_KEPT, self._heard, frame.heard)
            self._left = _keep(_LEFT_KEPT, self._left, frame.left)
            if self._left > _AUDIBLE * self._heard:
                self._noted_ns = self._end_ns

    @property
    def due(self) -> bool:
        """True while somebody is heard, every 0.4 s, and once after that."""
        with self._lock:
            return (self._end_ns - self._read_ns >= _PERIOD_NS
                    and self._noted_ns > self._read_ns - _PERIOD_NS)

    def cut_out(self) -> np.ndarray:
        """Return the newest samples [n] float32, 2 s at most, and take them as read."""
        with self._lock:
            self._read_ns = self._end_ns
            return np.concatenate([np.zeros(0, np.float32), *self._frames])


def _keep(share: float, before: float, samples: np.ndarray) -> float:
    return share * before + (1 - share) * float(np.mean(samples ** 2))
