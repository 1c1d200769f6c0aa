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


TOLD = st.tuples(st.integers(1, 4_000), STAMPS, st.one_of(st.none(), st.integers(0, 40)),
                 st.one_of(st.none(), st.integers(0, 10 ** 10)), st.booleans())


@pytest.mark.share(1)
@given(blocks=st.lists(TOLD, max_size=12), flush_at=st.integers(0, 12))
def test_whatever_stamps_and_numbers_say_every_sample_comes_out_once_and_in_order(
        blocks, flush_at):
    front, chunks, sent = FrontEnd(), [], 0
    for at, (frames, stamp, seq, arrival, on_arrival) in enumerate(blocks):
        if at == flush_at:
            chunks += front.flush()
        ramp = (np.arange(sent, sent + frames) % 30_000 + 1).astype(np.int16)
        sent += frames
        chunks += front.push(AudioBlock(
            samples=ramp, sample_rate_hz=16_000, stamp_ns=stamp, seq=seq, arrival_ns=arrival,
            stamped_on_arrival=on_arrival))
    chunks += front.flush()
    sound = np.concatenate([chunk.samples for chunk in chunks] or [np.zeros(0)])
    heard = np.round(sound[sound != 0] * 32_768).astype(int)
    np.testing.assert_array_equal(heard, np.arange(sent) % 30_000 + 1)
    assert front.stats.samples == sent


@pytest.mark.share(1)
@given(frames=st.lists(st.integers(0, 4_000), max_size=8), rate=st.one_of(
    st.integers(1_000, 768_000), st.sampled_from([8_000, 16_000, 44_100, 48_000])))
def test_sound_of_any_rate_keeps_its_length_in_blocks_of_any_length(frames, rate):
    front, chunks = FrontEnd(), []
    for count in frames:
        chunks += front.push(AudioBlock(samples=np.ones(count, np.float32), sample_rate_hz=rate,
                                        stamp_ns=None))
    chunks += front.flush()
    exact = sum(frames) * 16_000 / rate
    assert exact - 1 <= 6_400 * len(chunks) < exact + 6_401
    assert [chunk.stamp_ns for chunk in chunks] == [400_000_000 * at for at in range(len(chunks))]
    assert not any(chunk.lost_samples_before for chunk in chunks)


def encoded(number, epoch, quiet, end):
    return EncodedChunk(features=np.zeros((1, 1), np.float32), stamp_ns=number * 400_000_000,
                        epoch=epoch, seq=number, model_id='m', quiet=quiet, end_of_stream=end)


NUMBER = st.one_of(st.integers(-2, 12), st.integers(-2 ** 63, 2 ** 64))
STEPS = st.lists(st.one_of(
    st.tuples(st.just('offer'), st.booleans(), st.booleans()),
    st.tuples(st.just('credit'), NUMBER, NUMBER, st.sampled_from('abc')),
    st.tuples(st.just('publish')), st.tuples(st.just('epoch')),
    st.tuples(st.just('wait'), st.floats(0, 9))), max_size=30)


class Ledger:
    """What a receiver of one epoch must see: rising chunks, each with what is missing before."""

    def __init__(self, first):
        self.newest, self.written_off, self.seq = first - 1, 0, 0

    def take(self, chunk):
        number = chunk.stamp_ns // 400_000_000
        missing = number - self.newest - 1 + self.written_off
        assert number > self.newest and chunk.seq == self.seq
        assert chunk.lost_samples_before == missing * 6_400
        assert chunk.discontinuity == (missing > 0)
        self.newest, self.written_off, self.seq = number, 0, self.seq + 1


@pytest.mark.share(14)
@given(steps=STEPS, capacity=st.integers(1, 5), overflow=st.sampled_from(OVERFLOW_POLICIES))
def test_the_sending_half_of_the_queue_accounts_for_every_chunk(steps, capacity, overflow):
    queue = OutboundFifo(settings=FifoConfig(capacity=capacity, overflow=overflow))
    now, epoch, offered, ledger = 0.0, 1, 0, Ledger(0)
    for what, *more in steps:
        before = queue.stats(now)
        if what == 'offer':
            if ledger is None:
                ledger = Ledger(offered)
            queue.offer(encoded(offered, epoch, *more), now)
            offered += 1
        elif what == 'credit':
            queue.on_credit(epoch + more[0] if abs(more[0]) < 3 else more[0], more[1], now,
                            consumer=more[2])
            if ledger is not None:
                ledger.written_off += queue.stats(now).lost_in_flight - before.lost_in_flight
        elif what == 'publish':
            for chunk in queue.take_publishable(now):
                assert chunk.epoch == epoch or ledger is None
                if ledger is not None:
                    ledger.take(chunk)
        elif what == 'epoch':
            epoch, ledger = epoch + 1, None
        else:
            now += more[0]
        stats = queue.stats(now)
        assert stats.offered == offered == (stats.consumed + stats.dropped + stats.pending
                                            + stats.in_flight)
        assert stats.pending <= capacity and 0 <= stats.in_flight <= capacity
        assert stats.consumed >= before.consumed and stats.dropped >= before.dropped


@pytest.mark.share(14)
@given(overflow=st.sampled_from(OVERFLOW_POLICIES), lanes=st.integers(1, 4),
       capacity=st.integers(1, 5), actions=st.lists(st.one_of(
           st.tuples(st.just('push'), st.booleans()), st.tuples(st.just('clear')),
           st.tuples(st.just('take'), st.integers(0, 3), st.integers(1, 6))), max_size=30))
def test_the_receiving_half_of_the_queue_accounts_for_every_chunk(
        overflow, lanes, capacity, actions):
    fifo, pushed = Fifo(capacity=capacity, overflow=overflow, lanes=lanes), 0
    newest, taken_by = [-1] * lanes, {}
    for what, *more in actions:
        if what == 'push':
            fifo.push(encoded(pushed, 1, more[0], False))
            pushed += 1
        elif what == 'clear':
            fifo.clear()
            newest = [pushed - 1] * lanes  # every context begins anew
        else:
            lane = more[0] % lanes
            waiting = fifo.count_waiting(lane)
            taken = fifo.take(lane, more[1])
            assert len(taken) == min(waiting, more[1])
            for chunk in taken:
                assert chunk.seq > newest[lane]
                assert chunk.discontinuity or chunk.seq == newest[lane] + 1
                newest[lane] = chunk.seq
                taken_by.setdefault(chunk.seq, set()).add(lane)
        stats = fifo.stats
        assert stats.pushed == pushed == stats.consumed + stats.dropped + len(fifo)
        assert stats.consumed == sum(len(who) == lanes for who in taken_by.values())
        assert len(fifo) <= capacity
