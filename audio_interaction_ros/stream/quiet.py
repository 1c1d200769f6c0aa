"""
What quiet is, and what becomes of it: chunks in which nothing is heard are not read by the model.

``QuietRoom`` says of each chunk whether anything stands out of the noise; ``HeldBack`` keeps the
last quiet chunks of a lane, so that it reads them together with the next one that matters. Both
fail on the loud side: what is in doubt is read. Knows numbers only, neither models nor messages.
"""

from collections import deque
from collections.abc import Iterable

import numpy as np

from audio_interaction_ros.protocol import RELEASED_CHUNK, ChunkSize
from audio_interaction_ros.stream.chunk import EncodedChunk

__all__ = ['HeldBack', 'QuietRoom']

STANDS_OUT_DB = 8.0
"""A band so far above its floor for a tenth of a second is heard: noise alone moves by 5 dB."""
_FLOOR_S = 10
"""The floor of a band is its lowest level of ten seconds: a fan that starts is noise by then."""
_FEW_S = 2
"""Of so few nobody can tell what is noise."""
AFTER_S = 2
"""The encoder hears two seconds at once; after so much quiet no feature knows of more."""
_MELS_PER_BAND = 4
_BLOCK_FRAMES = 10
"""Parts of a chunk whose levels are looked at are a tenth of a second long."""
HELD_CHUNKS = 2
"""What a lane reads of a quiet time, before the chunk in which something is heard."""


class QuietRoom:
    """
    Tells of one chunk after another whether it is quiet.

    A chunk is quiet that is softer than ``below_dbfs`` (RMS) when no band of the mel has stood out
    of its noise floor in it or in the two seconds before it. What sounds steadily becomes floor
    in ten seconds, which is why a loud chunk is never quiet.
    """

    def __init__(self, *, below_dbfs: float, chunk_size: ChunkSize = RELEASED_CHUNK) -> None:
        """Begin where nothing is known of the room."""
        self._below_dbfs = below_dbfs
        self._floor, self._few, self._after = (
            round(seconds * chunk_size.per_s) for seconds in (_FLOOR_S, _FEW_S, AFTER_S))
        self.reset()

    def reset(self) -> None:
        """Forget the room."""
        self._levels: deque[np.ndarray] = deque(maxlen=self._floor)
        self._quiet_chunks = 0

    def hear(self, mel: np.ndarray, rms_dbfs: float) -> bool:
        """Return whether a chunk is quiet, by its mel [bins, frames] (``audio.mel``) and level."""
        blocks = _band_levels(mel)
        heard = rms_dbfs >= self._below_dbfs or self._stands_out(blocks)
        self._levels.append(np.median(blocks, axis=1))
        self._quiet_chunks = 0 if heard else self._quiet_chunks + 1
        return self._quiet_chunks > self._after

    def _stands_out(self, blocks: np.ndarray) -> bool:
        if len(self._levels) < self._few:
            return True
        floor = np.min(self._levels, axis=0)
        return bool((blocks.max(axis=1) > floor + STANDS_OUT_DB).any())


def _band_levels(mel: np.ndarray) -> np.ndarray:
    """Return levels [bands, blocks] in dB of a mel [bins, frames], four bins a band."""
    bands = len(mel) // _MELS_PER_BAND
    power = 10.0 ** (4.0 * mel[:bands * _MELS_PER_BAND].astype(np.float64))
    parts = power.reshape(bands, _MELS_PER_BAND, -1, _BLOCK_FRAMES)
    levels: np.ndarray = 10.0 * np.log10(parts.mean(axis=(1, 3)))
    return levels


class HeldBack:
    """The newest quiet chunks of one lane, which it has not read."""

    def __init__(self, *, most: int = HELD_CHUNKS) -> None:
        """Keep at most so many; an older one is never read."""
        self._chunks: deque[EncodedChunk] = deque(maxlen=most)

    def sort(self, chunks: Iterable[EncodedChunk]) -> list[EncodedChunk]:
        """Return which chunks are to be read now, those that were held back before among them."""
        read: list[EncodedChunk] = []
        for chunk in chunks:
            if chunk.quiet:
                self._chunks.append(chunk)
            else:
                read += [*self._chunks, chunk]
                self._chunks.clear()
        return read
