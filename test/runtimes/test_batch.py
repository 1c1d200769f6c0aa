import numpy as np
import pytest

from audio_interaction_ros.runtimes.base import Allowed, StepRequest, StepResult
from audio_interaction_ros.runtimes.batch import pack

pytestmark = pytest.mark.unit

SLOTS = 6
PAD = 9


def request(lane, slots, seen=(), ids=None, features=(), allowed=Allowed.CONTROLS):
    visible = np.zeros(SLOTS, np.bool_)
    visible[list(seen)] = True
    slots = np.array(slots)
    return StepRequest(
        lane=lane, ids=np.arange(len(slots)) if ids is None else np.array(ids), slots=slots,
        positions=100 + slots, visible=visible, feature_index=np.array(features, np.int64),
        features=np.full((len(features), 2), float(lane + 1), np.float32),
        read=np.array([len(slots) - 1]), allowed=allowed)


def packed(*requests, lanes=3):
    return pack(requests, lanes=lanes, slots=SLOTS, pad_id=PAD)


def test_rows_are_ordered_by_lane_and_padded_at_the_end():
    batch = packed(request(2, [4, 5]), request(0, [1]))
    assert batch.lanes.tolist() == [0, 2]
    assert batch.ids.tolist() == [[0, PAD], [0, 1]]
    assert batch.slots.tolist() == [[1, SLOTS], [4, 5]]
    assert batch.positions.tolist() == [[101, 0], [104, 105]]


def test_results_come_in_the_order_of_the_requests():
    batch = packed(request(2, [4], allowed=Allowed.TEXT), request(0, [1]),
                   request(1, [2], allowed=Allowed.FIRST))
    assert batch.choosing == [1, 2]
    assert batch.results(['of 0', 'of 1', 'of 2'], {1: (7, -0.5), 2: (8, -0.25)}) == [
        StepResult(control_logits='of 2', token=8, log_prob=-0.25),
        StepResult(control_logits='of 0'),
        StepResult(control_logits='of 1', token=7, log_prob=-0.5)]


def test_a_slot_that_is_written_again_is_no_longer_past():
    batch = packed(request(0, [1, 2], seen=[0, 1, 3]))
    assert batch.past.tolist() == [[True, False, False, True]]
    assert batch.mask()[0, 0].tolist() == [[True, True, False, True], [True, True, True, True]]


def test_nothing_seen_is_a_past_of_no_slots():
    batch = packed(request(0, [3]))
    assert batch.past.shape == (1, 0)
    assert batch.mask()[0, 0].tolist() == [[False, False, False, True]]


def test_a_padded_position_sees_something_and_nobody_sees_it():
    mask = packed(request(0, [0]), request(1, [2, 3], seen=[0])).mask()
    assert mask[0, 0].any(axis=-1).all()
    assert not mask[0, 0, 0, 2:].any()


def test_features_replace_embeddings_where_they_belong():
    embeddings = np.zeros((2, 3, 2), np.float32)
    packed(request(1, [0, 1, 2], features=[0, 2]), request(0, [4])).overlay(embeddings)
    assert embeddings[1, :, 0].tolist() == [2.0, 0.0, 2.0]
    assert not embeddings[0].any()


@pytest.mark.parametrize('requests', [
    [request(3, [0])], [request(-1, [0])], [request(0, [0]), request(0, [1])],
    [request(0, [SLOTS])], [request(0, [-1])], [request(0, [])], []])
def test_what_the_cache_does_not_have_is_refused(requests):
    with pytest.raises(ValueError, match='expected'):
        packed(*requests)
