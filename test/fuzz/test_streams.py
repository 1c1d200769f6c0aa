"""Any sound, any stamps, any credit, any order: nothing is lost uncounted, nothing else raises."""

import contextlib

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.frontend import FrontEnd
from audio_interaction_ros.config import OVERFLOW_POLICIES, FifoConfig
from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.fifo import Fifo
from audio_interaction_ros.stream.outbound import OutboundFifo

pytestmark = pytest.mark.unit

TYPES = (np.int8, np.uint8, np.int16, np.int32, np.int64, np.float16, np.float32, np.float64)
RATES = st.one_of(st.sampled_from([8_000, 16_000, 44_100, 48_000]), st.integers(-1, 2 ** 31))
STAMPS = st.one_of(st.none(), st.integers(0, 3 * 10 ** 9), st.integers(-2 ** 62, 2 ** 62))
SOUND = st.tuples(st.sampled_from(TYPES), st.integers(0, 3_000), st.integers(0, 4),
                  st.sampled_from(['noise', 'zeros', 'largest', 'nan', 'inf']),
                  RATES, STAMPS, st.one_of(st.none(), st.integers(0, 5)))


def samples(kind, frames, channels, sound):
    shape = (frames, channels) if channels else (frames,)
    if np.issubdtype(kind, np.floating):
        value = {'zeros': 0.0, 'largest': np.finfo(kind).max, 'nan': np.nan, 'inf': -np.inf}
        if sound == 'noise':
            return np.random.default_rng(frames).normal(0, 0.3, shape).astype(kind)
        return np.full(shape, value[sound], kind)
    if sound == 'noise':
        return np.random.default_rng(frames).integers(-100, 100, shape).astype(kind)
    return np.full(shape, 0 if sound == 'zeros' else np.iinfo(kind).max, kind)


@pytest.mark.share(2)
@given(blocks=st.lists(SOUND, max_size=8), channel=st.one_of(st.none(), st.integers(0, 4)))
@example(channel=None, blocks=[  # unstamped, then one lost, then a stamp from before both
    (np.int8, 1, 0, 'noise', 8_000, None, 0), (np.int8, 1, 0, 'noise', 8_000, 0, 2)])
def test_the_front_end_makes_whole_finite_chunks_of_any_blocks(blocks, channel):
    front = FrontEnd(channel_select=channel)
    chunks = []
    for kind, frames, channels, sound, rate, stamp, seq in blocks:
        block = AudioBlock(samples=samples(kind, frames, channels, sound), sample_rate_hz=rate,
                           stamp_ns=stamp, seq=seq)
        with contextlib.suppress(AudioInteractionError):
            chunks += front.push(block)
    chunks += front.flush()
    for chunk in chunks:
        assert chunk.samples.shape == (6_400,) and np.isfinite(chunk.samples).all()
        assert np.abs(chunk.samples).max() <= 1.0 and chunk.lost_samples_before >= 0
    assert front.stats.chunks == len(chunks)


def encoded(number, epoch, silent, end):
    return EncodedChunk(features=np.zeros((1, 1), np.float32), stamp_ns=number * 400_000_000,
                        epoch=epoch, seq=number, model_id='m', silent=silent, end_of_stream=end)


NUMBER = st.one_of(st.integers(-2, 12), st.integers(-2 ** 63, 2 ** 64))
STEPS = st.lists(st.one_of(
    st.tuples(st.just('offer'), st.booleans(), st.booleans()),
    st.tuples(st.just('credit'), NUMBER, NUMBER, st.sampled_from('abc')),
    st.tuples(st.just('publish')), st.tuples(st.just('epoch')),
    st.tuples(st.just('wait'), st.floats(0, 9))), max_size=30)


@pytest.mark.share(20)
@given(steps=STEPS, capacity=st.integers(1, 5), overflow=st.sampled_from(OVERFLOW_POLICIES))
def test_the_sending_half_of_the_queue_accounts_for_every_chunk(steps, capacity, overflow):
    queue = OutboundFifo(settings=FifoConfig(capacity=capacity, overflow=overflow))
    now, epoch, offered = 0.0, 1, 0
    for what, *more in steps:
        if what == 'offer':
            queue.offer(encoded(offered, epoch, *more), now)
            offered += 1
        elif what == 'credit':
            queue.on_credit(epoch + more[0] if abs(more[0]) < 3 else more[0], more[1], now,
                            consumer=more[2])
        elif what == 'publish':
            queue.take_publishable(now)
        elif what == 'epoch':
            epoch += 1
        else:
            now += more[0]
        stats = queue.stats(now)
        assert stats.offered == offered == (stats.consumed + stats.dropped + stats.pending
                                            + stats.in_flight)
        assert stats.pending <= capacity and 0 <= stats.in_flight <= capacity


@pytest.mark.share(20)
@given(overflow=st.sampled_from(OVERFLOW_POLICIES), lanes=st.integers(1, 4),
       capacity=st.integers(1, 5), actions=st.lists(st.one_of(
           st.tuples(st.just('push'), st.booleans()), st.tuples(st.just('clear')),
           st.tuples(st.just('take'), st.integers(0, 3), st.integers(1, 6))), max_size=30))
def test_the_receiving_half_of_the_queue_accounts_for_every_chunk(
        overflow, lanes, capacity, actions):
    fifo, pushed = Fifo(capacity=capacity, overflow=overflow, lanes=lanes), 0
    for what, *more in actions:
        if what == 'push':
            fifo.push(encoded(pushed, 1, more[0], False))
            pushed += 1
        elif what == 'clear':
            fifo.clear()
        else:
            fifo.take(more[0] % lanes, more[1])
        stats = fifo.stats
        assert stats.pushed == pushed == stats.consumed + stats.dropped + len(fifo)
        assert len(fifo) <= capacity
