"""
A sign that something else sounds beside the robot's own voice: what the canceller leaves of all.

The robot goes by words instead (``speech.duck_db``); ``python -m eval echo`` says what this sign
would be worth. Knows no model.
"""

from collections import deque

import numpy as np

from audio_interaction_ros.audio.overhearing import EchoFrame

__all__ = ['SoundsBeside']

_FRAME_NS = 10_000_000
_PLAIN, _LASTING = 10 ** -2.0, 20
"""Power of what is left against what was heard; more, in most of so many frames, and it sounds."""
_HEARD_KEPT, _LEFT_KEPT = 0.99, 0.9
"""Running means over 1 s and 0.1 s."""


class SoundsBeside:
    """Tells whether something else sounds, from frames of 10 ms while the robot speaks."""

    def __init__(self) -> None:
        """Have heard nothing."""
        self._heard = self._left = 0.0
        self._loud = deque[bool](maxlen=_LASTING)
        self._end_ns = 0

    def take(self, frame: EchoFrame) -> None:
        """Take the next frame; after a pause all before it is forgotten."""
        if abs(frame.stamp_ns - self._end_ns) > _FRAME_NS:
            self._heard = self._left = 0.0
            self._loud.clear()
        self._end_ns = frame.stamp_ns + _FRAME_NS
        self._heard = _keep(_HEARD_KEPT, self._heard, frame.heard)
        self._left = _keep(_LEFT_KEPT, self._left, frame.left)
        self._loud.append(self._left > _PLAIN * self._heard)

    @property
    def heard(self) -> bool:
        """True while it lasts."""
        return sum(self._loud) * 4 >= _LASTING * 3


def _keep(share: float, before: float, samples: np.ndarray) -> float:
    return share * before + (1 - share) * float(np.mean(samples ** 2))
