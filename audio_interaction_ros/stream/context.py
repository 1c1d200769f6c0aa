"""
Bounded context: which cache slot and which position each new token gets.

A context is a sink (the prompt) followed by a ring of units. A unit is one listening block or
drained backlog with the reply that follows it; it is evicted whole, oldest first. Knows
integers only: the keys and values themselves lie in a backend's cache.
"""

from dataclasses import dataclass

import numpy as np

__all__ = ['Allocation', 'Context']

_FREE = -1
_SINK = -2


@dataclass(frozen=True, kw_only=True)
class Allocation:
    """Where a run of new tokens goes."""

    slots: np.ndarray  # [n] int64
    positions: np.ndarray  # [n] int64
    visible: np.ndarray  # [S_max] bool: slots of earlier tokens that remain
    evicted: int
    """Positions that were given up to make room."""


class Context:
    """
    Slots and positions of one lane.

    ``slots`` is S_max. Positions count every token ever fed and never wrap; the sink is fed
    again at later positions (``sink_is_stale``) so that its distance to the ring stays below
    2 * S_max however long the stream runs.
    """

    def __init__(self, *, slots: int) -> None:
        self._owner = np.full(slots, _FREE, dtype=np.int64)  # unit number of each slot
        self._sink = 0
        self._sink_position = 0
        self._unit = -1
        self._cursor = 0
        self._position = 0

    @property
    def position(self) -> int:
        """Position that the next token gets."""
        return self._position

    @property
    def used_slots(self) -> int:
        """Slots that hold a visible token."""
        return int(np.count_nonzero(self._owner != _FREE))

    @property
    def ring_slots(self) -> int:
        """Slots that are not the sink's."""
        return len(self._owner) - self._sink

    @property
    def sink_is_stale(self) -> bool:
        """True when the sink should be fed again at current positions."""
        return self._oldest_position() - self._sink - self._sink_position > len(self._owner)

    def _oldest_position(self) -> int:
        """Return a position at or just before the oldest one in the ring."""
        return max(self._position - self.ring_slots, self._sink)

    def open_sink(self, length: int) -> Allocation:
        """Place the prompt, less than half of all slots, at the start of an empty context."""
        assert self._position == 0, 'the sink comes first'
        if length >= len(self._owner) // 2:
            raise ValueError(f'expected less than half of {len(self._owner)} slots for the '
                             f'prompt, found {length}; stream.capacity must refuse it')
        self._sink = self._cursor = self._position = length
        self._owner[:length] = _SINK
        return self._sink_allocation()

    def refresh_sink(self) -> Allocation:
        """Place the prompt again, right before the oldest position of the ring."""
        self._sink_position = self._oldest_position() - self._sink
        return self._sink_allocation()

    def _sink_allocation(self) -> Allocation:
        # The prompt comes before everything, so it attends to itself only: feeding it again
        # at other positions gives exactly its old keys, rotated.
        slots = np.arange(self._sink)
        return Allocation(slots=slots, positions=slots + self._sink_position,
                          visible=np.zeros(len(self._owner), dtype=bool), evicted=0)

    def allocate(self, length: int, *, new_unit: bool) -> Allocation:
        """
        Take slots for ``length`` tokens side by side, evicting whole old units where needed.

        Raises ValueError when one unit alone does not fit the ring.
        """
        if new_unit:
            self._unit += 1
        wraps = self._cursor + length > len(self._owner)
        start = self._sink if wraps else self._cursor
        evicted = self._evict(start, length, wraps)
        visible = self._owner != _FREE
        self._owner[start:start + length] = self._unit
        self._cursor = start + length
        positions = self._position + np.arange(length)
        self._position += length
        return Allocation(slots=np.arange(start, start + length), positions=positions,
                          visible=visible, evicted=evicted)

    def _evict(self, start: int, length: int, wraps: bool) -> int:
        # What a wrap skips at the end of the ring is older than anything at its start.
        in_the_way = self._owner[start:start + length].max(initial=_FREE)
        if wraps:
            in_the_way = max(in_the_way, self._owner[self._cursor:].max(initial=_FREE))
        if in_the_way == self._unit or length > self.ring_slots:
            raise ValueError(
                f'expected a block with its reply of at most {self.ring_slots} tokens, found a '
                f'longer one; stream.capacity must refuse it')
        gone = (self._owner >= 0) & (self._owner <= in_the_way)
        self._owner[gone] = _FREE
        return int(np.count_nonzero(gone))
