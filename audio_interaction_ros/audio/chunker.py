"""
Samples to chunks of one size, each with the time of its first sample.

Owns the incomplete chunk and the mapping from 16 kHz sample to stamp. A chunk has parts of one
size, which can be heard before it is whole. Knows nothing of blocks or of other rates; whoever
sees a gap tells it by ``skip``, ``move`` and ``move_next``.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from audio_interaction_ros.audio.block import SAMPLE_NS, AudioChunk
from audio_interaction_ros.protocol import RELEASED_CHUNK, ChunkSize

__all__ = ['Chunker']


class Chunker:
    """Cuts 16 kHz mono into chunks; the first sample is at 0 ns until ``move`` says else."""

    def __init__(self, chunk_size: ChunkSize = RELEASED_CHUNK,
                 on_part: Callable[[AudioChunk], object] = lambda _: None) -> None:
        """
        Begin with nothing pending.

        ``on_part`` is told each part as soon as it is whole, and before its chunk.
        """
        self._buffer = np.zeros(chunk_size.samples, dtype=np.float32)
        self._part, self._on_part = chunk_size.part.samples, on_part
        self._fill = 0
        self._start_ns = 0  # time of the incomplete chunk's first sample
        self._lost_samples = 0
        self._owed = (0, 0)  # ns to move and samples lost, from the next chunk on
        self._sent = 0  # samples of the incomplete chunk up to the last one from the source

    @property
    def pending(self) -> np.ndarray:
        """The samples [n < a chunk's] of the incomplete chunk, a copy."""
        pending: np.ndarray = self._buffer[:self._fill].copy()
        return pending

    @property
    def after_gap(self) -> bool:
        """True when audio is missing right before the incomplete chunk."""
        return self._lost_samples > 0

    @property
    def end_ns(self) -> int:
        """Time at which the samples so far end."""
        return self._start_ns + self._fill * SAMPLE_NS + self._owed[0]

    def push(self, samples: np.ndarray, *, padding: bool = False) -> list[AudioChunk]:
        """
        Take any number of samples [n] float32 and return the chunks now complete.

        Chunks of ``padding`` alone are marked as such.
        """
        chunks = []
        taken = 0
        while taken < len(samples):
            count = min(len(samples) - taken, self._part - self._fill % self._part)
            self._buffer[self._fill:self._fill + count] = samples[taken:taken + count]
            self._fill += count
            taken += count
            self._sent = self._sent if padding else self._fill
            if self._fill % self._part == 0:
                self._tell_part(self._fill - self._part)
            if self._fill == len(self._buffer):
                chunks.append(self._finish())
        return chunks

    def pad(self, *, end_of_stream: bool = False) -> list[AudioChunk]:
        """Complete the incomplete chunk with zeros; nothing pending, no chunk."""
        if self._fill == 0:
            return []
        zeros = np.zeros(len(self._buffer) - self._fill, dtype=np.float32)
        return [replace(chunk, end_of_stream=end_of_stream)
                for chunk in self.push(zeros, padding=True)]

    def move(self, delta_ns: int) -> None:
        """Correct the clock: all samples from the incomplete chunk on are later by this."""
        self._start_ns += delta_ns

    def move_next(self, delta_ns: int, *, lost_samples: int) -> None:
        """Correct the clock from the start of the next chunk on, which follows a loss."""
        self._owed = (self._owed[0] + delta_ns, self._owed[1] + lost_samples)
        if self._fill == 0:
            self._apply_owed_move()

    def skip(self, stamp_ns: int, *, lost_samples: int) -> None:
        """Go on at another time with a new chunk; the incomplete one must be padded before."""
        assert self._fill == 0, 'an incomplete chunk would straddle the skip'
        self._start_ns = stamp_ns
        self._lost_samples += lost_samples

    def _tell_part(self, begin: int) -> None:
        self._on_part(AudioChunk(
            samples=self._buffer[begin:self._fill].copy(),
            stamp_ns=self._start_ns + begin * SAMPLE_NS, padding=self._sent <= begin,
            lost_samples_before=0 if begin else self._lost_samples,
            ends_chunk=self._fill == len(self._buffer)))

    def _finish(self) -> AudioChunk:
        chunk = AudioChunk(
            samples=self._buffer.copy(), stamp_ns=self._start_ns,
            lost_samples_before=self._lost_samples, padding=not self._sent)
        self._start_ns += len(self._buffer) * SAMPLE_NS
        self._fill = self._sent = 0
        self._lost_samples = 0
        self._apply_owed_move()
        return chunk

    def _apply_owed_move(self) -> None:
        (delta_ns, lost), self._owed = self._owed, (0, 0)
        self._start_ns += delta_ns
        self._lost_samples += lost
