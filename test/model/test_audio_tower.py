from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers
from torch.nn import functional as F
from transformers.models.qwen2_5_omni.configuration_qwen2_5_omni import (
    Qwen2_5OmniAudioEncoderConfig,
)
from transformers.models.qwen2_5_omni.modeling_qwen2_5_omni import Qwen2_5OmniAudioEncoder

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.model.audio_tower import AudioTower, SoundBranch
from audio_interaction_ros.model.shapes import AudioTowerConfig

pytestmark = pytest.mark.torch


@torch.inference_mode()
def test_equals_qwen_omni_encoder():
    torch.manual_seed(1)
    theirs = Qwen2_5OmniAudioEncoder(Qwen2_5OmniAudioEncoderConfig(
        num_mel_bins=16, d_model=32, encoder_layers=2, encoder_attention_heads=4,
        encoder_ffn_dim=64, output_dim=24)).eval()
    for parameter in theirs.parameters():
        parameter.normal_(std=0.2)
    ours = AudioTower(AudioTowerConfig(mel_bins=16, width=32, layers=2, heads=4, mlp_width=64,
                                       pool=2, output_width=24))
    state = theirs.state_dict()
    ours.load_state_dict({key: state[key] for key in ours.state_dict()})
    mel = torch.randn(3, 16, 40)
    expected = theirs(torch.cat(list(mel), dim=1), feature_lens=torch.tensor([40] * 3),
                      aftercnn_lens=torch.tensor([20] * 3)).last_hidden_state
    torch.testing.assert_close(ours(mel).reshape(30, 24), expected, atol=1e-4, rtol=1e-4)


@torch.inference_mode()
def test_equals_whisper_encoder_and_stacks_the_newest_frames():
    torch.manual_seed(1)
    theirs = transformers.WhisperModel(transformers.WhisperConfig(
        num_mel_bins=16, d_model=32, encoder_layers=2, encoder_attention_heads=4,
        encoder_ffn_dim=64, decoder_layers=1, decoder_attention_heads=4, decoder_ffn_dim=8,
        vocab_size=9, pad_token_id=0, bos_token_id=0, eos_token_id=0, decoder_start_token_id=0,
        max_source_positions=100)).encoder.eval()
    state = {key.replace('layer_norm.', 'ln_post.') if key.startswith('layer_norm.') else key:
             value for key, value in theirs.state_dict().items() if 'embed_positions' not in key}
    ours = AudioTower(AudioTowerConfig(
        mel_bins=16, width=32, layers=2, heads=4, mlp_width=64, window_frames=200, stack=4,
        projector='mlp', projector_hidden=8, output_width=24))
    missing, unexpected = ours.load_state_dict(state, strict=False)
    assert unexpected == [] and all(key.startswith('projector.') for key in missing)
    mel = torch.randn(1, 16, 200)
    expected = theirs(mel).last_hidden_state[:, -20:].reshape(1, 5, 128)
    torch.testing.assert_close(ours.encode(mel), expected, atol=1e-4, rtol=1e-4)
    assert ours(mel).shape == (1, 5, 24)
    twice = AudioTower(replace(ours.config, second_look=True))
    twice.load_state_dict(state, strict=False)
    looked = twice.encode(mel)
    torch.testing.assert_close(looked[..., :128], expected, atol=1e-4, rtol=1e-4)
    earlier = theirs(mel).last_hidden_state[:, -40:-20].reshape(1, 5, 128)
    torch.testing.assert_close(looked[..., 128:], earlier, atol=1e-4, rtol=1e-4)
    assert twice(mel).shape == (1, 5, 24)


@torch.inference_mode()
def test_features_are_scaled_to_the_length_of_an_embedding():
    torch.manual_seed(1)
    tower = AudioTower(AudioTowerConfig(mel_bins=16, width=32, layers=1, heads=4, mlp_width=64,
                                        output_width=8, feature_norm=3.2))
    features = tower(torch.randn(2, 16, 40))
    torch.testing.assert_close(features.norm(dim=-1), torch.full((2, 20), 3.2))
    plain = tower.proj(tower.encode(torch.ones(1, 16, 40)))
    turned = F.cosine_similarity(plain, tower(torch.ones(1, 16, 40)), dim=-1)
    torch.testing.assert_close(turned, torch.ones_like(turned))


def test_a_second_look_needs_a_window_of_two_chunks():
    with pytest.raises(ConfigurationError, match='second_look'):
        AudioTowerConfig(mel_bins=16, width=32, layers=1, heads=4, mlp_width=64, output_width=8,
                         second_look=True)


