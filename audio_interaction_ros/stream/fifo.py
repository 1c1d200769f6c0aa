"""
The bounded queue of encoded chunks, read by several lanes at their own pace.

A chunk leaves when every lane has taken it. Nothing is lost uncounted: pushed = taken by all
lanes + dropped + still queued, always.
"""

from collections import deque
from dataclasses import dataclass, replace

from audio_interaction_ros.stream.chunk import EncodedChunk

__all__ = ['Fifo', 'FifoStats']


@dataclass
class FifoStats:
    """Counters since the queue was made."""

    pushed: int = 0
    consumed: int = 0
    """Chunks that left because every lane had taken them."""
    dropped: int = 0
    """Chunks that left by the overflow policy before every lane had taken them."""
    peak_depth: int = 0


@dataclass
class _Entry:
    chunk: EncodedChunk
    number: int


class Fifo:
    """
    Queue with one cursor per lane.

    ``overflow`` says what goes when ``capacity`` chunks wait: drop_oldest, drop_newest, or
    merge_silence (the oldest quiet chunk goes first). A drop marks the next chunk as
    discontinuous.
    """

    def __init__(self, *, capacity: int, overflow: str, lanes: int) -> None:
        self._capacity = capacity
        self._overflow = overflow
        self._entries: deque[_Entry] = deque()
        self._cursors = [0] * lanes  # number of the next chunk of each lane
        self._next = 0
        self._mark_next = False
        self.stats = FifoStats()
        self.consumed_seq: int | None = None
        """Sequence number of the newest chunk that left the queue for good."""

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def oldest_stamp_ns(self) -> int | None:
        """Stamp of the oldest waiting chunk, None when the queue is empty."""
        return self._entries[0].chunk.stamp_ns if self._entries else None

    def push(self, chunk: EncodedChunk) -> None:
        """Append a chunk; where the queue is full one goes by the overflow policy."""
        self.stats.pushed += 1
        if len(self._entries) >= self._capacity and not self._make_room():
            self.stats.dropped += 1
            self._mark_next = True
            return
        if self._mark_next:
            chunk = replace(chunk, discontinuity=True)
            self._mark_next = False
        self._entries.append(_Entry(chunk, self._next))
        self._next += 1
        self.stats.peak_depth = max(self.stats.peak_depth, len(self._entries))

    def _make_room(self) -> bool:
        """Drop a queued chunk; False when the newcomer itself must go."""
        if self._overflow == 'drop_newest':
            return False
        index = 0
        if self._overflow == 'merge_silence':
            index = next((i for i, e in enumerate(self._entries) if e.chunk.quiet), 0)
        self.stats.dropped += 1
        self._note_consumed(self._entries[index].chunk.seq)
        del self._entries[index]
        if index < len(self._entries):
            after = self._entries[index]
            after.chunk = replace(after.chunk, discontinuity=True)
        else:
            self._mark_next = True
        return True

    def count_waiting(self, lane: int) -> int:
        """Return how many chunks a lane has not taken yet."""
        cursor = self._cursors[lane]
        return sum(entry.number >= cursor for entry in self._entries)

    def take(self, lane: int, most: int) -> list[EncodedChunk]:
        """Hand a lane its next chunks, at most ``most``, in order."""
        cursor = self._cursors[lane]
        entries = [entry for entry in self._entries if entry.number >= cursor][:most]
        if entries:
            self._cursors[lane] = entries[-1].number + 1
            self._drop_consumed()
        return [entry.chunk for entry in entries]

    def _drop_consumed(self) -> None:
        slowest = min(self._cursors)
        while self._entries and self._entries[0].number < slowest:
            self._note_consumed(self._entries.popleft().chunk.seq)
            self.stats.consumed += 1

    def _note_consumed(self, seq: int) -> None:
        self.consumed_seq = seq if self.consumed_seq is None else max(self.consumed_seq, seq)

    def clear(self) -> int:
        """Drop everything that waits, counted; return how much that was."""
        count = len(self._entries)
        self.stats.dropped += count
        self._entries.clear()
        self._cursors = [self._next] * len(self._cursors)
        self.consumed_seq = None
        return count
