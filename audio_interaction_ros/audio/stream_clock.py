"""
The clock of an audio stream: where the next block should start, and what a stamp means for it.

Stamps of real sources jitter, come in bursts and drift against the sound card. So time advances
by counting samples, and stamps only steer it slowly. A stamp that is off by more than the
tolerance is held against the ones that follow: only when all of them are off, over more time
than a transport explains, the clock moves, by the smallest difference seen. Where blocks are
numbered, the numbers alone say whether audio is missing. Works in nanoseconds; sees no sample
values.
"""

from dataclasses import dataclass
from enum import Enum

from audio_interaction_ros.audio.block import AudioBlock

__all__ = ['Jump', 'JumpKind', 'StreamClock']

_NS = 1_000_000_000
_STEER_NS = 10 * _NS  # an error of a stamp is taken over within about this much audio
_DEAD_BAND_NS = 1_000_000  # smaller errors are rounding: ignored, so that slicing cannot matter
_HOLD_NS = _NS  # stamps of a source may be late for this long, in bursts
_ARRIVAL_HOLD_NS = 2 * _NS  # times of arrival for longer
_ARRIVAL_TOLERANCE_NS = 250_000_000
_FEWEST_STAMPS = 3  # that must agree before the clock moves
_AT_ONCE_NS = 3 * _NS // 2  # no burst explains more than this
_MOST_JITTER_NS = 500_000_000
_JITTER_FADES = 20  # ns of audio in which learnt jitter fades by 1 ns: the most of it in 10 s
_NUMBERS_AGREE_NS = 500_000_000  # numbers and stamps may differ by this much about a gap
_LONGEST_UNSTAMPED_GAP_NS = 10 * _NS


class JumpKind(Enum):
    """What a block says of the time before it."""

    STEADY = 'steady'
    """It follows the one before; ``delta_ns`` is a slow correction of the clock."""
    ANCHOR = 'anchor'
    """The first stamps of a stream set the clock; nothing is missing."""
    GAP = 'gap'
    """Audio is missing."""
    SET = 'set'
    """The clock of the source was set, or a recording began again; nothing is missing."""


@dataclass(frozen=True, kw_only=True)
class Jump:
    """What to do before a block is taken: move the clock, and count what is missing."""

    kind: JumpKind
    delta_ns: int
    lost_ns: int = 0
    here: bool = False
    """True: it lies right before this block. False: a while ago, and only now it is certain."""


@dataclass
class _Run:
    """Stamps in a row that are off in the same direction."""

    since_ns: int  # by samples counted
    since_stamp_ns: int
    came_late: bool | None  # the first one arrived as late as it says; None: nobody knows
    least_ns: int
    most_ns: int
    stamps: int = 0


