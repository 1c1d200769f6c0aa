"""
How long the chunks of a running model are, by what its nodes say of two in a row.

Every message of a chunk has its number and its place in audio time, so nobody has to be told.
"""

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import RELEASED_CHUNK, ChunkSize

__all__ = ['ChunkPace']


class ChunkPace:
    """Follows one topic; takes chunks of the released model until it knows better."""

    def __init__(self) -> None:
        """Begin with nothing heard."""
        self.size = RELEASED_CHUNK
        self._newest: tuple[int, int, int] | None = None
        self._known = False
        self._doubt: ChunkSize | None = None
        """Another size that one pair of chunks had."""

    def note(self, epoch: int, seq: int, stamp_ns: int) -> bool:
        """
        Take the number and the stamp of a chunk; True where the size changed.

        Stamps are all of begins or all of ends. The first two in a row are believed. Later on
        another size must come twice in a row: a gap in the audio may look like a longer chunk.
        """
        before, self._newest = self._newest, (epoch, seq, stamp_ns)
        if before is None or (epoch, seq) != (before[0], before[1] + 1):
            return False
        try:
            size = ChunkSize.of_seconds(round((stamp_ns - before[2]) / 1e8) / 10)
        except ConfigurationError:
            return False
        doubt, self._doubt = self._doubt, None if size == self.size else size
        if self._known and size != doubt:
            return False
        changed, self.size, self._known, self._doubt = size != self.size, size, True, None
        return changed
