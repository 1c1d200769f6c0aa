"""
What was not heard between a fault of the listening side and the first chunk after it.

Owns the audio time up to which the stream was heard; outlives the configuration in which the
fault was. Knows nothing of faults but that there was one.
"""

import time
from collections.abc import Callable
from dataclasses import replace

from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.stream.chunk import EncodedChunk

__all__ = ['Interruption']

_SAMPLE_NS = 1_000_000_000 // SAMPLE_RATE_HZ


class Interruption:
    """Marks the first chunk after a fault; called by one thread at a time."""

    def __init__(self, *, clock: Callable[[], int] = time.monotonic_ns) -> None:
        """Begin with nothing heard; ``clock`` returns steady nanoseconds."""
        self._clock = clock
        self.pending = False
        """True between a fault and the first chunk after it."""
        self.forget()

    def forget(self) -> None:
        """Take the end of a stream: what is not heard from here on does not exist."""
        self.pending = False
        self._heard_to_ns: int | None = None
        self._at_ns = 0

    def begin(self, stamp_ns: int | None) -> None:
        """Learn when audio begins to come, where nothing was heard before."""
        if self._heard_to_ns is None:
            self._heard_to_ns, self._at_ns = stamp_ns, self._clock()

    def note_fault(self) -> None:
        """Note that from where audio was heard to it is lost."""
        self.pending = True

    def mark(self, chunks: list[EncodedChunk]) -> tuple[list[EncodedChunk], int]:
        """Return the chunks, the first marked where it follows a fault, and what it lost."""
        if not chunks:
            return chunks, 0
        lost = self._lost_samples(chunks[0].stamp_ns) if self.pending else 0
        if self.pending:
            first = replace(chunks[0], discontinuity=True,
                            lost_samples_before=chunks[0].lost_samples_before + lost)
            chunks = [first, *chunks[1:]]
        self.pending = False
        self._heard_to_ns, self._at_ns = chunks[-1].end_ns, self._clock()
        return chunks, lost

    def _lost_samples(self, stamp_ns: int) -> int:
        """Return what the stamps say; where they went back, what the steady clock says."""
        lost_ns = 0 if self._heard_to_ns is None else stamp_ns - self._heard_to_ns
        if lost_ns < 0:
            lost_ns = self._clock() - self._at_ns
        return lost_ns // _SAMPLE_NS