def test_refuses_frames_that_do_not_stack():
    with pytest.raises(ConfigurationError, match='keep_frames'):
        AudioTowerConfig(mel_bins=16, width=32, layers=1, heads=4, mlp_width=64, stack=3,
                         output_width=8)


SOUNDS = {'sounds': ('siren', 'rain', 'speech'), 'sound_levels': (0, 2), 'sound_hidden': 6}


@torch.inference_mode()
def test_the_sound_branch_gives_one_more_feature():
    torch.manual_seed(1)
    plain = AudioTower(AudioTowerConfig(mel_bins=16, width=32, layers=2, heads=4, mlp_width=64,
                                        output_width=8, feature_norm=3.2))
    tower = AudioTower(replace(plain.config, **SOUNDS))
    assert (plain.config.features_per_chunk, tower.config.features_per_chunk) == (20, 21)
    missing, _ = tower.load_state_dict(plain.state_dict(), strict=False)
    assert all(name.startswith('sound.') for name in missing)
    mel = torch.randn(2, 16, 40)
    features, levels = tower(mel), tower.levels(mel)
    torch.testing.assert_close(features[:, :20], plain(mel))
    heard = tower.sound_inputs(mel, levels)
    assert heard.shape == (2, tower.config.sound_width) == (2, 192)
    torch.testing.assert_close(heard[:, 96:128], levels[2].mean(1))
    torch.testing.assert_close(features[:, 20].norm(dim=-1), torch.full((2,), 3.2))
    # Sure of the siren and of nothing else: the feature is what a siren is called.
    tower.sound.classes.weight.zero_()
    tower.sound.classes.bias.copy_(torch.tensor([50.0, -50.0, -50.0]))
    tower.sound.names.bias.zero_()
    called = F.normalize(tower.sound.names.weight[:, 0], dim=0) * 3.2
    torch.testing.assert_close(tower(mel)[0, 20], called)


@pytest.mark.parametrize('wrong', [{'sound_levels': ()}, {'sounds': ()}, {'sound_levels': (3,)}])
def test_sounds_and_levels_belong_together(wrong):
    with pytest.raises(ConfigurationError, match='sound_levels'):
        AudioTowerConfig(mel_bins=16, width=32, layers=2, heads=4, mlp_width=64, output_width=8,
                         **{**SOUNDS, **wrong})


def branch(**more):
    torch.manual_seed(1)
    return SoundBranch(AudioTowerConfig(mel_bins=16, width=32, layers=2, heads=4, mlp_width=64,
                                        output_width=8, feature_norm=3.2, **SOUNDS, **more))


@torch.inference_mode()
def test_strength_grows_with_the_evidence_and_ends_at_the_length_of_an_embedding():
    strength, direction = branch(sound_feature='strength'), branch()
    direction.load_state_dict(strength.state_dict())
    heard, lengths = torch.randn(1, 192), []
    for evidence in torch.linspace(-12.0, 12.0, 25):
        for each in (strength, direction):
            each.classes.weight.zero_()
            each.classes.bias.copy_(torch.tensor([evidence, -15.0, -15.0]))
        feature = strength(heard)
        lengths.append(feature.norm().item())
        assert F.cosine_similarity(feature, direction(heard)).item() == pytest.approx(1.0)
        assert direction(heard).norm().item() == pytest.approx(3.2)
    assert all(np.diff(lengths) > 0)
    assert lengths[0] < 1e-3 and lengths[-1] == pytest.approx(3.2, abs=1e-3)
    # The surest sound counts: a faint second one adds nothing to how sure it is.
    strength.classes.bias.copy_(torch.tensor([1.0, -1.0, -15.0]))
    assert strength(heard).norm().item() == pytest.approx(3.2 * torch.sigmoid(
        torch.tensor(1.0)).item())


@pytest.mark.parametrize('wrong', [
    {'sound_feature': 'length'}, {'sound_feature': 'strength', 'feature_norm': 0.0},
    {'sound_feature': 'strength', 'sounds': (), 'sound_levels': ()}])
def test_strength_needs_sounds_and_a_length_that_it_is_a_share_of(wrong):
    with pytest.raises(ConfigurationError, match='sound_feature'):
        AudioTowerConfig(**{**dict(mel_bins=16, width=32, layers=2, heads=4, mlp_width=64,
                                   output_width=8, feature_norm=3.2, **SOUNDS), **wrong})
