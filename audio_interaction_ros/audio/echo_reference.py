"""
What the loudspeaker plays, on the time line of what the microphone hears.

Takes blocks with stamps, in their order, and gives back 16 kHz mono for any time of the newest
ten seconds, silence where nothing was played. Owns what is known to be missing. Knows no echo.
"""

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from audio_interaction_ros.audio.block import SAMPLE_NS, AudioBlock
from audio_interaction_ros.audio.mono import to_mono
from audio_interaction_ros.audio.resample import Resampler

__all__ = ['EchoReference', 'ReferencePiece']

_NS = 1_000_000_000
_TOLERANCE_NS = 60_000_000
_KEEP_NS = 10 * _NS


@dataclass(frozen=True)
class ReferencePiece:
    """What was played in a span of time."""

    samples: np.ndarray  # [n] float32, 16 kHz
    heard: bool
    """True where any of it is not silence."""
    whole: bool
    """False where blocks of it are known to be lost."""


@dataclass
class _Run:
    """Blocks that follow one another."""

    start_ns: int
    rate_hz: int
    resampler: Resampler
    samples: list[np.ndarray] = field(default_factory=list)
    count: int = 0
    """At 16 kHz."""
    frames: int = 0
    """At the rate of the source."""
    over: bool = False

    @property
    def end_ns(self) -> int:
        return self.start_ns + self.count * SAMPLE_NS

    @property
    def next_ns(self) -> int:
        return self.start_ns + self.frames * _NS // self.rate_hz

    def append(self, samples: np.ndarray) -> None:
        if len(samples):
            self.samples.append(samples)
            self.count += len(samples)

    def finish(self) -> None:
        if not self.over:
            self.append(self.resampler.flush())
            self.over = True


class EchoReference:
    """The newest ten seconds of what was played; one thread at a time."""

    def __init__(self) -> None:
        """Know of nothing that was played."""
        self._runs: deque[_Run] = deque()
        self._holes: deque[tuple[int, int]] = deque()
        self._seq: int | None = None
        self.lost = 0
        """Blocks that never came."""

    @property
    def end_ns(self) -> int:
        """Up to when it is known what was played; 0 where nothing ever was."""
        return self._runs[-1].end_ns if self._runs else 0

    def push(self, block: AudioBlock) -> None:
        """
        Take a block, with a stamp; raises AudioFormatError for one that cannot be understood.

        One whose stamp is further than 60 ms from where the one before ended begins anew there;
        what is missing in between by the numbers of the blocks is a hole.
        """
        samples = to_mono(block)
        if not len(samples):
            return
        run = self._runs[-1] if self._runs else None
        stamp_ns = block.stamp_ns if block.stamp_ns is not None else run.next_ns if run else 0
        lost = self._count_lost(block.seq)
        if (run is None or run.over or run.rate_hz != block.sample_rate_hz
                or abs(stamp_ns - run.next_ns) > _TOLERANCE_NS or lost):
            if lost and run is not None:
                self.lost += lost
                self._holes.append((min(run.next_ns, stamp_ns), stamp_ns))
            if run is not None:
                run.finish()
            run = _Run(stamp_ns, block.sample_rate_hz,
                       Resampler(sample_rate_hz=block.sample_rate_hz))
            self._runs.append(run)
        run.frames += len(samples)
        run.append(run.resampler.push(samples))
        self._forget()

    def _count_lost(self, seq: int | None) -> int:
        """Return how many blocks are missing before one with this number."""
        before, self._seq = self._seq, seq
        return 0 if seq is None or before is None else max(0, seq - before - 1)

    def finish(self) -> None:
        """Take it that nothing follows for now: give out what the filter still holds."""
        if self._runs:
            self._runs[-1].finish()

    def take(self, start_ns: int, count: int) -> ReferencePiece:
        """Return what was played from a time on, ``count`` samples of it."""
        piece = np.zeros(count, np.float32)
        end_ns = start_ns + count * SAMPLE_NS
        for run in self._runs:
            if run.start_ns < end_ns and run.end_ns > start_ns:
                self._copy(run, (start_ns - run.start_ns) // SAMPLE_NS, piece)
        whole = not any(begin < end_ns and end > start_ns for begin, end in self._holes)
        return ReferencePiece(piece, bool(piece.any()), whole)

    @staticmethod
    def _copy(run: _Run, offset: int, piece: np.ndarray) -> None:
        """Copy a run into a piece that begins ``offset`` samples after it."""
        at = 0
        for samples in run.samples:
            begin, end = max(at, offset), min(at + len(samples), offset + len(piece))
            if begin < end:
                piece[begin - offset:end - offset] = samples[begin - at:end - at]
            at += len(samples)

    def _forget(self) -> None:
        limit = self.end_ns - _KEEP_NS
        while len(self._runs) > 1 and self._runs[0].end_ns < limit:
            self._runs.popleft()
        while self._holes and self._holes[0][1] < limit:
            self._holes.popleft()
        run = self._runs[0]
        while len(run.samples) > 1 and run.start_ns + len(run.samples[0]) * SAMPLE_NS < limit:
            gone = len(run.samples.pop(0))
            run.start_ns += gone * SAMPLE_NS
            run.count -= gone
            run.frames -= gone * run.rate_hz // 16_000
