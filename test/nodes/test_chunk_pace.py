"""The size of chunks, from the stamps of two in a row."""

import pytest

from audio_interaction_ros.nodes.io.chunk_pace import ChunkPace
from audio_interaction_ros.protocol import RELEASED_CHUNK, ChunkSize

pytestmark = pytest.mark.unit


def test_two_chunks_in_a_row_tell_and_what_is_lost_between_does_not():
    pace = ChunkPace()
    assert not pace.note(1, 0, 800_000_000) and pace.size == RELEASED_CHUNK
    assert pace.note(1, 1, 1_600_000_100) and pace.size == ChunkSize(80)
    assert not pace.note(1, 3, 2_000_000_000)  # one did not come
    assert not pace.note(2, 4, 2_400_000_000)  # another life of the encoder
    assert not pace.note(2, 5, 9_000_000_000)  # a gap of seconds is no size of chunks
    assert not pace.note(2, 5, 9_000_000_000)  # another lane says the same of the same chunk
    assert pace.size == ChunkSize(80)
