"""
Where sounds came from: directions of a microphone array by the time of their audio.

Owns how many are kept and what the direction of a span is. Pure numbers: knows no topics, and no
frames, which whoever adds a direction has to compare. Not thread-safe.
"""

import cmath
import math
from collections import deque

__all__ = ['Directions']

_NS = 1_000_000_000
_MOST = 4096
_CLOCK_BACK_NS = 5 * _NS
"""A stamp that lies further behind the newest than this is a clock that was set back."""


class Directions:
    """
    The directions of the newest audio, for asking about a span of it.

    An array says where sound comes from now and then, whether or not anything matters is heard;
    so directions are kept, and asked for when it is known what was heard and when.
    """

    def __init__(self, *, keep_s: float = 60.0, reach_s: float = 0.5,
                 least_agreement: float = 0.3) -> None:
        """
        Keep none yet; those older than ``keep_s`` of audio, or more than 4,096, are forgotten.

        A direction up to ``reach_s`` before a span counts for one in which there is none.
        Directions that agree less than ``least_agreement`` (0: all around, 1: all the same) have
        no mean.
        """
        self._keep_ns, self._reach_ns = round(keep_s * _NS), round(reach_s * _NS)
        self._least = least_agreement
        self._kept: deque[tuple[int, float]] = deque(maxlen=_MOST)
        self._newest_ns = 0

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._kept)

    def add(self, stamp_ns: int, radians: float) -> None:
        """Take in a direction in radians, counter-clockwise from the x axis; must be finite."""
        assert math.isfinite(radians), 'whoever reads a message refuses what is no number'
        if stamp_ns < self._newest_ns - _CLOCK_BACK_NS:
            self._kept.clear()
            self._newest_ns = stamp_ns
        self._newest_ns = max(self._newest_ns, stamp_ns)
        self._kept.append((stamp_ns, radians))
        while self._kept[0][0] < self._newest_ns - self._keep_ns:
            self._kept.popleft()

    def find_mean(self, start_ns: int, end_ns: int) -> float:
        """
        Return the mean direction of a span in radians, -π to π; NaN where it is not known.

        It is the mean on the circle: that of 179° and -179° is 180°, not 0°.
        """
        found = [radians for stamp, radians in self._kept if start_ns <= stamp <= end_ns]
        if not found:
            before = [item for item in self._kept
                      if start_ns - self._reach_ns <= item[0] < start_ns]
            found = [max(before)[1]] if before else []
        if not found:
            return math.nan
        mean = sum(cmath.rect(1.0, radians) for radians in found) / len(found)
        return cmath.phase(mean) if abs(mean) >= self._least else math.nan
