import numpy as np
import pytest

pytestmark = pytest.mark.torch


@pytest.mark.parametrize('length', [50, 9_000, 200_000])
def test_states_of_the_encoder_have_one_size_for_every_length(monkeypatch, length):
    import torch

    from audio_interaction_ros.model.audio_tower import AudioTower
    from audio_interaction_ros.model.shapes import AudioTowerConfig
    from train.curation import features
    torch.manual_seed(0)
    tower = AudioTower(AudioTowerConfig(mel_bins=80, width=16, layers=2, heads=2, mlp_width=32,
                                        output_width=1, window_frames=200, keep_frames=100))
    listening = features.with_states(tower)
    monkeypatch.setattr(features, '_load_whisper', lambda: listening)
    samples = 0.1 * np.random.default_rng(0).standard_normal(length).astype(np.float32)
    vector = features.whisper_states(samples)
    assert vector.shape == (2 * 2 * 16 + 512,)
    assert np.isfinite(vector).all()
    np.testing.assert_allclose(features.whisper_states(samples * 0.1), vector, atol=1e-2)
