import dataclasses
import math

import numpy as np
import pytest
import soundfile

from audio_interaction_ros.errors import AudioFormatError, CheckpointError, ConfigurationError
from train.curation.features import find_extractor, log_mel_statistics
from train.curation.fit_tagger import Example, choose_clips, cross_validate, fit
from train.curation.tagger import LinearTagger, fit_linear, fold_of
from train.records import Clip

pytestmark = pytest.mark.unit

RATE = 16_000


def sound(kind, seed, seconds=1.0):
    """Return a hum, a hiss or a click train, each a little different by seed."""
    rng = np.random.default_rng(seed)
    times = np.arange(int(seconds * RATE)) / RATE
    noise = rng.standard_normal(len(times))
    if kind == 'hum':
        out = np.sin(2 * np.pi * rng.uniform(90, 250) * times) + 0.05 * noise
    elif kind == 'hiss':
        out = noise
    else:
        out = noise * ((times * rng.uniform(6, 12)) % 1 < 0.05) + 0.01 * noise
    return (0.2 * out / np.abs(out).max()).astype(np.float32)


KINDS = ('hum', 'hiss', 'clicks')


@pytest.fixture(scope='module')
def library(tmp_path_factory):
    folder = tmp_path_factory.mktemp('clips')
    clips = []
    for kind in KINDS:
        for number in range(8):
            name = f'{kind}-{number}'
            soundfile.write(folder / f'{name}.flac', sound(kind, number), RATE)
            clips.append(Clip(id=name, path=f'{name}.flac', seconds=1.0, label=kind,
                              source_id=name))
    return folder, clips


@pytest.fixture(scope='module')
def fitted(library):
    folder, clips = library
    return fit(clips, root=folder, signals=1)


def test_a_tagger_is_fitted_and_reports_on_unheard_recordings(fitted):
    tagger, report = fitted
    assert report.clips == 24
    assert report.labels == 3
    assert report.top1 > 0.9
    assert {*KINDS, 'smoke_alarm', 'carbon_monoxide_alarm'} <= tagger.labels
    for kind in KINDS:
        tags = tagger.tags(sound(kind, 99))
        assert next(iter(tags)) == kind
        assert math.isclose(sum(tags.values()), 1.0, rel_tol=1e-3)


def test_a_tagger_survives_its_file(fitted, tmp_path):
    fitted[0].save(tmp_path / 'tagger.npz')
    loaded = LinearTagger.load(tmp_path / 'tagger.npz')
    for source in ('', 'hum-1'):
        before = fitted[0].tags(sound('hum', 5), source=source)
        after = loaded.tags(sound('hum', 5), source=source)
        assert after == pytest.approx(before, abs=2e-3)


def test_a_clip_of_the_library_is_judged_by_who_has_not_heard_it():
    """One recording has a label of its own: only fits without it cannot know the label."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((40, 6))
    vectors[0] += 9.0
    labels = ['odd'] + ['even'] * 39
    sources = [f'r{i}' for i in range(40)]
    tagger = dataclasses.replace(
        fit_linear(vectors, labels, sources, features='log_mel'), features='log_mel')
    odd = tagger.names.index('odd')
    unheard = tagger.scores(vectors[:1], fold=fold_of('r0'))[0, odd]
    heard = tagger.scores(vectors[:1], fold=(fold_of('r0') + 1) % 4)[0, odd]
    assert heard > 0.5 > unheard


def test_figures_of_noise_are_those_of_chance():
    rng = np.random.default_rng(1)
    given = [Example(label='ab'[i % 2], source=f's{i}', vector=rng.standard_normal(8))
             for i in range(200)]
    report = cross_validate(given, features='log_mel')
    assert 0.3 < report.top1 < 0.7
    assert report.top3 == 1.0
    unreal = [dataclasses.replace(e, real=False) for e in given]
    assert cross_validate(unreal, features='log_mel').clips == 0


def test_labels_with_few_recordings_are_left_out():
    def clip(label, number, source=''):
        return Clip(id=f'{label}{number}', path='x', seconds=1.0, label=label, source_id=source)

    clips = [*(clip('rain', i) for i in range(6)), *(clip('wind', i, 'one') for i in range(6)),
             *(clip('speech_word', i) for i in range(3)),
             *(clip('speech_name', i) for i in range(3)),
             *(dataclasses.replace(clip('siren', i), generated=True) for i in range(6))]
    chosen = choose_clips(clips, rename={'speech_*': 'speech'}, most_per_label=5)
    assert sorted({c.label for c in chosen}) == ['rain', 'speech']
    assert len(chosen) == 10
    with pytest.raises(ConfigurationError, match='two labels'):
        choose_clips(clips[:6])


def test_unreadable_clips_are_counted(library):
    folder, clips = library
    report = fit([*clips, Clip(id='gone', path='gone.flac', seconds=1.0, label='hum')],
                 root=folder, signals=0)[1]
    assert report.unreadable == 1
    with pytest.raises(ConfigurationError, match='readable'):
        fit(clips, root=folder / 'elsewhere', signals=0)


@pytest.mark.parametrize('content', [b'', b'nothing', b'PK\x03\x04broken'])
def test_what_is_no_tagger_is_refused(content, tmp_path):
    (tmp_path / 'tagger.npz').write_bytes(content)
    with pytest.raises(CheckpointError, match='fit-tagger'):
        LinearTagger.load(tmp_path / 'tagger.npz')
    with pytest.raises(CheckpointError, match='fit-tagger'):
        LinearTagger.load(tmp_path / 'missing.npz')


def test_a_tagger_of_other_features_is_refused(fitted, tmp_path):
    dataclasses.replace(fitted[0], features='ears').save(tmp_path / 'tagger.npz')
    with pytest.raises(CheckpointError, match='ears'):
        LinearTagger.load(tmp_path / 'tagger.npz')
    with pytest.raises(ConfigurationError, match='ears'):
        find_extractor('ears')


@pytest.mark.parametrize('length', [1, 100, 1_600, 200_000])
def test_features_exist_for_every_length_and_for_silence(length):
    for samples in (sound('hiss', 1, 13.0)[:length], np.zeros(length, np.float32)):
        vector = log_mel_statistics(samples)
        assert vector.shape == (512,)
        assert np.isfinite(vector).all()


def test_features_do_not_depend_on_the_level():
    samples = sound('clicks', 3)
    np.testing.assert_allclose(log_mel_statistics(samples), log_mel_statistics(samples * 0.1),
                               atol=1e-3)


@pytest.mark.parametrize('samples', [
    np.zeros(0, np.float32), np.zeros((2, 9), np.float32), np.zeros(9), np.float32([np.nan] * 9)])
def test_what_is_no_sound_is_refused(samples):
    with pytest.raises(AudioFormatError):
        log_mel_statistics(samples)
