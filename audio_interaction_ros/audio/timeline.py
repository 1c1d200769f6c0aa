"""
The clock of an audio stream: where the next block should start, and what a stamp means for it.

Stamps of real sources jitter and their clocks drift against the sound card's. So time advances
by counting samples; stamps only steer it slowly, and jump it when they are off by more than a
tolerance. Works in nanoseconds and samples of the block's rate; sees no sample values.
"""

from dataclasses import dataclass
from enum import Enum

__all__ = ['Jump', 'JumpKind', 'Timeline']

_NS = 1_000_000_000
_STEER_NS = 10 * _NS  # an error of a stamp is taken over within about this much audio
_DEAD_BAND_NS = 1_000_000  # smaller errors are rounding: ignored, so that slicing cannot matter


class JumpKind(Enum):
    """What a stamp says of the block that carries it."""

    STEADY = 'steady'
    """The block follows the one before; ``delta_ns`` is a slow correction of the clock."""
    GAP = 'gap'
    """Audio of ``delta_ns`` is missing before the block."""
    BACKWARDS = 'backwards'
    """The block claims to start ``delta_ns`` < 0 before the end of the one before."""


@dataclass(frozen=True, kw_only=True)
class Jump:
    """What to do before a block is taken."""

    kind: JumpKind
    delta_ns: int


class Timeline:
    """Counts samples and compares with stamps."""

    def __init__(self, *, tolerance_ns: int):
        """Begin without an anchor: the first stamp that comes sets the clock."""
        self._tolerance_ns = tolerance_ns
        self._anchored = False
        self._begin_ns = 0  # time of the first sample counted
        self._samples = 0
        self._rate_hz = 1

    @property
    def next_ns(self) -> int:
        """Time at which the next block should start."""
        return self._begin_ns + round(self._samples * _NS / self._rate_hz)

    def judge(self, stamp_ns: int | None, *, frames: int, rate_hz: int) -> Jump:
        """Say what the stamp of a block means; changes nothing but whether an anchor is set."""
        if stamp_ns is None:
            return Jump(kind=JumpKind.STEADY, delta_ns=0)
        error_ns = stamp_ns - self.next_ns
        if not self._anchored:
            self._anchored = True
            return Jump(kind=JumpKind.STEADY, delta_ns=error_ns)
        if error_ns > self._tolerance_ns:
            return Jump(kind=JumpKind.GAP, delta_ns=error_ns)
        if error_ns < -self._tolerance_ns:
            return Jump(kind=JumpKind.BACKWARDS, delta_ns=error_ns)
        if abs(error_ns) <= _DEAD_BAND_NS:
            return Jump(kind=JumpKind.STEADY, delta_ns=0)
        block_ns = frames * _NS // rate_hz
        return Jump(
            kind=JumpKind.STEADY, delta_ns=error_ns * min(block_ns, _STEER_NS) // _STEER_NS)

    def move(self, delta_ns: int) -> None:
        """Shift the clock."""
        self._begin_ns += delta_ns

    def restart(self, begin_ns: int) -> None:
        """Count anew from a time, as at a change of the rate."""
        self._begin_ns = begin_ns
        self._samples = 0

    def advance(self, frames: int, *, rate_hz: int) -> None:
        """Count frames of a rate; another rate than before needs ``restart`` first."""
        assert self._samples == 0 or rate_hz == self._rate_hz, 'restart at a change of rate'
        self._rate_hz = rate_hz
        self._samples += frames
