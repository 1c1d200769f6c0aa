"""
How many chunks of what was sent to a decoder it has not taken yet, by the credit that it gives.

Owns what a restart and a stall mean for that count. Knows no topic and no thread.
"""

from audio_interaction_ros.nodes.io.chunk_pace import ChunkPace

__all__ = ['ChunksUnderWay']

_STALLED_S = 3.0  # with nothing waiting in the decoder, nothing is under way any more


class ChunksUnderWay:
    """Counts from its beginning on."""

    def __init__(self) -> None:
        """Know of no decoder."""
        self.taken_at = 0.0
        """Steady time at which the decoder was last seen to have taken something."""
        self._taken: tuple[int, int] | None = None
        self._epoch, self._base = 0, 0.0
        self._moved_at, self._stalled = 0.0, False
        self._pace = ChunkPace()

    @property
    def has_decoder(self) -> bool:
        """True once a decoder has given credit."""
        return self._taken is not None

    def begin(self) -> None:
        """Take what the decoder has taken so far as none of what is sent from now on."""
        (self._epoch, self._base), self._stalled = self._taken or (0, 0), False

    def count(self, sent_s: float) -> float:
        """Return how many of the chunks of the seconds sent so far are not taken yet."""
        sent = sent_s * self._pace.size.per_s
        if self._taken is None:
            return sent
        epoch, taken = self._taken
        if epoch != self._epoch:
            # A decoder that has heard nothing yet offers credit for epoch 0. Any later change
            # is a restart of encoder or decoder: what was under way may be lost, count anew.
            first = (self._epoch, self._base) == (0, 0)
            self._epoch, self._base = epoch, 0 if first else taken - sent
        if self._stalled:  # an encoder that was reset has thrown away what was under way
            self._base, self._stalled = taken - sent, False
        return sent - (taken - self._base)

    def note_credit(self, taken: tuple[int, int], waiting: int, now: float) -> None:
        """Take epoch and number of the newest chunk taken, and how many wait; steady time."""
        if taken != self._taken:
            self.taken_at = now
        if taken != self._taken or waiting:
            self._moved_at = now
        elif now - self._moved_at > _STALLED_S:
            self._moved_at, self._stalled = now, True
        self._taken = taken

    def note_decision(self, epoch: int, seq: int, stamp_ns: int) -> None:
        """Take the number and the stamp of a chunk that was decided on."""
        if self._pace.note(epoch, seq, stamp_ns):
            # What was counted before was counted in chunks of another size.
            self._stalled = bool(self._base)
