"""TFJP: what holds for every clip, what is found in one, and how odd audio is reported."""

import json
import sys
import tracemalloc

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_interaction_ros.errors import AudioInteractionError
from train.tfjp import process
from train.tfjp.core import locate_core, spectral_entropy
from train.tfjp.flow import GRID, MAX_LOOPS, VERDICTS
from train.tfjp.noise import denoise, make_noise_like
from train.tfjp.silence import choose_frames, find_gate, find_runs, measure_longest_run
from train.tfjp.spectrum import HOP, analyse, power_of, synthesise, to_level_db

pytestmark = pytest.mark.unit

RATE = 16_000
CLIPS = settings(max_examples=60, deadline=None, derandomize=True)


def noise(rng, seconds, level_db=-60.0):
    return (rng.normal(0, 10 ** (level_db / 20), round(seconds * RATE))).astype(np.float32)


def tone(seconds, level_db=-20.0, hz=1000.0):
    at = np.arange(round(seconds * RATE)) / RATE
    return (np.sqrt(2) * 10 ** (level_db / 20) * np.sin(2 * np.pi * hz * at)).astype(np.float32)


@st.composite
def clips(draw):
    """Tones, noise, fading noise and digital zeros of odd lengths, one after the other."""
    rng = np.random.default_rng(draw(st.integers(0, 2 ** 32 - 1)))
    parts = []
    for _ in range(draw(st.integers(1, 6))):
        seconds, level = draw(st.floats(0.002, 1.6)), draw(st.floats(-80, 0))
        kind = draw(st.sampled_from(['tone', 'noise', 'fade', 'zero']))
        part = tone(seconds, level, draw(st.floats(60, 7000))) if kind == 'tone' else (
            noise(rng, seconds, level))
        if kind == 'fade':
            part *= np.geomspace(1, 1e-3, len(part), dtype=np.float32)
        parts.append(np.zeros_like(part) if kind == 'zero' else part)
    bed = draw(st.sampled_from([None, -90.0, -65.0, -45.0]))
    samples = np.concatenate(parts)
    return samples if bed is None else samples + noise(rng, 10, bed)[:len(samples)]


