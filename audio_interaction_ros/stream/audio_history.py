"""The newest seconds of audio, kept in memory only, to be cut out by time stamps."""

from collections import deque

from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ

__all__ = ['AudioHistory']


class AudioHistory:
    """Ring of chunks that covers the last ``seconds`` of audio."""

    def __init__(self, *, seconds: float) -> None:
        self._kept_samples = round(seconds * SAMPLE_RATE_HZ)
        self._chunks: deque[AudioChunk] = deque()

    def push(self, chunk: AudioChunk) -> None:
        """Add the newest chunk; the oldest one goes where the ring is full."""
        self._chunks.append(chunk)
        while len(self._chunks) > 1 and (
                (len(self._chunks) - 1) * len(chunk.samples) >= self._kept_samples):
            self._chunks.popleft()

    def between(self, start_ns: int, end_ns: int) -> list[AudioChunk]:
        """Return all chunks that touch this span, in order; there may be none."""
        return [chunk for chunk in self._chunks
                if chunk.stamp_ns < end_ns and chunk.end_ns > start_ns]

    def clear(self) -> None:
        """Forget everything, as when the robot is told not to listen."""
        self._chunks.clear()
