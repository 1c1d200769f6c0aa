"""The encoder of a tower with a tagger: the rows it takes, its window, what comes into it."""

import numpy as np
import pytest
import torch
from torch import nn

from audio_interaction_ros.assembly import build_pipeline
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.checkpoints.config import CheckpointConfig
from audio_interaction_ros.checkpoints.load import LoadedModel
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.model.shapes import AudioTowerConfig, DecoderConfig
from audio_interaction_ros.protocol import RELEASED_TOKEN_IDS
from audio_interaction_ros.runtimes.torch import TorchEncoder
from train.edge.features import make_windows
from train.edge.layout import THRESHOLDS
from train.edge.ship import make_configuration

pytestmark = pytest.mark.torch

SMALL = CheckpointConfig(
    model='small', token_ids=RELEASED_TOKEN_IDS,
    audio_tower=AudioTowerConfig(
        mel_bins=8, width=16, layers=1, heads=2, mlp_width=32, window_frames=120, stack=4,
        output_width=12, sounds=('rain', 'siren'), sound_levels=(1,), sound_hidden=8, tagger=True),
    decoder=DecoderConfig(layers=1, width=12, mlp_width=8, heads=2, kv_heads=1, head_dim=4,
                          vocab_size=200_000))


class Echo(nn.Module):
    """A tower whose features are its window."""

    def hear(self, window):
        return window, window[:, 0]


def encoder(config, tower):
    return TorchEncoder(LoadedModel(config=config, tower=tower, decoder=None, tokenizer=None,
                                    model_id='small-1'))


@pytest.fixture(scope='module')
def tower():
    torch.manual_seed(0)
    return AudioTower(SMALL.audio_tower).eval()


def test_rows_below_the_mel_are_encoded_with_it(tower):
    ears = encoder(SMALL, tower)
    assert (ears.spec.mel_bins, ears.spec.mel_rows) == (8, 72) and ears.spec.magnitudes
    mels = np.random.default_rng(0).standard_normal((4, 72, 40), dtype=np.float32)
    found = [ears.encode(mel).features for mel in mels]
    assert found[0].shape == (ears.spec.features_per_chunk, 12)
    with torch.inference_mode():
        begun = np.hstack((SMALL.audio_tower.initial_mel(80), mels[0]))
        expected = tower(torch.from_numpy(np.stack((begun, np.hstack(mels[1:])))))
    np.testing.assert_allclose(found[0], expected[0], atol=1e-4)
    np.testing.assert_allclose(found[3], expected[1], atol=1e-4)
    ears.reset()
    np.testing.assert_array_equal(ears.encode(mels[0]).features, found[0])


@pytest.mark.parametrize('rows', [8, 64, 73])
def test_other_rows_are_refused(tower, rows):
    with pytest.raises(ValueError, match=r'expected mel \(72, 40\)'):
        encoder(SMALL, tower).encode(np.zeros((rows, 40), np.float32))


def test_what_is_served_is_what_was_trained_on():
    config = make_configuration(dict(THRESHOLDS), ('rain', 'siren'))
    samples = np.random.default_rng(1).normal(size=8 * 6_400).astype(np.float32) * 0.1
    listening = build_pipeline(AssistantConfig(), encoder(config, Echo()))
    chunks = listening.push(AudioBlock(samples=samples, sample_rate_hz=16_000, stamp_ns=0))
    served = np.stack([chunk.features for chunk in (*chunks, *listening.flush())])
    trained = make_windows(samples)
    assert trained.shape == served.shape == (8, 144, 200)
    np.testing.assert_allclose(served[:-1], trained[:-1], atol=1e-5)
