"""The sending half of the queue: order, credit, and accounting without a remainder."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_interaction_ros.config import OVERFLOW_POLICIES, FifoConfig
from audio_interaction_ros.protocol import CHUNK_SAMPLES
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.outbound import OutboundFifo

pytestmark = pytest.mark.unit

FEATURES = np.zeros((1, 1), np.float32)


def chunk(number, *, epoch=1, quiet=False, end=False):
    return EncodedChunk(features=FEATURES, stamp_ns=number * 400_000_000, epoch=epoch, seq=number,
                        model_id='m', quiet=quiet, end_of_stream=end)


def fifo(capacity=3, overflow='drop_oldest'):
    return OutboundFifo(settings=FifoConfig(capacity=capacity, overflow=overflow))


def balanced(queue, now):
    stats = queue.stats(now)
    return stats.offered == stats.consumed + stats.dropped + stats.pending + stats.in_flight


def numbers(chunks):
    return [one.stamp_ns // 400_000_000 for one in chunks]


def test_nothing_is_published_before_a_decoder_shows_up():
    queue = fifo()
    for number in range(5):
        queue.offer(chunk(number), 0.0)
    assert queue.take_publishable(0.0) == []
    queue.on_credit(0, -1, 0.0, consumer='a')
    taken = queue.take_publishable(0.0)
    assert numbers(taken) == [2, 3, 4]
    assert [one.seq for one in taken] == [0, 1, 2]
    assert taken[0].discontinuity and taken[0].lost_samples_before == 2 * CHUNK_SAMPLES
    assert not taken[1].discontinuity


def test_no_more_than_capacity_is_in_flight():
    queue = fifo()
    queue.on_credit(0, -1, 0.0, consumer='a')
    for number in range(3):
        queue.offer(chunk(number), 0.0)
    assert numbers(queue.take_publishable(0.0)) == [0, 1, 2]
    for number in range(3, 6):
        queue.offer(chunk(number), 0.0)
    assert queue.take_publishable(0.0) == []
    queue.on_credit(1, 0, 0.0, consumer='a')
    assert numbers(queue.take_publishable(0.0)) == [3]
    assert queue.stats(0.0).consumed == 1


@pytest.mark.parametrize(('overflow', 'kept'), [
    ('drop_oldest', [6, 7, 8]), ('drop_newest', [3, 4, 5]), ('merge_silence', [3, 5, 8])])
def test_the_policy_says_what_goes(overflow, kept):
    queue = fifo(overflow=overflow)
    queue.on_credit(0, -1, 0.0, consumer='a')
    for number in range(3):
        queue.offer(chunk(number), 0.0)
    queue.take_publishable(0.0)
    for number in range(3, 9):
        queue.offer(chunk(number, quiet=number in (4, 6, 7)), 0.0)
    queue.on_credit(1, 2, 0.0, consumer='a')
    taken = queue.take_publishable(0.0)
    assert numbers(taken) == kept
    assert queue.stats(0.0).dropped_overflow == 3
    queue.offer(chunk(9), 0.0)
    queue.on_credit(1, 5, 0.0, consumer='a')
    rest = queue.take_publishable(0.0)
    assert sum(one.lost_samples_before for one in [*taken, *rest]) == 3 * CHUNK_SAMPLES


@pytest.mark.parametrize('present', [True, False])
@pytest.mark.parametrize('overflow', OVERFLOW_POLICIES)
def test_the_end_of_a_stream_is_not_dropped(overflow, present):
    """One is enough: of streams of which nothing else is left none takes room."""
    queue = fifo(capacity=3, overflow=overflow)
    if present:
        queue.on_credit(0, -1, 0.0, consumer='a')
    for number in range(3):
        queue.offer(chunk(number), 0.0)
    assert len(queue.take_publishable(0.0)) == 3 * present
    for number in range(3, 30):
        queue.offer(chunk(number, end=number == 4 or number > 20, quiet=number % 2 == 0), 0.0)
        ends = [one.stamp_ns // 400_000_000 for one in queue._pending if one.end_of_stream]
        assert number < 4 or 4 in ends
        assert number > 20 or len(ends) == (number >= 4)
    queue.on_credit(1, 2, 0.0, consumer='a')
    taken = queue.take_publishable(0.0)
    assert {4} <= set(numbers(taken)) and balanced(queue, 0.0)
    assert overflow == 'drop_newest' and present or numbers(taken) == [4, 28, 29]


def test_a_silent_decoder_stops_publication_and_the_newest_are_kept():
    queue = fifo(overflow='drop_newest')
    queue.on_credit(0, -1, 0.0, consumer='a')
    queue.offer(chunk(0), 0.0)
    assert numbers(queue.take_publishable(0.0)) == [0]
    for number in range(1, 8):
        queue.offer(chunk(number), 3.0)
    assert queue.take_publishable(3.0) == []
    assert not queue.stats(3.0).decoder_present
    queue.on_credit(0, -1, 3.0, consumer='b')
    taken = queue.take_publishable(3.0)
    assert numbers(taken) == [5, 6, 7]
    assert taken[0].lost_samples_before == 5 * CHUNK_SAMPLES
    assert queue.stats(3.0).lost_in_flight == 1
    assert balanced(queue, 3.0)


def test_a_new_epoch_counts_from_zero_and_old_credit_says_nothing():
    queue = fifo()
    queue.on_credit(0, -1, 0.0, consumer='a')
    for number in range(2):
        queue.offer(chunk(number), 0.0)
    queue.take_publishable(0.0)
    queue.offer(chunk(0, epoch=2), 0.0)
    queue.on_credit(1, 1, 0.0, consumer='a')
    assert queue.stats(0.0).consumed == 0
    assert [(one.epoch, one.seq) for one in queue.take_publishable(0.0)] == [(2, 0)]
    assert queue.stats(0.0).lost_in_flight == 2
    assert balanced(queue, 0.0)


def test_credit_beyond_what_was_sent_is_cut():
    queue = fifo()
    queue.on_credit(0, -1, 0.0, consumer='a')
    queue.offer(chunk(0), 0.0)
    queue.take_publishable(0.0)
    queue.on_credit(1, 99, 0.0, consumer='a')
    assert queue.stats(0.0).consumed == 1 and queue.in_flight == 0


STEPS = st.lists(st.one_of(
    st.tuples(st.just('offer'), st.booleans(), st.booleans()),
    st.tuples(st.just('credit'), st.integers(-1, 60), st.sampled_from('ab')),
    st.tuples(st.just('publish')), st.tuples(st.just('epoch')),
    st.tuples(st.just('wait'), st.floats(0, 3))), max_size=120)


@settings(max_examples=150, deadline=None)
@given(steps=STEPS, capacity=st.integers(1, 5), overflow=st.sampled_from(OVERFLOW_POLICIES))
def test_whatever_happens_the_books_balance_and_order_holds(steps, capacity, overflow):
    queue, now, epoch, number = fifo(capacity, overflow), 0.0, 1, 0
    published = []
    for step in steps:
        if step[0] == 'offer':
            queue.offer(chunk(number, epoch=epoch, quiet=step[1], end=step[2]), now)
            number += 1
        elif step[0] == 'credit':
            queue.on_credit(epoch, step[1], now, consumer=step[2])
        elif step[0] == 'publish':
            published += queue.take_publishable(now)
        elif step[0] == 'epoch':
            epoch += 1
        else:
            now += step[1]
        assert balanced(queue, now)
        assert queue.stats(now).pending <= capacity
        assert 0 <= queue.in_flight <= capacity
    assert [one.stamp_ns for one in published] == sorted(one.stamp_ns for one in published)
    for one, after in pairwise(published):
        assert after.seq == (one.seq + 1 if after.epoch == one.epoch else 0)


@pytest.mark.parametrize('overflow', OVERFLOW_POLICIES)
@pytest.mark.parametrize('slowness', [1, 2, 3, 7])
def test_with_a_decoder_k_times_too_slow_every_chunk_is_accounted_for(overflow, slowness):
    queue = fifo(capacity=4, overflow=overflow)
    queue.on_credit(0, -1, 0.0, consumer='a')
    inbox, done, lost = [], [], 0
    for number in range(200):
        now = number * 0.4
        queue.offer(chunk(number, quiet=number % 3 == 0), now)
        inbox += queue.take_publishable(now)
        if number % slowness == 0 and inbox:
            one = inbox.pop(0)
            done.append(one.stamp_ns)
            lost += one.lost_samples_before // CHUNK_SAMPLES
        last = len(done) - 1
        queue.on_credit(1, last, now, consumer='a')
    while True:
        inbox += queue.take_publishable(80.0)
        if not inbox:
            break
        one = inbox.pop(0)
        done.append(one.stamp_ns)
        lost += one.lost_samples_before // CHUNK_SAMPLES
        queue.on_credit(1, len(done) - 1, 80.0, consumer='a')
    stats = queue.stats(80.0)
    assert stats.offered == 200 == stats.consumed + stats.dropped
    assert stats.consumed == len(done) and done == sorted(done)
    assert lost <= stats.dropped and (overflow == 'drop_newest' or lost == stats.dropped)
    assert (stats.dropped == 0) == (slowness == 1)
