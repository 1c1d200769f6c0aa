"""The layout of a pass whose graph writes every row from one slot on: nobody's slots are lost."""

import numpy as np
import pytest
from small_model import SLOTS, WIDTH, request

from audio_interaction_ros.runtimes.batch import pack
from audio_interaction_ros.runtimes.static_pass import Move, lay_out, pass_length, pieces

LANES, RESERVE = 3, 16


def layout(requests, time, dtype=np.float32):
    batch = pack(requests, lanes=LANES, slots=SLOTS, pad_id=6)
    return lay_out(batch, lanes=LANES, slots=SLOTS, total=SLOTS + RESERVE, time=time, dtype=dtype)


def seen(mask, lane, position):
    return np.flatnonzero(mask[lane, 0, position] == 0).tolist()


def test_a_row_that_fills_the_pass_is_written_where_it_belongs():
    found = layout([request([20, 21], lane=1, slots=[5, 6], seen=[0, 1, 5])], 2)
    assert found.write_at.tolist() == [SLOTS, 5, SLOTS] and found.moves == ()
    assert seen(found.mask, 1, 0) == [0, 1, 5] and seen(found.mask, 1, 1) == [0, 1, 5, 6]


def test_a_shorter_row_is_written_in_the_reserve_and_brought_home():
    found = layout([request([20, 21, 22], lane=0, slots=[0, 1, 2]),
                    request([30], lane=2, slots=[SLOTS - 1], seen=[3])], 3)
    assert found.write_at.tolist() == [0, SLOTS, SLOTS]
    assert found.moves == (Move(2, SLOTS, SLOTS - 1, 1),)
    assert seen(found.mask, 2, 0) == [3, SLOTS]


def test_slots_that_do_not_follow_each_other_are_brought_home_in_runs():
    found = layout([request([20, 21, 22, 23], lane=1, slots=[SLOTS - 2, SLOTS - 1, 0, 9])], 4)
    assert found.moves == (Move(1, SLOTS, SLOTS - 2, 2), Move(1, SLOTS + 2, 0, 1),
                           Move(1, SLOTS + 3, 9, 1))


def test_every_position_sees_something_padding_and_idle_lanes_too():
    found = layout([request([20], slots=[0])], 4)
    assert (found.mask == 0).any(axis=-1).all()
    assert seen(found.mask, 0, 0) == [SLOTS] and seen(found.mask, 2, 1) == [SLOTS, SLOTS + 1]


def test_the_mask_is_of_the_dtype_of_the_device_and_finite():
    mask = layout([request([20], slots=[0])], 1, np.float16).mask
    assert mask.dtype == np.float16 and np.isfinite(mask).all()


@pytest.mark.parametrize(('count', 'time'), [(1, 1), (2, 13), (13, 13), (14, 14)])
def test_a_pass_is_as_long_as_the_next_prepared_one(count, time):
    assert pass_length(count, (1, 13)) == time
    assert pass_length(count, ()) == count


def test_a_long_request_is_cut_and_each_piece_sees_what_came_before():
    features = np.arange(3 * WIDTH, dtype=np.float32).reshape(3, WIDTH)
    whole = request(range(20, 27), slots=[4, 5, 6, 7, 0, 1, 2], positions=range(7), seen=[2, 9],
                    features=features, read=[0, 5, 6])  # features at 1, 2, 3
    first, second, third = pieces(whole, 3)
    assert [part.slots.tolist() for part in (first, second, third)] == [
        [4, 5, 6], [7, 0, 1], [2]]
    assert [np.flatnonzero(part.visible).tolist() for part in (first, second, third)] == [
        [9], [4, 5, 6, 9], [0, 1, 4, 5, 6, 7, 9]]
    assert [part.read.tolist() for part in (first, second, third)] == [[0], [2], [0]]
    assert [part.feature_index.tolist() for part in (first, second, third)] == [[1, 2], [0], []]
    np.testing.assert_array_equal(second.features, features[2:])
    assert pieces(whole, 7) == [whole]
