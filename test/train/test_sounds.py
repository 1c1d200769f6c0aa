import dataclasses
import itertools

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from audio_interaction_ros.errors import ConfigurationError
from train.sounds.patterns import CYCLES
from train.sounds.room import Room, place_in_room
from train.sounds.signals import LABELS, NAMES, SIGNALS, as_clip, list_tones, make, make_dry

pytestmark = pytest.mark.unit

SEEDS = st.integers(0, 10_000)
few = settings(max_examples=12, deadline=None)


def rng(seed):
    return np.random.default_rng(seed)


def runs(samples):
    """Return (start, end) in seconds of what sounds: louder than 1/10 of the peak in 10 ms."""
    frames = np.abs(samples[:len(samples) // 160 * 160]).reshape(-1, 160).max(axis=1)
    on = np.concatenate([[0], frames > 0.1 * frames.max(), [0]]).astype(int)
    edges = np.flatnonzero(np.diff(on)) * 0.01
    return list(zip(edges[::2], edges[1::2], strict=True))


def test_every_signal_has_a_cycle_and_a_label():
    assert set(CYCLES) == set(NAMES)
    assert {name for names in LABELS.values() for name in names} == set(NAMES)
    assert {'smoke_alarm', 'carbon_monoxide_alarm', 'doorbell', 'phone_ring', 'siren',
            'reversing_beep', 'appliance_beep'} <= set(LABELS)


@few
@given(SEEDS)
def test_t3_is_three_half_seconds_then_a_pause_of_one_and_a_half(seed):
    heard = runs(make_dry('smoke_alarm_t3', rng(seed), seconds=8.5))[:6]
    on = [end - start for start, end in heard]
    off = [after[0] - before[1] for before, after in itertools.pairwise(heard)]
    assert len(heard) == 6
    assert on == pytest.approx([0.5] * 6, rel=0.1)  # ISO 8201 allows ±10 %
    assert off == pytest.approx([0.5, 0.5, 1.5, 0.5, 0.5], rel=0.1)


@few
@given(SEEDS)
def test_t4_is_four_tenths_of_a_second_then_five_seconds(seed):
    heard = runs(make_dry('carbon_monoxide_alarm_t4', rng(seed), seconds=7.0))
    assert len(heard) >= 5
    assert [end - start for start, end in heard[:4]] == pytest.approx([0.1] * 4, abs=0.025)
    assert [heard[i + 1][0] - heard[i][1] for i in range(3)] == pytest.approx([0.1] * 3, abs=0.025)
    assert heard[4][0] - heard[3][1] == pytest.approx(5.0, rel=0.1)


@few
@given(SEEDS)
def test_a_doorbell_falls_from_one_tone_to_a_lower(seed):
    first, second = list_tones('doorbell_two_tone', rng(seed), seconds=2.0)
    assert first.start_s == 0.0 < second.start_s < 1.0
    assert 1.15 < first.hz[0] / second.hz[0] < 1.4


@few
@given(SEEDS)
def test_sirens_sweep_at_their_rates(seed):
    def per_minute(name):
        starts = [tone.start_s for tone in list_tones(name, rng(seed), seconds=20.0)]
        return 60 / (starts[2] - starts[0])

    assert 10 * 0.96 <= per_minute('siren_wail') <= 30 / 0.95
    assert 150 * 0.96 <= per_minute('siren_yelp') <= 250 / 0.95
    low, high = list_tones('siren_hi_lo', rng(seed), seconds=1.0)[:2]
    assert high.hz[0] / low.hz[0] == pytest.approx(4 / 3)
    for tone in list_tones('siren_wail', rng(seed), seconds=20.0):
        assert min(tone.hz) < 800 < 1200 < max(tone.hz)


@few
@given(SEEDS)
def test_a_reversing_beep_is_on_half_of_about_a_second(seed):
    heard = runs(make_dry('reversing_beep', rng(seed), seconds=6.0))
    period = heard[1][0] - heard[0][0]
    assert 0.78 < period < 1.32
    assert heard[0][1] - heard[0][0] == pytest.approx(period / 2, rel=0.08)


@few
@given(SEEDS)
def test_phones_keep_a_national_cadence(seed):
    heard = runs(make_dry('phone_ring_electronic', rng(seed), seconds=13.0))
    heard = [(start, end) for start, end in heard if end - start > 0.05]
    joined = [heard[0]]
    for start, end in heard[1:]:
        if start - joined[-1][1] < 0.1:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    on = joined[0][1] - joined[0][0]
    off = joined[1][0] - joined[0][1]
    assert any(on == pytest.approx(a, rel=0.15) and off == pytest.approx(b, rel=0.15)
               for a, b in ((2.0, 4.0), (0.4, 0.2), (1.0, 4.0)))


@pytest.mark.parametrize('name', NAMES)
def test_a_signal_is_sound_of_the_asked_length_and_reproducible(name):
    samples = make(name, rng(5), seconds=2.34567)
    assert samples.dtype == np.float32
    assert samples.shape == (round(2.34567 * 16_000),)
    assert np.isfinite(samples).all()
    assert 0.099 < np.abs(samples).max() < 0.701
    np.testing.assert_array_equal(samples, make(name, rng(5), seconds=2.34567))
    assert not np.array_equal(samples, make(name, rng(6), seconds=2.34567))


@pytest.mark.parametrize('name', NAMES)
def test_no_partial_folds_at_the_nyquist_frequency(name):
    power = np.abs(np.fft.rfft(make_dry(name, rng(1), seconds=4.0))) ** 2
    assert power[7_900 * 4:].sum() < 0.01 * power.sum()


@few
@given(SEEDS, st.floats(0.01, 0.2))
def test_very_short_signals_are_allowed(seed, seconds):
    assert len(make('siren_yelp', rng(seed), seconds=seconds)) == round(seconds * 16_000)


def test_distance_lowers_the_share_of_direct_sound():
    click = np.zeros(16_000, np.float32)
    click[100] = 1.0

    def direct(distance):
        wet = place_in_room(click, Room(rt60_s=0.5, distance_m=distance), rng(2)).astype(float)
        return (wet[:150] ** 2).sum() / (wet ** 2).sum()

    assert direct(0.5) > 0.6 > direct(2.0) > direct(10.0)


def test_a_wall_takes_the_treble():
    noise = rng(3).standard_normal(16_000).astype(np.float32)
    room = Room(rt60_s=0.4, distance_m=3.0)
    behind = dataclasses.replace(room, wall_hz=1_000.0)
    open_, closed = (np.abs(np.fft.rfft(place_in_room(noise, r, rng(4)))) for r in (room, behind))
    assert closed[3_000:].sum() < 0.2 * open_[3_000:].sum()


@pytest.mark.parametrize(('name', 'seconds'), [
    ('smoke_alarm', 1.0), ('siren_wail', 0.0), ('siren_wail', -1.0), ('siren_wail', 601.0),
    ('siren_wail', float('nan'))])
def test_a_wrong_name_or_length_is_refused(name, seconds):
    with pytest.raises(ConfigurationError, match='correct the plan'):
        make(name, rng(0), seconds=seconds)


def test_a_clip_is_marked_as_generated(tmp_path):
    clip = as_clip('smoke_alarm_t3', 3, seconds=4.0, out=tmp_path)
    samples, rate = soundfile.read(tmp_path / clip.path)
    assert (len(samples), rate) == (64_000, 16_000)
    assert clip.generated
    assert (clip.label, clip.licence_group) == (SIGNALS['smoke_alarm_t3'].label, 'free')
    assert clip == as_clip('smoke_alarm_t3', 3, seconds=4.0, out=tmp_path)
