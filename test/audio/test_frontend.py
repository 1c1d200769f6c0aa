"""The front end: chunks for any slicing, and an account of everything odd in a stream."""

import itertools

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.frontend import FrontEnd
from audio_interaction_ros.errors import AudioFormatError, ConfigurationError
from audio_interaction_ros.protocol import ChunkSize

pytestmark = pytest.mark.unit

NS = 1_000_000_000
START_NS = 1_700_000_000 * NS
CHUNK_NS = 400_000_000


def noise(frames: int, seed: int = 0) -> np.ndarray:
    """Return quiet noise [frames] float32."""
    return np.random.default_rng(seed).uniform(-0.3, 0.3, frames).astype(np.float32)


def block(samples, start: float | None = 0.0, rate: int = 16000, **more) -> AudioBlock:
    """Return a block that starts at a time in seconds after START_NS."""
    stamp = None if start is None else START_NS + round(start * NS)
    return AudioBlock(samples=samples, sample_rate_hz=rate, stamp_ns=stamp, **more)


def blocks(samples: np.ndarray, sizes: list[int], rate: int = 16000) -> list[AudioBlock]:
    """Cut samples into blocks of the sizes, over and over, with true stamps."""
    cut, position, turn = [], 0, 0
    while position < len(samples):
        size = sizes[turn % len(sizes)]
        cut.append(block(samples[position:position + size], position / rate, rate))
        position += size
        turn += 1
    return cut


def run(source: list[AudioBlock], frontend: FrontEnd | None = None) -> list:
    """Push all blocks, flush, and return the chunks."""
    frontend = frontend or FrontEnd()
    chunks = [chunk for each in source for chunk in frontend.push(each)]
    return chunks + frontend.flush()


def joined(chunks: list) -> np.ndarray:
    """Return the samples of chunks one after another."""
    return np.concatenate([chunk.samples for chunk in chunks])


def assert_same(chunks: list, expected: list) -> None:
    """Check that two lists of chunks are equal to the last bit."""
    assert [(c.stamp_ns, c.lost_samples_before, c.end_of_stream) for c in chunks] == [
        (c.stamp_ns, c.lost_samples_before, c.end_of_stream) for c in expected]
    np.testing.assert_array_equal(joined(chunks), joined(expected))


def test_chunks_are_the_audio_in_order_with_stamps():
    samples = noise(16000)
    chunks = run(blocks(samples, [1600]))
    assert [c.stamp_ns - START_NS for c in chunks] == [0, CHUNK_NS, 2 * CHUNK_NS]
    assert [c.end_of_stream for c in chunks] == [False, False, True]
    np.testing.assert_array_equal(joined(chunks), np.pad(samples, (0, 3200)))


@settings(max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(1, 20_000), min_size=1, max_size=5),
       rate=st.sampled_from([8000, 16000, 22050, 44100, 48000]))
def test_slicing_does_not_matter(sizes, rate):
    samples = noise(rate, seed=rate)
    assert_same(run(blocks(samples, sizes, rate)), run(blocks(samples, [len(samples)], rate)))


