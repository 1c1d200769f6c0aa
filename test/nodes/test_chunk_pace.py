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


def test_a_gap_as_long_as_a_chunk_is_no_other_size_and_another_model_is():
    pace = ChunkPace()
    stamps = [0, 4, 8, 16, 20, 24, 26, 28]  # 0.4 s; one is lost before the fourth; then 0.2 s
    changed = [pace.note(1, seq, at * 100_000_000) for seq, at in enumerate(stamps)]
    assert changed == [False] * 7 + [True] and pace.size == ChunkSize(20)
