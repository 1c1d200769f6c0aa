"""
The sending half of the bounded queue between encoder and decoder: what may be published when.

Owns the local queue, the sequence numbers on the wire, the credits and the exact accounting:
offered = consumed + dropped + pending + in flight, at any time. Knows neither ROS nor clocks;
the caller passes steady seconds.
"""

from collections import deque
from dataclasses import dataclass, replace

from audio_interaction_ros.config import FifoConfig
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.stream.chunk import EncodedChunk

__all__ = ['OutboundFifo', 'OutboundStats']


@dataclass(frozen=True, kw_only=True)
class OutboundStats:
    """Counts since the fifo was made; they survive a new epoch."""

    offered: int
    """Chunks that the encoder produced."""
    consumed: int
    """Chunks that the decoder reported as taken by every lane."""
    dropped_overflow: int
    """Chunks dropped here because the queue was full."""
    lost_in_flight: int
    """Chunks published to a decoder that vanished, or that a new epoch left behind."""
    pending: int
    """Chunks waiting here for credit."""
    in_flight: int
    """Chunks published and not yet reported as consumed."""
    decoder_present: bool
    """False: no credit within the timeout (or never)."""
    credit_age_s: float
    """Seconds since the last credit; infinite before the first."""

    @property
    def dropped(self) -> int:
        """All counted losses."""
        return self.dropped_overflow + self.lost_in_flight


class OutboundFifo:
    """
    Bounded sender queue that publishes against credit.

    Sequence numbers are given at publication, so on the wire they are contiguous within an
    epoch whatever was dropped before; a drop shows as ``discontinuity`` and
    ``lost_samples_before`` of the next chunk. Until a first credit comes the decoder counts as
    absent: nothing is published and the newest ``capacity`` chunks are kept.
    """

    def __init__(self, *, settings: FifoConfig) -> None:
        """Start empty, with no decoder known."""
        self.settings = settings
        """Overflow policy and time-out may change at any time, the capacity may not."""
        self._pending: deque[EncodedChunk] = deque()
        self._epoch = 0
        self._next_seq = 0
        self._consumed_seq = -1
        self._consumer: str | None = None
        self._credit_at: float | None = None
        self._owed_samples = 0
        self._chunk_samples = 0
        self._offered = self._consumed = self._dropped = self._lost = 0

    @property
    def in_flight(self) -> int:
        """Return how many chunks are published and not yet consumed."""
        return self._next_seq - 1 - self._consumed_seq

    def offer(self, chunk: EncodedChunk, now: float) -> None:
        """
        Take the next chunk; what overflows is dropped by the policy and counted.

        A chunk of another epoch than the one before starts the sequence anew: what the older
        epoch still had waiting or in flight is counted as dropped.
        """
        if chunk.epoch != self._epoch:
            self._begin_epoch(chunk.epoch)
        self._offered += 1
        self._chunk_samples = chunk.duration_ns * SAMPLE_RATE_HZ // 1_000_000_000
        if self._owed_samples:
            chunk = self._add_loss(chunk, self._owed_samples)
            self._owed_samples = 0
        self._pending.append(chunk)
        while len(self._pending) > self.settings.capacity:
            self._drop(self._choose_victim(now))

    def on_credit(
            self, epoch: int, consumed_seq: int, now: float, *, consumer: str = '') -> None:
        """
        Learn that the decoder lives and what it has consumed.

        ``consumed_seq`` is the newest sequence number that every lane has taken, -1 for none.
        ``consumer`` identifies the decoder's session; when it changes, what was in flight went
        down with the one before. Credit of another epoch is a sign of life only.
        """
        if self._consumer is not None and consumer != self._consumer:
            self._write_off_in_flight()
        self._consumer = consumer
        self._credit_at = now
        if epoch != self._epoch:
            return
        reached = min(consumed_seq, self._next_seq - 1)
        if reached > self._consumed_seq:
            self._consumed += reached - self._consumed_seq
            self._consumed_seq = reached

    def take_publishable(self, now: float) -> list[EncodedChunk]:
        """Return, in order and numbered, the chunks that the credit allows to publish now."""
        taken: list[EncodedChunk] = []
        while (self._pending and self.in_flight < self.settings.capacity
               and self.decoder_present(now)):
            chunk = self._pending.popleft()
            taken.append(replace(chunk, seq=self._next_seq))
            self._next_seq += 1
        return taken

    def decoder_present(self, now: float) -> bool:
        """Return whether credit came within the timeout."""
        return (self._credit_at is not None
                and now - self._credit_at <= self.settings.credit_timeout_s)

    def stats(self, now: float) -> OutboundStats:
        """Return the counts."""
        return OutboundStats(
            offered=self._offered, consumed=self._consumed, dropped_overflow=self._dropped,
            lost_in_flight=self._lost, pending=len(self._pending), in_flight=self.in_flight,
            decoder_present=self.decoder_present(now),
            credit_age_s=float('inf') if self._credit_at is None else now - self._credit_at)

    def _begin_epoch(self, epoch: int) -> None:
        self._lost += self.in_flight + len(self._pending)
        self._pending.clear()
        self._epoch, self._next_seq, self._consumed_seq = epoch, 0, -1
        self._owed_samples = 0

    def _write_off_in_flight(self) -> None:
        lost = self.in_flight
        self._lost += lost
        self._consumed_seq = self._next_seq - 1
        if lost and self._pending:
            self._pending[0] = self._add_loss(self._pending[0], lost * self._chunk_samples)
        elif lost:
            self._owed_samples += lost * self._chunk_samples

    def _choose_victim(self, now: float) -> int:
        """
        Return the index of the pending chunk to drop.

        The end of a stream stays, unless right behind another one: then it ends nothing.
        """
        pending, newest = self._pending, len(self._pending) - 1
        oldest = int(pending[0].end_of_stream)
        if not self.decoder_present(now):
            return oldest  # nobody reads: the newest chunks are the ones worth keeping
        if self.settings.overflow == 'drop_newest':
            ends = pending[newest].end_of_stream and not pending[newest - 1].end_of_stream
            return newest - ends
        if self.settings.overflow == 'merge_silence':
            for index, chunk in enumerate(pending):
                if chunk.quiet and not chunk.end_of_stream:
                    return index
        return oldest

    def _drop(self, index: int) -> None:
        victim = self._pending[index]
        del self._pending[index]
        self._dropped += 1
        samples = victim.lost_samples_before + self._chunk_samples
        if index < len(self._pending):
            self._pending[index] = self._add_loss(self._pending[index], samples)
        else:
            self._owed_samples += samples

    @staticmethod
    def _add_loss(chunk: EncodedChunk, samples: int) -> EncodedChunk:
        return replace(chunk, discontinuity=True,
                       lost_samples_before=chunk.lost_samples_before + samples)
