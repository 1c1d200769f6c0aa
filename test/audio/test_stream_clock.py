"""The clock of a stream against every way in which stamps of real sources are wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.stream_clock import JumpKind, StreamClock

pytestmark = pytest.mark.unit

NS, MS = 1_000_000_000, 1_000_000
START_NS = 1_700_000_000 * NS
RATE_HZ = 16_000
TOLERANCE_NS = 60 * MS
COUNTS = (JumpKind.GAP, JumpKind.SET)


class Listener:
    """Does with the clock what the front end does, without samples."""

    def __init__(self, block_ms=40):
        """Begin a stream of blocks of this length."""
        self.timeline = StreamClock(tolerance_ns=TOLERANCE_NS)
        self.block_ms, self.frames = block_ms, RATE_HZ * block_ms // 1000
        self.samples = np.zeros(self.frames, np.int16)
        self.jumps = []
        self.lost_ns = 0

    def hear(self, stamp_ns, **more):
        """Take a block; return the time that its first sample was given."""
        jump = self.timeline.judge(AudioBlock(
            samples=self.samples, sample_rate_hz=RATE_HZ, stamp_ns=stamp_ns, **more))
        self.timeline.move(jump.delta_ns)
        begin_ns = self.timeline.next_ns
        self.timeline.advance(self.frames, rate_hz=RATE_HZ)
        self.lost_ns += jump.lost_ns
        if jump.kind in COUNTS:
            self.jumps.append(jump)
        return begin_ns

    def true_ns(self, index, missing=0):
        """Return when a block was captured; ``missing`` blocks before it were lost."""
        return START_NS + (index + missing) * self.block_ms * MS


@settings(max_examples=150, deadline=None)
@given(data=st.data(), block_ms=st.sampled_from([10, 20, 40, 100, 200]))
def test_lateness_that_ends_within_a_second_makes_and_loses_nothing(data, block_ms):
    listener = Listener(block_ms)
    period = 800 // block_ms  # one stamp in each 0.8 s is right, the others are anything
    for index in range(3 * period):
        late_ms = 0 if index % period == 0 else data.draw(st.integers(-1400, 1400))
        true_ns = listener.true_ns(index)
        begin_ns = listener.hear(true_ns + late_ms * MS)
        assert abs(begin_ns - true_ns) <= TOLERANCE_NS
    assert not listener.jumps


@pytest.mark.parametrize('block_ms', [20, 40, 100])
@pytest.mark.parametrize('seed', range(8))
def test_jitter_of_a_tenth_of_a_second_is_no_gap(seed, block_ms):
    jitter = np.random.default_rng(seed)
    listener = Listener(block_ms)
    for index in range(120_000 // block_ms):  # two minutes
        true_ns = listener.true_ns(index)
        begin_ns = listener.hear(true_ns + round(jitter.uniform(-100, 100)) * MS)
        assert abs(begin_ns - true_ns) <= 150 * MS
    assert listener.lost_ns == 0
    assert abs(begin_ns - true_ns) <= 60 * MS


@pytest.mark.parametrize('together', [2, 5, 12, 24])
@pytest.mark.parametrize('first', [0, 1])
def test_blocks_that_come_and_are_stamped_in_bursts_are_no_gap(together, first):
    listener = Listener(40)
    for index in range(first, 1000):
        arrival_ns = listener.true_ns((index // together + 1) * together)
        begin_ns = listener.hear(arrival_ns)
        assert abs(begin_ns - listener.true_ns(index)) <= together * 40 * MS
    assert listener.lost_ns == 0


@settings(max_examples=100, deadline=None)
@given(missing=st.integers(2, 2000), block_ms=st.sampled_from([40, 100]),
       numbered=st.booleans())
def test_what_is_missing_for_good_is_counted(missing, block_ms, numbered):
    listener = Listener(block_ms)
    for index in range(2 * 3000 // block_ms):
        lost = missing if index >= 3000 // block_ms else 0
        true_ns = listener.true_ns(index, lost)
        begin_ns = listener.hear(true_ns, **({'seq': index + lost} if numbered else {}))
    assert abs(begin_ns - true_ns) <= MS
    assert abs(listener.lost_ns - missing * block_ms * MS) <= (0 if numbered else MS)
    assert len(listener.jumps) == 1


@pytest.mark.parametrize('block_ms', [20, 100])
def test_a_gap_under_jitter_is_counted_short_by_no_more_than_the_jitter(block_ms):
    jitter = np.random.default_rng(1)
    listener = Listener(block_ms)
    for index in range(20_000 // block_ms):
        lost = 600 // block_ms if index >= 5000 // block_ms else 0
        true_ns = listener.true_ns(index, lost)
        begin_ns = listener.hear(true_ns + round(jitter.uniform(-100, 100)) * MS)
    assert 400 * MS <= listener.lost_ns <= 700 * MS
    assert abs(begin_ns - true_ns) <= 100 * MS


def test_two_gaps_in_one_second_are_both_counted():
    listener = Listener(40)
    for index in range(200):
        lost = 5 * (index >= 50) + 4 * (index >= 60)
        begin_ns = listener.hear(listener.true_ns(index, lost))
    assert listener.lost_ns == 9 * 40 * MS
    assert begin_ns == listener.true_ns(199, 9)


@pytest.mark.parametrize('hours', [1, -1])
@pytest.mark.parametrize('more', ['seq', 'arrival_ns'])
def test_a_clock_that_is_set_moves_time_and_loses_nothing(hours, more):
    listener = Listener(40)
    for index in range(200):
        stamp_ns = listener.true_ns(index) + (hours * 3600 * NS if index >= 100 else 0)
        known = index if more == 'seq' else listener.true_ns(index)
        begin_ns = listener.hear(stamp_ns, **{more: known})
    assert listener.lost_ns == 0 and begin_ns == stamp_ns
    assert [jump.kind for jump in listener.jumps] == [JumpKind.SET]


def test_one_senseless_stamp_changes_nothing():
    listener = Listener(40)
    for index in range(100):
        true_ns = listener.true_ns(index)
        stamp_ns = {40: 5, 60: true_ns + 10 ** 18}.get(index, true_ns)
        assert listener.hear(stamp_ns, arrival_ns=true_ns) == true_ns
    assert not listener.jumps


@pytest.mark.parametrize('numbers', ['all the same', 'start again', 'two publishers'])
def test_numbers_that_do_not_count_blocks_decide_nothing(numbers):
    listener = Listener(40)
    for index in range(200):
        seq = {'all the same': 0, 'start again': index % 50,
               'two publishers': index // 2 + 700 * (index % 2)}[numbers]
        listener.hear(listener.true_ns(index), seq=seq)
    assert not listener.jumps


def arrivals(listener, moments_ns):
    """Hear blocks that came at these moments of both clocks; return how old each was called."""
    old_ns = []
    for arrival_ns in moments_ns:
        begin_ns = listener.hear(arrival_ns - listener.block_ms * MS, stamped_on_arrival=True,
                                 arrival_ns=arrival_ns)
        old_ns.append(arrival_ns - listener.block_ms * MS - begin_ns)
    return old_ns


@pytest.mark.parametrize('missing_s', [0.4, 3.0, 15.0])
def test_times_of_arrival_follow_a_pause_or_a_loss(missing_s):
    listener = Listener(100)
    old_ns = arrivals(listener, [
        listener.true_ns(index) + (index >= 50) * round(missing_s * NS) for index in range(150)])
    assert abs(old_ns[-1]) <= 250 * MS
    assert abs(listener.lost_ns - missing_s * NS) <= 250 * MS


def test_many_small_losses_leave_times_of_arrival_right():
    listener = Listener(100)
    old_ns = arrivals(listener, [listener.true_ns(index + index // 20) for index in range(1000)])
    assert max(map(abs, old_ns)) <= 600 * MS


@pytest.mark.parametrize('stall_s', [0.5, 2.0, 5.0])
def test_a_stall_of_the_reader_makes_and_loses_nothing(stall_s):
    listener = Listener(20)
    begin, end = 300, 300 + round(stall_s * 50)
    moments = [listener.true_ns(max(index, end) if begin <= index else index)
               + (index - begin) * 100_000 * (begin <= index < end) for index in range(1000)]
    old_ns = arrivals(listener, moments)
    assert not listener.jumps and listener.lost_ns == 0
    assert abs(old_ns[-1]) <= 20 * MS


def test_arrival_times_of_a_clock_that_stands_still_change_nothing():
    listener = Listener(20)
    for _ in range(500):
        listener.hear(START_NS, stamped_on_arrival=True)
    assert not listener.jumps


@pytest.mark.parametrize('missing', [0, 30])
def test_numbers_tell_what_was_lost_over_a_pause(missing):
    listener = Listener(40)
    for index in range(50):
        listener.hear(listener.true_ns(index), seq=index)
    listener.timeline.restart(listener.timeline.next_ns)
    listener.timeline.follow_next_stamp()
    begin_ns = listener.hear(listener.true_ns(50, 31), seq=50 + missing)
    assert begin_ns == listener.true_ns(50, 31)
    assert listener.lost_ns == missing * 40 * MS
