"""What of a recording is under way: across restarts, stalls and chunks of another size."""

import pytest

from audio_interaction_ros.nodes.io.chunks_under_way import ChunksUnderWay

pytestmark = pytest.mark.unit


def begun(taken=(0, 0)):
    count = ChunksUnderWay()
    count.note_credit(taken, 0, 1.0)
    count.begin()
    return count


def test_without_a_decoder_all_is_under_way():
    count = ChunksUnderWay()
    assert not count.has_decoder and count.count(4.0) == 10


def test_what_was_taken_is_not_under_way_and_what_came_before_does_not_count():
    count = begun((7, 100))
    count.note_credit((7, 103), 1, 2.0)
    assert count.has_decoder and count.count(4.0) == 7 and count.taken_at == 2.0


def test_the_first_epoch_counts_from_its_beginning_a_later_one_from_now_on():
    count = begun()
    count.note_credit((50, 3), 1, 2.0)
    assert count.count(4.0) == 7
    count.note_credit((60, 0), 0, 3.0)
    assert count.count(4.0) == 0 and count.count(8.0) == 10


def test_with_nothing_waiting_for_seconds_nothing_is_under_way():
    count = begun((7, 100))
    for now in (2.0, 3.9):
        count.note_credit((7, 100), 0, now)
        assert count.count(4.0) == 10
    count.note_credit((7, 100), 0, 4.1)
    assert count.count(4.0) == 0 and count.taken_at == 1.0


def test_chunks_of_another_size_are_counted_as_such():
    count = begun()
    for seq in range(2):
        count.note_decision(1, seq, seq * 200_000_000)
    assert count.count(4.0) == 20