def slot_levels(samples):
    """Return dBFS of each 10 ms: frames as somebody else would take them."""
    return to_level_db(np.mean(samples[:len(samples) // 160 * 160].astype(float).reshape(-1, 160)
                               ** 2, axis=1))


def longest_ms(quiet):
    lengths = np.diff(find_runs(quiet), axis=1)
    return 10 * int(lengths.max()) if len(lengths) else 0


@given(clips())
@CLIPS
def test_whatever_comes_in_is_finite_on_the_grid_and_accounted_for(samples):
    result = process(samples)
    report = result.report
    assert result.samples.dtype == np.float32 and np.isfinite(result.samples).all()
    assert len(result.samples) % GRID == 0 and len(result.samples) > 0
    assert len(result.samples) < len(samples) + GRID + 2 * HOP
    assert np.abs(result.samples).max() <= 1.5 * np.abs(samples).max() + 1e-3
    assert report.verdict in VERDICTS and report.loops <= MAX_LOOPS
    assert 0 <= report.core_start_s <= report.core_end_s <= len(samples) / RATE + 0.011
    assert 0 <= report.onset_s <= report.offset_s <= len(result.samples) / RATE


@given(clips())
@CLIPS
def test_no_silent_run_is_longer_than_300_ms(samples):
    result = process(samples)
    if result.report.verdict == 'silence':
        assert len(result.samples) == GRID
        return
    levels = to_level_db(power_of(analyse(result.samples)).sum(axis=1))
    assert measure_longest_run(levels, find_gate(levels)) <= 30
    assert measure_longest_run(levels, result.report.gate_dbfs) <= 30
    # Measured apart from the module: 10 ms blocks at or below the gate, or 40 dB under the peak.
    blocks = slot_levels(result.samples)
    assert longest_ms(blocks <= result.report.gate_dbfs) <= 300
    assert longest_ms(blocks <= blocks.max() - 45) <= 300
    assert longest_ms(blocks <= -120) <= 300


@given(clips())
@CLIPS
def test_a_result_is_left_as_it_is(samples):
    once = process(samples)
    again = process(once.samples)
    if once.report.settled:
        assert len(again.samples) == len(once.samples)
        tolerance = 1e-3 * np.abs(once.samples).max()
        assert np.abs(again.samples - once.samples).max() <= tolerance
    else:
        assert len(again.samples) <= len(once.samples)


@given(start=st.floats(0.3, 1.5), seconds=st.floats(0.15, 1.2), ratio=st.floats(18, 45),
       hz=st.floats(200, 6000), seed=st.integers(0, 99))
@CLIPS
def test_a_tone_in_noise_is_found_to_within_30_ms(start, seconds, ratio, hz, seed):
    rng = np.random.default_rng(seed)
    samples = noise(rng, start + seconds + 0.6, -20 - ratio)
    first = round(start * RATE)
    burst = tone(seconds, -20, hz)
    samples[first:first + len(burst)] += burst
    report = process(samples).report
    assert report.verdict == 'ok'
    assert abs(report.core_start_s - start) <= 0.03
    assert abs(report.core_end_s - start - seconds) <= 0.03


def test_the_event_lies_in_the_result_where_the_report_says():
    rng = np.random.default_rng(1)
    samples = np.concatenate([noise(rng, 1.13), tone(0.33), noise(rng, 0.9)])
    result = process(samples)
    loud = np.flatnonzero(slot_levels(result.samples) > -30) / 100
    assert abs(loud[0] - result.report.onset_s) <= 0.03
    assert abs(loud[-1] + 0.01 - result.report.offset_s) <= 0.03
    assert result.report.onset_s < 0.2, 'the start goes back to the grid, not further'


def test_noise_goes_down_and_the_event_stays():
    rng = np.random.default_rng(2)
    samples = np.concatenate([noise(rng, 1, -38), tone(0.4, -20) + noise(rng, 0.4, -38),
                              noise(rng, 1, -38)])
    result = process(samples)
    blocks = slot_levels(result.samples)
    assert np.median(blocks[blocks < -30]) < -42
    assert abs(blocks.max() - slot_levels(samples).max()) < 1


def test_two_events_keep_their_order_and_lose_the_silence_between():
    gap = noise(np.random.default_rng(3), 2, -70)
    result = process(np.concatenate([tone(0.5, hz=500), gap, tone(0.5, hz=3000)]))
    assert 1.2 <= len(result.samples) / RATE <= 1.4
    assert result.report.cut_s == pytest.approx(1.7, abs=0.05)
    half = len(result.samples) // 2
    peaks = [np.argmax(np.abs(np.fft.rfft(part[:8000]))) * 2
             for part in (result.samples[:half], result.samples[half:])]
    assert peaks == pytest.approx([500, 3000], abs=10)


@pytest.mark.parametrize('level', [-3, -30, -50])
def test_steady_noise_is_named_and_kept(level):
    samples = noise(np.random.default_rng(4), 2.5, level)
    result = process(samples)
    assert result.report.verdict == 'noise' and 'steady noise' in result.report.reason
    assert len(result.samples) == round(2.6 * RATE)
    np.testing.assert_allclose(result.samples[320:-3200], samples[320:len(result.samples) - 3200],
                               atol=1e-5)


def test_a_tone_that_fills_the_clip_is_an_event():
    result = process(tone(2.0))
    assert result.report.verdict == 'ok' and len(result.samples) == 32_000


@pytest.mark.parametrize('samples', [np.zeros(48_000, np.float32),
                                     noise(np.random.default_rng(5), 3, -85)])
def test_silence_is_named(samples):
    result = process(samples)
    assert result.report.verdict == 'silence' and 'dBFS' in result.report.reason
    assert len(result.samples) == GRID


@pytest.mark.parametrize('length', [0, 1, 2, 159, 160, 799, 800, 801, 3199, 3200, 3201])
def test_short_clips_come_back_whole(length):
    result = process(tone(1)[:length])
    assert len(result.samples) == -(-length // GRID) * GRID
    assert result.report.verdict == ('short' if length < 800 else 'ok')


@pytest.mark.parametrize('odd', [
    np.full(16_000, 3e38, np.float32), np.full(16_000, 1e-38, np.float32),
    np.tile(np.array([1, -1], np.float32), 8000), np.ones(16_000, np.float32),
    np.eye(1, 16_000, 8000, dtype=np.float32)[0]])
def test_odd_waves_do_no_harm(odd):
    result = process(odd)
    assert np.isfinite(result.samples).all() and len(result.samples) % GRID == 0


@pytest.mark.parametrize('wrong', [
    np.zeros(100), np.zeros((2, 100), np.float32), np.array([0, np.nan], np.float32),
    np.array([0, np.inf], np.float32), np.zeros(100, np.int16), [0.0]])
def test_what_is_no_clip_is_refused(wrong):
    with pytest.raises(AudioInteractionError, match='expected .*got'):
        process(wrong)


def test_memory_grows_with_the_length_only():
    rng, peaks = np.random.default_rng(6), []
    for seconds in (10, 40):
        samples = np.tile(np.concatenate([tone(0.5), noise(rng, 0.5)]), seconds)
        tracemalloc.start()
        process(samples)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 4.5 * peaks[0]


def test_frames_give_back_their_samples():
    samples = np.random.default_rng(7).normal(0, 0.1, 1600)
    np.testing.assert_allclose(synthesise(analyse(samples)), samples, atol=1e-12)
    assert power_of(analyse(samples))[2:-2].sum(axis=1).mean() == pytest.approx(0.01, rel=0.1)


def test_the_gate_is_at_the_noise_floor_but_not_in_a_tail():
    floor = np.concatenate([np.full(50, -50.0), np.full(50, -20.0)])
    assert find_gate(floor) == pytest.approx(-44)
    tail = np.linspace(0, -60, 300)
    assert find_gate(tail) == pytest.approx(-40)
    assert find_gate(np.full(100, -30.0)) == pytest.approx(-45)


def test_cutting_keeps_the_edges_of_a_run_and_the_grid():
    levels = np.concatenate([np.zeros(20), np.full(61, -60.0), np.zeros(20)])
    kept = choose_frames(levels, -np.inf, whole=False)
    assert len(kept) == 40 + 28 and {19, 20, 80, 81} <= set(kept)
    assert (len(levels) - len(choose_frames(levels, -np.inf, whole=True))) % 20 == 0
    assert len(choose_frames(np.repeat([0.0, -60.0, 0.0], [20, 29, 20]), -np.inf,
                             whole=False)) == 69


def test_entropy_tells_a_line_from_a_plain():
    entropy = spectral_entropy(np.array([[1.0, 0, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]]))
    assert entropy == pytest.approx([0, 1, 0])


def test_of_two_spans_the_ordered_one_wins():
    lines, plains = np.eye(1, 161).repeat(10, axis=0), np.full((10, 161), 1 / 161)
    quiet = np.full((60, 161), 1e-9)
    powers = np.concatenate([plains, quiet, lines])
    assert locate_core(to_level_db(powers.sum(axis=1)), powers, -40.0) == (70, 80)


def test_noise_continues_at_its_level():
    frames = analyse(np.random.default_rng(8).normal(0, 0.1, 16_000))[2:-2]
    assert make_noise_like(frames, 100)[320:-320].std() == pytest.approx(0.1, rel=0.1)


def test_subtraction_leaves_no_more_than_there_was():
    frames = analyse(np.random.default_rng(9).normal(0, 0.1, 16_000))
    cleaned = denoise(frames, power_of(frames).mean(axis=0))
    assert (np.abs(cleaned) <= np.abs(frames)).all()
    assert power_of(cleaned).sum() < 0.3 * power_of(frames).sum()
    np.testing.assert_array_equal(denoise(frames, np.zeros(161)), frames)


def test_a_picture_shows_before_and_after(tmp_path):
    pytest.importorskip('matplotlib')
    from train.__main__ import main
    out, png = tmp_path / 'out.flac', tmp_path / 'out.png'
    assert main(['tfjp', 'example', str(out), '--picture', str(png)]) == 0
    image = png.read_bytes()
    assert image[:8] == b'\x89PNG\r\n\x1a\n' and len(image) > 20_000
    assert soundfile.info(out).frames % GRID == 0


def test_a_picture_without_its_library_names_the_command(tmp_path, capsys, monkeypatch):
    from train.__main__ import main
    monkeypatch.setitem(sys.modules, 'matplotlib.figure', None)
    out = tmp_path / 'out.flac'
    assert main(['tfjp', 'example', str(out), '--picture', str(tmp_path / 'out.png')]) == 2
    assert 'pip install' in capsys.readouterr().err


def test_a_folder_is_worked_through_with_a_report(tmp_path, capsys):
    from train.__main__ import main
    source = tmp_path / 'in' / 'deep'
    source.mkdir(parents=True)
    soundfile.write(source / 'a.wav', np.stack([tone(1.1)] * 2, axis=1), 48_000)
    soundfile.write(source / 'b.flac', np.zeros(8000), RATE)
    (source / 'c.wav').write_bytes(b'not a sound')
    assert main(['tfjp', str(tmp_path / 'in'), str(tmp_path / 'out')]) == 0
    lines = [json.loads(line) for line in (tmp_path / 'out' / 'report.jsonl').open()]
    assert [line['verdict'] for line in lines] == ['ok', 'silence', 'unreadable']
    assert lines[0]['seconds'] == pytest.approx(1.1 / 3, abs=0.001)
    assert soundfile.info(tmp_path / 'out' / 'deep' / 'a.wav.flac').samplerate == RATE
    assert '3 clips' in capsys.readouterr().out


def test_a_missing_clip_is_one_line_on_the_screen(tmp_path, capsys):
    from train.__main__ import main
    assert main(['tfjp', str(tmp_path / 'none.wav'), str(tmp_path / 'out.flac')]) == 2
    assert 'none.wav' in capsys.readouterr().err
