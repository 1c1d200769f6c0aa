"""The sound head of a model: checked, there in every runtime, and no part of its identity."""

import shutil

import numpy as np
import pytest
from small_model import add_sound_head, random_model, save_model

from audio_interaction_ros.checkpoints.weights import identify
from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.runtimes.registry import load_runtime
from export.__main__ import main as export

pytestmark = pytest.mark.torch


@pytest.fixture(scope='module')
def saved(tmp_path_factory):
    return save_model(random_model(), tmp_path_factory.mktemp('sounds') / 'small')


@pytest.fixture
def folder(saved, tmp_path, monkeypatch):
    monkeypatch.setenv('AUDIO_INTERACTION_CACHE', str(tmp_path / 'cache'))
    return shutil.copytree(saved, tmp_path / 'model')


def load(model, runtime='onnx', **options):
    return load_runtime(str(model), runtime=runtime, dtype='float32', **options)


def test_another_head_leaves_features_embeddings_and_what_was_taught_by_them(folder):
    without = identify(folder).model_id
    first = load(add_sound_head(folder), halves=('encoder',)).encoder.spec.model_id
    graphs = set((folder.parent / 'cache' / 'onnx').iterdir())
    second = load(add_sound_head(folder, seed=1), halves=('encoder',)).encoder.spec.model_id
    assert {without, first, second} == {without}
    assert set((folder.parent / 'cache' / 'onnx').iterdir()) == graphs


def test_every_runtime_reads_the_head_with_the_encoder_only(folder, tmp_path):
    assert load(folder).sounds is None, 'a model without the file tells no sounds apart'
    add_sound_head(folder)
    assert export(['onnx', str(folder), '--out', str(tmp_path / 'out'), '--precision',
                   'fp32']) == 0
    heard, shape = np.random.default_rng(0).random((3, 4), dtype=np.float32), (3, 4)
    expected = load(folder, 'torch').sounds.score(heard)
    for model in (folder, folder, tmp_path / 'out'):  # made in the cache, read from it, exported
        sounds = load(model, halves=('encoder',)).sounds
        assert sounds.classes == ('rain', 'siren')
        assert (sounds.context, sounds.hidden_width) == shape
        np.testing.assert_array_equal(sounds.score(heard), expected)
        assert load(model, halves=('decoder',)).sounds is None


def test_a_new_head_replaces_that_of_graphs_in_the_cache(folder):
    heard, scores = np.ones((3, 4), np.float32), []
    for seed in (0, 1):
        add_sound_head(folder, seed=seed)
        scores.append(load(folder, halves=('encoder',)).sounds.score(heard))
    assert not np.allclose(*scores)


@pytest.mark.parametrize('runtime', ['torch', 'onnx'])
def test_a_damaged_head_and_one_of_another_model_are_refused(folder, runtime):
    path = add_sound_head(folder) / 'sounds.safetensors'
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=r'sounds\.safetensors: expected sha256'):
        load(folder, runtime)
    add_sound_head(folder, width=95)
    with pytest.raises(CheckpointError, match='embeddings of 96 numbers, found one for 95'):
        load(folder, runtime)
    add_sound_head(folder, format='audio-interaction-sounds/2')
    with pytest.raises(CheckpointError, match="expected format 'audio-interaction-sounds/1'"):
        load(folder, runtime)
    path.unlink()
    with pytest.raises(CheckpointError, match='no such file'):
        load(folder, runtime)


def test_a_damaged_head_beside_exported_graphs_is_refused(folder, tmp_path):
    add_sound_head(folder)
    assert export(['onnx', str(folder), '--out', str(tmp_path / 'out'), '--precision',
                   'fp32']) == 0
    path = tmp_path / 'out' / 'encoder' / 'sounds.safetensors'
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CheckpointError, match=r'sounds\.safetensors: expected \d+ bytes'):
        load(tmp_path / 'out')
