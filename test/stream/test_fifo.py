"""The queue keeps order, loses nothing uncounted and lets each lane read at its own pace."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.fifo import Fifo

pytestmark = pytest.mark.unit

POLICIES = ('drop_oldest', 'drop_newest', 'merge_silence')


def chunk(seq, quiet=False):
    return EncodedChunk(features=np.zeros((2, 4), np.float32), stamp_ns=seq * 400_000_000,
                        epoch=1, seq=seq, model_id='m', quiet=quiet)


@given(policy=st.sampled_from(POLICIES), lanes=st.integers(1, 3),
       actions=st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(1, 4))))
def test_accounting_and_order(policy, lanes, actions):
    """Pushed = consumed + dropped + waiting after every action; lanes see rising numbers."""
    fifo = Fifo(capacity=4, overflow=policy, lanes=lanes)
    newest = [-1] * lanes
    for seq, (lane, quiet, most) in enumerate(actions):
        if lane < lanes:
            for one in fifo.take(lane, most):
                assert one.seq > newest[lane]
                newest[lane] = one.seq
        fifo.push(chunk(seq, quiet))
        stats = fifo.stats
        assert stats.pushed == stats.consumed + stats.dropped + len(fifo)
        assert len(fifo) <= 4


@pytest.mark.parametrize(('policy', 'left'), [
    ('drop_oldest', [2, 3]), ('drop_newest', [0, 1]), ('merge_silence', [0, 3])])
def test_who_goes(policy, left):
    """Each policy drops whom its name says; chunks 1 and 2 are quiet."""
    fifo = Fifo(capacity=2, overflow=policy, lanes=1)
    for seq in range(4):
        fifo.push(chunk(seq, quiet=seq in (1, 2)))
    assert [one.seq for one in fifo.take(0, 9)] == left
    assert fifo.stats.dropped == 2


def test_a_drop_marks_the_next_chunk():
    """What follows a hole is marked discontinuous."""
    fifo = Fifo(capacity=2, overflow='drop_oldest', lanes=1)
    for seq in range(3):
        fifo.push(chunk(seq))
    assert [one.discontinuity for one in fifo.take(0, 9)] == [True, False]


def test_a_chunk_leaves_when_every_lane_has_it():
    """The consumed number follows the slowest lane."""
    fifo = Fifo(capacity=8, overflow='drop_oldest', lanes=2)
    for seq in range(3):
        fifo.push(chunk(seq))
    fifo.take(0, 3)
    assert fifo.consumed_seq is None
    assert len(fifo.take(1, 2)) == 2
    assert (fifo.consumed_seq, fifo.count_waiting(0), fifo.count_waiting(1)) == (1, 0, 1)
