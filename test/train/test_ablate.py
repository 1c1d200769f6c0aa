"""The arms of the ablation: each changes what it names; counts and figures against a hand's."""

import math
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import soundfile

pytest.importorskip('rich')
pytest.importorskip('scipy')
pytest.importorskip('num2words')

from audio_interaction_ros.errors import ConfigurationError
from measure.intervals import crossed_quotients
from train.ablate.arms import ARMS, FULL, choose_arms, list_corpora
from train.ablate.corpus import CorpusSettings, write_scripts
from train.ablate.recordings import is_recorded, record_clip
from train.compose.lanes import CRITICAL
from train.records import Clip

pytestmark = pytest.mark.unit

VOICES = ['beeper:low', 'beeper:high']
SETTINGS = CorpusSettings(hours=0.5, held_out_hours=0.1, seed=3)


def scripts_of(name):
    return {script.id: script for script in write_scripts(ARMS[name].corpus, VOICES, SETTINGS)}


@pytest.fixture(scope='module')
def whole():
    return scripts_of('full')


def changed(whole, name):
    other = scripts_of(name)
    assert list(other) == list(whole)
    return {key: (whole[key], other[key]) for key in whole if other[key] != whole[key]}


def looks_back(script):
    return any(step.review_of is not None for step in script.steps)


def says_nothing(script):
    return script.ability in ('proactive', 'environment_agent') and not any(
        step.answer or step.sound in CRITICAL for step in script.steps)


def test_without_history_review_only_chats_that_looked_back_change(whole):
    assert set(changed(whole, 'no-review')) == {
        key for key, script in whole.items() if looks_back(script)} != set()
    assert not any(map(looks_back, scripts_of('no-review').values()))


def test_without_silence_only_silent_scenes_change_and_then_something_is_said(whole):
    assert set(changed(whole, 'no-silence')) == {
        key for key, script in whole.items() if says_nothing(script)} != set()
    assert not any(map(says_nothing, scripts_of('no-silence').values()))


def steps_of(scripts):
    return Counter((step.say, step.sound, step.answer, step.voice or (
        script.voice if step.say else '')) for script in scripts for step in script.steps)


def test_random_concatenation_deals_the_same_steps_to_other_scenes(whole):
    pairs = changed(whole, 'random')
    assert pairs and all(any(step.sound for step in before.steps) for before, _ in pairs.values())
    assert steps_of(before for before, _ in pairs.values()) == steps_of(
        after for _, after in pairs.values())
    for before, after in pairs.values():
        assert len(after.steps) == len(before.steps)
        assert replace(after, steps=()) == replace(before, steps=())


@pytest.mark.parametrize('name', ['no-tfjp', 'chunk-0.2'])
def test_tfjp_and_chunks_leave_every_script_alone(whole, name):
    assert changed(whole, name) == {}


def test_lambda_learns_from_the_streams_of_the_full_recipe():
    assert list_corpora([ARMS['full'], ARMS['lambda-2'], ARMS['no-tfjp']]) == [
        FULL.corpus, ARMS['no-tfjp'].corpus]


def a_clip(folder, **fields):
    time = np.arange(16_000) / 16_000
    samples = 0.3 * np.sin(2 * np.pi * 300 * time) * np.hanning(len(time)) ** 0.3
    soundfile.write(folder / 'one.flac', samples, 16_000)
    return Clip(id='one', path='one.flac', seconds=1.0, generated=True, **fields)


def test_a_recording_has_quiet_around_it_and_tfjp_takes_it_away(tmp_path):
    clip = a_clip(tmp_path, label='door_knock')
    loose, clean = (record_clip(clip, root=tmp_path, out=tmp_path / name, clean=name == 'clean')
                    for name in ('loose', 'clean'))
    assert loose.seconds > 1.8 and abs(clean.seconds - 1.0) <= 0.4
    for made in (loose, clean):
        assert made.generated and soundfile.info(made.path).duration == made.seconds
        assert replace(made, path='', seconds=0) == replace(clip, path='', seconds=0)
    again = record_clip(clip, root=tmp_path, out=tmp_path / 'again', clean=False)
    assert np.array_equal(soundfile.read(again.path)[0], soundfile.read(loose.path)[0])


@pytest.mark.parametrize('fields', [{'label': 'smoke_alarm'}, {'label': 'rain',
                                                               'tags': ('noise',)}])
def test_signals_and_beds_of_noise_are_taken_as_they_are(tmp_path, fields):
    clip = a_clip(tmp_path, **fields)
    assert not is_recorded(clip)
    assert record_clip(clip, root=tmp_path, out=tmp_path, clean=False) == replace(
        clip, path=str(tmp_path / 'one.flac'))


def test_arms_are_chosen_by_name_and_the_full_recipe_is_always_there():
    assert [arm.name for arm in choose_arms(['lambda-2'])] == ['full', 'lambda-2']
    assert choose_arms([]) == list(ARMS.values())
    with pytest.raises(ConfigurationError, match='no-tfj'):
        choose_arms(['no-tfj'])


def test_an_interval_over_runs_and_items_holds_both():
    right = np.array([[1, 2, 0], [2, 2, 1]])
    estimate = crossed_quotients(right, np.full((2, 3), 2))
    assert estimate.value == pytest.approx(8 / 12) and estimate.n == 3
    assert estimate.low < 5 / 12 and estimate.high > 0.9
    alone = crossed_quotients(right[:1], np.full((1, 3), 2))
    assert alone.value == pytest.approx(0.5) and (alone.low, alone.high) == (0.0, 1.0)


def test_the_mean_of_two_columns_leaves_out_one_without_anything_below():
    above, below = np.array([[[1, 9], [1, 0]]]), np.array([[[2, 10], [2, 0]]])
    assert crossed_quotients(above, below).value == pytest.approx((0.5 + 0.9) / 2)
    assert crossed_quotients(above[..., :1], below[..., :1]).value == pytest.approx(0.5)


def test_a_difference_is_drawn_on_the_same_runs_and_items():
    rng = np.random.default_rng(0)
    right, all_of = rng.integers(0, 5, (3, 20)), np.full((3, 20), 5)
    same = crossed_quotients(right, all_of, against=(right, all_of))
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)
    better = crossed_quotients(np.minimum(right + 1, 5), all_of, against=(right, all_of))
    assert 0 < better.low <= better.value <= better.high
    assert math.isnan(crossed_quotients(np.zeros((0, 3)), np.zeros((0, 3))).value)
