"""
Where that began which a reply answers: a guess from the levels of chunks.

Owns the levels of the last seconds and the last answer. A level says little by itself: a quiet
speaker in a quiet room is softer than the fan of another. So what counts is how far a chunk
stands out from the quietest of the ten seconds before it. Knows neither audio nor models; the
second pass, which has the audio, looks again and more closely.
"""

from collections import deque

import numpy as np

from audio_interaction_ros.protocol import RELEASED_CHUNK, ChunkSize
from audio_interaction_ros.stream.chunk import EncodedChunk

__all__ = ['LEAD_NS', 'OnsetGuess']

STANDS_OUT_DB = 6.0
"""A chunk so far above the noise floor may begin what a reply answers."""
LOWEST_FLOOR_DBFS = -95.0
"""Below is nothing to hear: 16 bit samples end here."""
LEAD_NS = 10_000_000_000
"""A reply to what never stood out answers at most so much."""
_KEPT_S = 40
_FLOOR_S = 10
_FEW_S = 4
_QUIET_NS = 5_000_000_000
"""What stood out so long ago has nothing to do with what comes now."""
_GAP_NS = 1_000_000_000


class OnsetGuess:
    """Guesses for one lane; a guess is rather too early than too late."""

    def __init__(self, chunk_size: ChunkSize = RELEASED_CHUNK) -> None:
        self._chunk_ns = chunk_size.ns
        self._floor = round(_FLOOR_S * chunk_size.per_s)  # chunks
        self._few = round(_FEW_S * chunk_size.per_s)
        self._heard: deque[tuple[int, float]] = deque(maxlen=round(_KEPT_S * chunk_size.per_s))
        self._earliest_ns: int | None = None
        self._expected_ns: int | None = None

    def push(self, chunk: EncodedChunk) -> None:
        """Take in the next chunk."""
        if self._expected_ns is None:  # the end of a stream is padded with silence
            self._heard.clear()
        if self._earliest_ns is None or self._comes_after_gap(chunk):
            self._earliest_ns = chunk.stamp_ns
        self._heard.append((chunk.stamp_ns, chunk.rms_dbfs))
        self._expected_ns = None if chunk.end_of_stream else chunk.end_ns

    def take_onset(self, end_ns: int) -> int:
        """Return where began what is answered at ``end_ns``; what comes later begins later."""
        earliest_ns = end_ns - LEAD_NS if self._earliest_ns is None else self._earliest_ns
        start_ns = end_ns
        for stamp_ns in reversed(self._find_onset(earliest_ns, end_ns)):
            if start_ns - (stamp_ns + self._chunk_ns) > _QUIET_NS:
                break
            start_ns = stamp_ns
        # One chunk of lead-in, so that a soft onset is not cut off.
        start_ns = end_ns - LEAD_NS if start_ns == end_ns else start_ns - self._chunk_ns
        self._earliest_ns = end_ns
        return max(start_ns, earliest_ns)

    def _find_onset(self, earliest_ns: int, end_ns: int) -> list[int]:
        """Return when the chunks begin that stand out from what was heard before them."""
        levels = np.array([level for _, level in self._heard])
        if len(levels) < self._few:  # too short to know what is noise
            floor = np.full(len(levels), LOWEST_FLOOR_DBFS)
        else:
            # The first chunks have little before them, and the stream may begin with speech.
            floor = np.array([levels[max(0, i - self._floor):max(i + 1, self._few)].min()
                              for i in range(len(levels))])
        loud = levels > np.maximum(floor, LOWEST_FLOOR_DBFS) + STANDS_OUT_DB
        return [stamp_ns for (stamp_ns, _), stands_out in zip(self._heard, loud, strict=True)
                if stands_out and earliest_ns <= stamp_ns < end_ns]

    def _comes_after_gap(self, chunk: EncodedChunk) -> bool:
        """Tell whether audio is missing before a chunk, so that no utterance reaches across."""
        if self._expected_ns is None:
            return True
        return not -chunk.duration_ns < chunk.stamp_ns - self._expected_ns < _GAP_NS