class StreamClock:
    """
    Counts samples and compares with stamps and numbers.

    Any jitter and any burst of which one stamp in each second (two of arrival times) is within
    the tolerance neither makes nor loses audio. What is missing for good is counted, short by at
    most the jitter.
    """

    def __init__(self, *, tolerance_ns: int):
        """Begin without an anchor: the first stamp that comes sets the clock."""
        self._tolerance_ns = tolerance_ns
        self._anchored = False
        self._agreed = False  # a stamp has agreed with the anchor
        self._begin_ns = 0  # time of the first sample counted
        self._samples = 0
        self._rate_hz = 1
        self._seq: int | None = None
        self._arrival_ns: int | None = None
        self._run: _Run | None = None
        self._jitter_ns = 0

    @property
    def next_ns(self) -> int:
        """Time at which the next block should start."""
        return self._begin_ns + round(self._samples * _NS / self._rate_hz)

    def judge(self, block: AudioBlock) -> Jump:
        """Say what a block means for the clock; call it once for each, before it is counted."""
        block_ns = len(block.samples) * _NS // block.sample_rate_hz
        numbered_ns, apart_ns = self._missing_ns(block,
                                                 block_ns), self._since_last_arrival_ns(block)
        self._jitter_ns = max(0, self._jitter_ns - block_ns // _JITTER_FADES)
        if block.stamp_ns is None:
            lost_ns = numbered_ns or 0
            return self._make_gap(lost_ns) if 0 < lost_ns <= _LONGEST_UNSTAMPED_GAP_NS else _STEADY
        error_ns = block.stamp_ns - self.next_ns
        if numbered_ns and not (
                -_NUMBERS_AGREE_NS <= error_ns - numbered_ns <= _NUMBERS_AGREE_NS
                or not self._anchored and error_ns > numbered_ns):  # a pause, and a loss in it
            numbered_ns = None  # another publisher's numbers
        if not self._anchored:
            self._anchored = True
            # A stamp before the end of what was heard unstamped leaves no room for the loss.
            kind = JumpKind.GAP if numbered_ns and error_ns > 0 else JumpKind.ANCHOR
            return Jump(kind=kind, delta_ns=error_ns, lost_ns=numbered_ns or 0, here=True)
        if numbered_ns:
            return self._make_gap(numbered_ns)
        if abs(error_ns) <= self._tolerance_of(block):
            return self._steer(error_ns, block_ns)
        return self._wait_for_more_stamps(block, error_ns, apart_ns, complete=numbered_ns == 0)

    def move(self, delta_ns: int) -> None:
        """Shift the clock."""
        self._begin_ns += delta_ns

    def restart(self, begin_ns: int) -> None:
        """Count anew from a time, as at a change of the rate."""
        self._begin_ns = begin_ns
        self._samples = 0

    def follow_next_stamp(self) -> None:
        """Let the next stamp set the clock; numbers still tell what was lost meanwhile."""
        self._anchored = self._agreed = False
        self._run = None

    def advance(self, frames: int, *, rate_hz: int) -> None:
        """Count frames of a rate; another rate than before needs ``restart`` first."""
        assert self._samples == 0 or rate_hz == self._rate_hz, 'restart at a change of rate'
        self._rate_hz = rate_hz
        self._samples += frames

    def _missing_ns(self, block: AudioBlock, block_ns: int) -> int | None:
        """Return how much audio the numbers say is missing; None where they say nothing."""
        before, self._seq = self._seq, block.seq
        if block.seq is None or before is None or block.seq <= before:
            return None
        return (block.seq - before - 1) * block_ns

    def _since_last_arrival_ns(self, block: AudioBlock) -> int | None:
        """Return how long after the block before this one came; None where nobody knows."""
        before, self._arrival_ns = self._arrival_ns, block.arrival_ns
        return None if before is None or block.arrival_ns is None else block.arrival_ns - before

    def _tolerance_of(self, block: AudioBlock) -> int:
        return max(self._tolerance_ns, _ARRIVAL_TOLERANCE_NS if block.stamped_on_arrival else 0)

    def _make_gap(self, lost_ns: int) -> Jump:
        self._run = None
        return Jump(kind=JumpKind.GAP, delta_ns=lost_ns, lost_ns=lost_ns, here=True)

    def _steer(self, error_ns: int, block_ns: int) -> Jump:
        self._end_run()
        self._agreed = True
        if abs(error_ns) <= _DEAD_BAND_NS:
            return _STEADY
        return Jump(kind=JumpKind.STEADY,
                    delta_ns=error_ns * min(block_ns, _STEER_NS) // _STEER_NS)

    def _end_run(self) -> None:
        """Learn from stamps that were off for a while how much they jitter."""
        if self._run is not None:
            self._jitter_ns = max(self._jitter_ns, min(abs(self._run.most_ns), _MOST_JITTER_NS))
        self._run = None

    def _wait_for_more_stamps(self, block: AudioBlock, error_ns: int, apart_ns: int | None, *,
                              complete: bool) -> Jump:
        """Wait for more stamps to say the same before the clock moves."""
        assert block.stamp_ns is not None, 'only a stamp can be off'
        run = self._run
        if run is None or (run.least_ns > 0) != (error_ns > 0):
            self._end_run()
            came_late = None if apart_ns is None else apart_ns >= error_ns // 2 > 0
            run = self._run = _Run(self.next_ns, block.stamp_ns, came_late, error_ns, error_ns)
            if (abs(error_ns) > _AT_ONCE_NS and came_late is not False and not complete
                    and not block.stamped_on_arrival):
                return self._accept_run(run, complete=False)
        run.stamps += 1
        run.least_ns = min(run.least_ns, error_ns, key=abs)
        run.most_ns = max(run.most_ns, error_ns, key=abs)
        hold_ns = _ARRIVAL_HOLD_NS if block.stamped_on_arrival else _HOLD_NS
        long = (run.stamps >= _FEWEST_STAMPS and self.next_ns - run.since_ns >= hold_ns
                and abs(block.stamp_ns - run.since_stamp_ns) >= hold_ns)
        if long and abs(run.least_ns) > self._jitter_ns:
            return self._accept_run(run, complete=complete)
        return _STEADY

    def _accept_run(self, run: _Run, *, complete: bool) -> Jump:
        self._run = None
        delta_ns, at_once = run.least_ns, run.stamps == 0
        if not self._agreed and not at_once:  # the anchor was the one that was off
            return Jump(kind=JumpKind.ANCHOR, delta_ns=delta_ns)
        if complete or delta_ns < 0 or run.came_late is False:
            return Jump(kind=JumpKind.SET, delta_ns=delta_ns, here=at_once)
        return Jump(kind=JumpKind.GAP, delta_ns=delta_ns, lost_ns=delta_ns, here=at_once)


_STEADY = Jump(kind=JumpKind.STEADY, delta_ns=0)
