"""A tower whose sound branch listens to YAMNet: its configuration, its ears and its weights."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from audio_interaction_ros.checkpoints import edge
from audio_interaction_ros.checkpoints.config import (
    BaseConfig,
    CheckpointConfig,
    dump_config,
    load_config,
)
from audio_interaction_ros.checkpoints.load import load
from audio_interaction_ros.checkpoints.manifest import DECODER_PREFIX, TOWER_PREFIX, write_manifest
from audio_interaction_ros.errors import CheckpointError, ConfigurationError
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.model.shapes import MEL_FILL, AudioTowerConfig, DecoderConfig
from audio_interaction_ros.protocol import NO_MAGNITUDE, RELEASED_TOKEN_IDS

pytestmark = pytest.mark.torch

PLAIN = AudioTowerConfig(mel_bins=8, width=16, layers=2, heads=2, mlp_width=32, window_frames=120,
                         stack=4, feature_norm=3.2, output_width=12, sounds=('rain', 'siren'),
                         sound_levels=(1, 2), sound_hidden=8)
EARS = replace(PLAIN, tagger=True)
BASE = BaseConfig(whisper='w', language_model='l', tagger='y')


def config(**more):
    return CheckpointConfig(**{
        'model': 'small', 'audio_tower': EARS, 'base': BASE, 'token_ids': RELEASED_TOKEN_IDS,
        'decoder': DecoderConfig(layers=1, width=12, mlp_width=8, heads=2, kv_heads=1, head_dim=4,
                                 vocab_size=200_000), **more})


@pytest.fixture(scope='module')
def tower():
    torch.manual_seed(0)
    tower = AudioTower(EARS).eval()
    for convolution in tower.tagger.convolutions:
        torch.nn.init.kaiming_normal_(convolution.weight, nonlinearity='relu')
    return tower


@pytest.mark.parametrize(('wrong', 'found'), [
    ({'window_frames': 80}, '2 sounds and 80 frames'),
    ({'sounds': (), 'sound_levels': ()}, '0 sounds and 120 frames')])
def test_a_tagger_needs_sounds_and_a_window_as_long_as_its_patch(wrong, found):
    with pytest.raises(ConfigurationError, match=f'tagger needs.*96 frames.*{found}'):
        replace(EARS, **wrong)


@pytest.mark.parametrize(('base', 'audio_tower'), [
    (replace(BASE, tagger=''), EARS), (BASE, PLAIN)])
def test_a_tagger_is_named_in_the_base_and_in_the_tower_or_in_neither(base, audio_tower):
    with pytest.raises(ConfigurationError, match='base.tagger'):
        config(base=base, audio_tower=audio_tower)
    assert config(base=replace(BASE, tagger=''), audio_tower=PLAIN).base.tagger == ''
    assert config(base=None).audio_tower.tagger  # such a folder holds all its weights itself


def test_the_tagger_is_written_and_read_again(tmp_path):
    dump_config(config(), tmp_path / 'config.yaml')
    assert load_config(tmp_path / 'config.yaml') == config()


def test_silence_of_both_kinds_fills_what_is_before_a_stream():
    found = EARS.initial_mel(3)
    assert found.shape == (8 + 64, 3) and found.dtype == np.float32
    assert (found[:8] == MEL_FILL).all() and (found[8:] == np.float32(NO_MAGNITUDE)).all()
    np.testing.assert_array_equal(PLAIN.initial_mel(3), found[:8])


@torch.inference_mode()
def test_only_the_sound_branch_hears_the_rows_below_the_mel(tower):
    assert EARS.sound_width == PLAIN.sound_width + 1024 == tower.sound.hidden.in_features
    window = torch.randn(2, 72, 120)
    levels = tower.levels(window)
    heard = tower.sound_inputs(window, levels)
    torch.testing.assert_close(heard[:, -1024:], tower.tagger(window[:, 8:]))
    torch.testing.assert_close(heard[:, :16], levels[1][:, -20:].mean(1))
    other = torch.cat((window[:, :8], torch.randn(2, 64, 120)), dim=1)
    ours, theirs = tower(window), tower(other)
    torch.testing.assert_close(ours[:, :-1], theirs[:, :-1])
    assert not torch.allclose(ours[:, -1], theirs[:, -1])


@pytest.fixture
def folder(tower, tmp_path, monkeypatch):
    """Return a folder of what was trained; fetch gives the rest, and ``asked`` says what of it."""
    state = tower.state_dict()
    trained = {key: value for key, value in state.items()
               if key.startswith(('proj.', 'sound.'))}
    tagger = {key.removeprefix('tagger.'): value for key, value in state.items()
              if key.startswith('tagger.')}
    rest = {key: value for key, value in state.items()
            if not key.startswith(('proj.', 'sound.', 'tagger.'))}
    for name, tensors in (('own', trained), ('y', tagger), ('w', rest),
                          ('l', {'x.weight': torch.ones(1)})):
        (tmp_path / name).mkdir()
        save_file({key: value.contiguous() for key, value in tensors.items()},
                  tmp_path / name / 'model.safetensors')
    monkeypatch.setattr(edge, 'fetch', lambda name: tmp_path / name)
    monkeypatch.setattr(edge, 'identity', lambda name: name)
    dump_config(config(), tmp_path / 'own' / 'config.yaml')
    write_manifest(tmp_path / 'own')
    return tmp_path / 'own'


def test_a_model_is_loaded_with_the_tagger_of_its_base(folder, tower):
    loaded = load(folder, parts=(TOWER_PREFIX,)).tower.state_dict()
    expected = tower.state_dict()
    assert loaded.keys() == expected.keys()
    assert sum(key.startswith('tagger.convolutions.') for key in loaded) == 2 * 27
    assert all(torch.equal(loaded[key], value) for key, value in expected.items())


def test_the_tagger_is_fetched_with_the_tower_only(folder, monkeypatch):
    asked = []
    monkeypatch.setattr(edge, 'fetch', lambda name: asked.append(name) or folder.parent / name)
    edge.load_merged_arrays(folder, config(), (DECODER_PREFIX,))
    assert asked == ['l']
    plain = config(base=replace(BASE, tagger=''), audio_tower=PLAIN)
    without, _ = edge.load_merged_arrays(folder, plain, (TOWER_PREFIX,))
    assert asked == ['l', 'w'] and not any('tagger' in key for key in without)


def test_a_trained_tagger_is_refused(folder):
    save_file({'tagger.convolutions.0.bias': torch.zeros(32)}, folder / 'more.safetensors')
    write_manifest(folder)
    with pytest.raises(CheckpointError, match='expected projector'):
        edge.load_merged_arrays(folder, config())