@pytest.mark.parametrize('sizes', [[1], [333], [3_200], [20_000]])
def test_the_parts_of_chunks_are_the_audio_however_it_is_cut(sizes):
    samples, told = noise(16_000), []
    frontend = FrontEnd(on_part=told.append)
    chunks = run(blocks(samples, sizes), frontend)
    chunks += frontend.push(block(samples[:1_000], 9.0)) + frontend.flush(tail_s=0.4)
    np.testing.assert_array_equal(joined(told), joined(chunks))
    assert [part.stamp_ns for part in told] == [
        chunk.stamp_ns + half * CHUNK_NS // 2 for chunk in chunks for half in (0, 1)]
    assert [part.ends_chunk for part in told] == [False, True] * len(chunks)
    assert [part.padding for part in told] == [False] * 5 + [True] + [False] + [True] * 3
    assert [part.lost_samples_before for part in told] == [
        lost for chunk in chunks for lost in (chunk.lost_samples_before, 0)]


def test_a_part_is_told_as_soon_as_it_is_whole():
    told = []
    frontend = FrontEnd(on_part=told.append)
    assert not frontend.push(block(noise(3_199))) and not told
    assert not frontend.push(block(noise(1), 3_199 / 16_000)) and len(told) == 1
    assert [ChunkSize.of_seconds(s).part.s for s in (0.1, 0.2, 0.3, 0.4, 0.5, 0.8)] == [
        0.1, 0.2, 0.1, 0.2, 0.1, 0.2]


def test_one_sample_at_a_time_from_48_khz_stereo_int16():
    samples = (np.random.default_rng(1).uniform(-0.4, 0.4, (24_000, 2)) * 32768).astype(np.int16)
    whole = run(blocks(samples, [24_000], 48000))
    assert_same(run(blocks(samples, [1], 48000)), whole)
    expected = soxr.resample(samples.mean(axis=1) / 32768, 48000, 16000)
    np.testing.assert_allclose(joined(whole)[:8000], expected, atol=1e-5)
    assert len(expected) == 8000


def test_resampling_moves_no_time():
    times = np.arange(48000) / 48000
    tone = 0.5 * np.sin(2 * np.pi * 440 * times).astype(np.float32)
    chunks = run(blocks(tone, [480], 48000))
    expected = 0.5 * np.sin(2 * np.pi * 440 * np.arange(16000) / 16000)
    np.testing.assert_allclose(joined(chunks)[400:15600], expected[400:15600], atol=1e-3)
    assert chunks[1].stamp_ns == START_NS + CHUNK_NS


def test_jitter_within_the_tolerance_is_no_gap():
    rng = np.random.default_rng(2)
    samples = noise(160_000)
    frontend = FrontEnd()
    source = [block(samples[i:i + 1600], i / 16000 + rng.uniform(-0.02, 0.02))
              for i in range(0, len(samples), 1600)]
    source[0] = block(samples[:1600], 0.0)
    chunks = run(source, frontend)
    assert (frontend.stats.gaps, frontend.stats.backwards_stamps) == (0, 0)
    np.testing.assert_array_equal(joined(chunks), samples)
    off = [c.stamp_ns - START_NS - k * CHUNK_NS for k, c in enumerate(chunks)]
    assert max(map(abs, off)) < 5_000_000


@pytest.mark.parametrize('size', [37, 441, 5000])
def test_stamps_rounded_to_milliseconds_do_not_make_slicing_matter(size):
    def stamped(block_size):
        return [
            block(samples[i:i + block_size], round(i / 16000, 3))
            for i in range(0, len(samples), block_size)]

    samples = noise(32_000)
    assert_same(run(stamped(size)), run(stamped(1600)))


@pytest.mark.parametrize('drift', [200e-6, -200e-6])
def test_a_drifting_clock_is_followed_without_gaps(drift):
    frontend = FrontEnd()
    quiet = np.zeros(1600, dtype=np.float32)
    seconds = 1200  # 240 ms of drift, four times the tolerance
    chunks = []
    for turn in range(seconds * 10):
        chunks += frontend.push(block(quiet, turn * 0.1 * (1 + drift)))
    assert (frontend.stats.gaps, frontend.stats.backwards_stamps) == (0, 0)
    true_ns = (len(chunks) - 1) * CHUNK_NS * (1 + drift)
    assert abs(chunks[-1].stamp_ns - START_NS - true_ns) < 10_000_000


@pytest.mark.parametrize('rate', [16000, 48000])
def test_a_short_gap_is_filled_with_zeros(rate):
    frontend = FrontEnd()
    first, second = noise(rate // 5), noise(rate // 2, seed=1)
    cut = [first[:rate // 10], first[rate // 10:], *np.split(second, 5)]
    source = [block(part, when / 10, rate, seq=when)
              for part, when in zip(cut, (0, 1, 3, 4, 5, 6, 7), strict=True)]
    chunks = run(source, frontend)
    samples = joined(chunks)
    assert (frontend.stats.gaps, frontend.stats.lost_samples) == (1, 1600)
    assert all(c.lost_samples_before == 0 for c in chunks)
    assert np.abs(samples[3200 + 160:4800 - 160]).max() < 1e-3
    assert np.abs(samples[2880:3200]).max() > 0.1
    assert np.abs(samples[4800:5120]).max() > 0.1
    assert [c.stamp_ns - START_NS for c in chunks] == [0, CHUNK_NS]


@pytest.mark.parametrize('rate', [16000, 44100, 48000])
def test_a_long_gap_starts_a_new_chunk_and_is_counted(rate):
    frontend = FrontEnd()
    chunks = run([block(noise(rate // 10), 0.0, rate), block(noise(rate), 2.1, rate)], frontend)
    assert (frontend.stats.gaps, frontend.stats.lost_samples) == (1, 32_000)
    assert [c.lost_samples_before for c in chunks] == [0, 27_200, 0, 0]
    assert [c.stamp_ns - START_NS for c in chunks[:2]] == [0, 2_100_000_000]
    assert np.abs(chunks[0].samples[1700:]).max() < 1e-3


def test_time_is_complete_over_any_gap():
    rng = np.random.default_rng(7)
    frontend = FrontEnd()
    frames, seq, source = 1777, 0, []
    for _ in range(120):
        source.append(block(noise(frames), seq * frames / 16000, seq=seq))
        seq += int(rng.integers(1, 15)) if rng.random() < 0.3 else 1
    chunks = run(source, frontend)
    assert frontend.stats.gaps > 5
    for before, after in itertools.pairwise(chunks):
        missing = (after.stamp_ns - before.stamp_ns - CHUNK_NS) / 62_500
        assert abs(missing - after.lost_samples_before) <= 1


def test_a_gap_within_the_tolerance_is_none():
    frontend = FrontEnd(gap_tolerance_ms=200.0)
    run([block(noise(1600), 0.0), block(noise(1600), 0.25)], frontend)
    assert frontend.stats.gaps == 0


def test_small_jumps_back_keep_the_audio():
    frontend = FrontEnd()
    samples = noise(32_000)
    chunks = run([block(samples[i:i + 1600], i / 16000 - 0.1 * (i >= 3200))
                  for i in range(0, len(samples), 1600)], frontend)
    assert frontend.stats.backwards_stamps == 1
    np.testing.assert_array_equal(joined(chunks), samples)
    assert chunks[-1].stamp_ns == START_NS + 1_500_000_000


def test_a_jump_far_back_starts_a_new_chunk_there():
    frontend = FrontEnd()
    before, after = noise(9600), noise(6400, seed=1)
    chunks = run([block(before, 100.0), block(after, 3.0)], frontend)
    assert (frontend.stats.backwards_stamps, frontend.stats.gaps) == (1, 0)
    np.testing.assert_array_equal(joined(chunks[:2])[:9600], before)
    np.testing.assert_array_equal(chunks[2].samples, after)
    assert chunks[2].stamp_ns == START_NS + 3 * NS
    assert chunks[2].lost_samples_before == 0


def test_blocks_without_a_stamp_continue():
    samples = noise(12_800)
    chunks = run([block(samples[:5000], 1.0), block(samples[5000:], None)])
    np.testing.assert_array_equal(joined(chunks), samples)
    assert chunks[1].stamp_ns == START_NS + NS + CHUNK_NS


def test_the_first_stamp_after_none_sets_the_clock():
    frontend = FrontEnd()
    chunks = run([block(noise(3200), None), block(noise(3200), 5.0)], frontend)
    assert (frontend.stats.gaps, len(chunks)) == (0, 1)
    assert chunks[0].stamp_ns == START_NS + round(4.8 * NS)


def test_a_format_change_loses_nothing():
    frontend = FrontEnd()
    tone = np.sin(2 * np.pi * 300 * np.arange(48_000) / 48_000) * 0.5
    first = (np.stack([tone[:24_000]] * 2, axis=1) * 32768).astype(np.int16)
    second = tone[24_000::3].astype(np.float32)
    chunks = run([block(first, 0.0, 48_000), block(second, 0.5)], frontend)
    assert (frontend.stats.format_changes, frontend.stats.gaps) == (1, 0)
    expected = np.sin(2 * np.pi * 300 * np.arange(16_000) / 16_000) * 0.5
    seam = slice(8000 - 100, 8000 + 100)
    difference = np.abs(joined(chunks)[:16_000] - expected)
    difference[seam] = 0.0
    assert difference[400:].max() < 1e-3
    assert [c.stamp_ns - START_NS for c in chunks] == [0, CHUNK_NS, 2 * CHUNK_NS]


def test_a_refused_block_changes_nothing():
    samples = noise(12_800)
    frontend = FrontEnd()
    chunks = frontend.push(block(samples[:3000], 0.0))
    for wrong in (np.zeros(9, dtype=np.int64), np.zeros((2, 2, 2), dtype=np.float32)):
        with pytest.raises(AudioFormatError):
            frontend.push(block(wrong, 0.2))
    chunks += frontend.push(block(samples[3000:], 3000 / 16000)) + frontend.flush()
    np.testing.assert_array_equal(joined(chunks), samples)
    assert (frontend.stats.gaps, frontend.stats.format_changes) == (0, 0)


def test_an_empty_block_changes_nothing():
    samples = noise(6400)
    frontend = FrontEnd()
    chunks = frontend.push(block(np.zeros(0, dtype=np.int16), 99.0, 48_000))
    chunks += frontend.push(block(samples[:100], 0.0))
    chunks += frontend.push(block(np.zeros((0, 2), dtype=np.float32), 50.0))
    chunks += frontend.push(block(samples[100:], 100 / 16000))
    np.testing.assert_array_equal(joined(chunks), samples)
    assert (frontend.stats.gaps, frontend.stats.format_changes) == (0, 0)


def test_eight_bytes_are_four_samples():
    frontend = FrontEnd()
    tiny = np.frombuffer(b'\x00\x10\x00\x20\x00\x30\x00\x40', dtype='<i2')
    assert frontend.push(block(tiny)) == []
    np.testing.assert_array_equal(frontend.pending, [0.125, 0.25, 0.375, 0.5])


def test_nonfinite_samples_are_counted_and_silenced():
    samples = noise(6400)
    samples[[10, 20, 30]] = [np.nan, np.inf, -np.inf]
    frontend = FrontEnd()
    chunk, = run([block(samples)], frontend)
    assert frontend.stats.nonfinite_samples == 3
    np.testing.assert_array_equal(chunk.samples[[10, 20, 30]], 0.0)
    assert np.isfinite(chunk.samples).all()


def test_a_dc_offset_is_reported_and_left():
    frontend = FrontEnd()
    samples = noise(64_000) + np.float32(0.2)
    chunks = run([block(samples)], frontend)
    assert abs(frontend.stats.dc_offset - 0.2) < 0.01
    np.testing.assert_array_equal(joined(chunks), samples)


def test_clipping_is_counted_and_stays_within_full_scale():
    square = np.where(np.arange(48_000) // 50 % 2, 32767, -32768).astype(np.int16)
    frontend = FrontEnd()
    chunks = run([block(square, 0.0, 48_000)], frontend)
    assert frontend.stats.clipped_samples == 48_000
    assert np.abs(joined(chunks)).max() <= 1.0


def test_digital_silence_is_counted():
    frontend = FrontEnd()
    run([block(np.zeros(12_800 * 3, dtype=np.int16), 0.0, 48_000), block(noise(6400), 0.8)],
        frontend)
    assert (frontend.stats.chunks, frontend.stats.silent_chunks) == (3, 2)


def test_flush_with_nothing_pending_is_empty_and_a_new_stream_may_follow():
    frontend = FrontEnd()
    assert frontend.flush() == []
    assert len(frontend.push(block(noise(6400), 5.0))) == 1
    assert frontend.flush() == []
    chunk, = frontend.push(block(noise(6400), 1.0))
    assert chunk.stamp_ns == START_NS + NS
    assert (frontend.stats.gaps, frontend.stats.backwards_stamps) == (0, 0)


def test_reset_forgets_audio_but_not_the_counters():
    frontend = FrontEnd()
    frontend.push(block(np.full(100, np.nan, dtype=np.float32)))
    frontend.reset()
    assert frontend.flush() == []
    assert frontend.stats.nonfinite_samples == 100


def test_chunks_are_owned_by_the_caller():
    frontend = FrontEnd()
    chunk, = frontend.push(block(noise(6400)))
    before = chunk.samples.copy()
    frontend.push(block(noise(6400, seed=9), 0.4))
    np.testing.assert_array_equal(chunk.samples, before)


def test_a_selected_channel_is_the_one_heard():
    stereo = np.stack([noise(6400), noise(6400, seed=1)], axis=1)
    chunk, = run([block(stereo)], FrontEnd(channel_select=1))
    np.testing.assert_array_equal(chunk.samples, stereo[:, 1])


@pytest.mark.parametrize('tolerance', [0.0, -1.0, float('nan')])
def test_a_wrong_tolerance_is_refused(tolerance):
    with pytest.raises(ConfigurationError, match='gap_tolerance_ms'):
        FrontEnd(gap_tolerance_ms=tolerance)


def test_jitter_and_bursts_make_no_sample_and_lose_none():
    rng = np.random.default_rng(5)
    samples = noise(160_000)
    frontend = FrontEnd()
    source = [block(samples[i:i + 1600], i // 8000 * 0.5 + rng.uniform(-0.1, 0.4))
              for i in range(0, len(samples), 1600)]
    np.testing.assert_array_equal(joined(run(source, frontend)), samples)
    assert (frontend.stats.gaps, frontend.stats.lost_samples) == (0, 0)


@pytest.mark.parametrize('missing_s', [0.2, 1.2])
def test_a_gap_that_is_certain_only_later_leaves_the_samples_alone(missing_s):
    samples = noise(96_000)
    frontend = FrontEnd()
    chunks = run([block(samples[i:i + 1600], i / 16000 + missing_s * (i >= 32_000))
                  for i in range(0, len(samples), 1600)], frontend)
    lost = round(missing_s * 16000)
    assert (frontend.stats.gaps, frontend.stats.lost_samples) == (1, lost)
    np.testing.assert_array_equal(joined(chunks), samples)
    assert chunks[-1].stamp_ns == START_NS + round((5.6 + missing_s) * NS)
    assert [c.lost_samples_before for c in chunks if c.lost_samples_before] == (
        [lost] if lost > 6400 else [])


def test_a_tail_of_silence_is_marked_and_is_not_audio_that_was_heard():
    frontend = FrontEnd()
    samples = noise(8000)
    chunks = frontend.push(block(samples)) + frontend.flush(1.2)
    np.testing.assert_array_equal(joined(chunks), np.pad(samples, (0, 5 * 6400 - 8000)))
    assert [c.padding for c in chunks] == [False, False, True, True, True]
    assert [c.end_of_stream for c in chunks] == [False] * 4 + [True]
    assert (frontend.stats.chunks, frontend.stats.silent_chunks) == (2, 0)
    assert frontend.flush(1.2) == []


def test_audio_after_a_pause_begins_when_it_was_heard():
    frontend = FrontEnd()
    source = [block(noise(1600), i / 10, seq=i) for i in range(5)]
    chunks = [c for each in source for c in frontend.push(each)] + frontend.flush(1.2)
    assert chunks[0].stamp_ns == START_NS
    later = [block(noise(1600), 26.0 + i / 10, seq=5 + i) for i in range(4)]
    chunk, = [c for each in later for c in frontend.push(each)]
    assert (chunk.stamp_ns, chunk.lost_samples_before) == (START_NS + 26 * NS, 0)
    assert (frontend.stats.gaps, frontend.stats.backwards_stamps) == (0, 0)
    frontend.flush()
    lost = [block(noise(1600), 30.0 + i / 10, seq=19 + i) for i in range(4)]
    chunk, = [c for each in lost for c in frontend.push(each)]
    assert (chunk.stamp_ns, chunk.lost_samples_before) == (START_NS + 30 * NS, 16_000)
    assert (frontend.stats.gaps, frontend.stats.lost_samples) == (1, 16_000)
