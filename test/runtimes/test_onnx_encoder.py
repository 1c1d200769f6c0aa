"""The encoder on ONNX Runtime beside that of torch, over a stream of chunks."""

import numpy as np
import pytest
from small_model import random_model

from audio_interaction_ros.runtimes.torch import TorchEncoder

pytest.importorskip('onnxruntime')
from audio_interaction_ros.graphs.audio_tower import audio_tower  # noqa: E402
from audio_interaction_ros.runtimes.onnx_encoder import OnnxEncoder  # noqa: E402
from audio_interaction_ros.runtimes.onnx_session import open_session  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture(scope='module')
def loaded():
    return random_model()


@pytest.fixture
def encoder(loaded, tmp_path):
    """Return an encoder from files, with weights beside the graph."""
    graph = tmp_path / 'audio_tower.onnx'
    audio_tower(loaded.config.audio_tower,
                {key: value.numpy() for key, value in loaded.tower.state_dict().items()}
                ).save(graph)
    return OnnxEncoder(loaded.config, model_id=loaded.model_id,
                       tower=open_session(graph, threads=1))


def test_a_stream_is_encoded_as_torch_does(encoder, loaded):
    reference = TorchEncoder(loaded)
    assert encoder.spec == reference.spec
    mels = np.random.default_rng(0).standard_normal((4, encoder.spec.mel_rows, 40),
                                                    dtype=np.float32)
    assert encoder.spec.embedding_width == loaded.config.audio_tower.sound_width
    for mel in mels:
        found, expected = encoder.encode(mel), reference.encode(mel)
        for ours, theirs in ((found.features, expected.features),
                             (found.embedding, expected.embedding)):
            assert ours.dtype == np.float32 and ours.shape == theirs.shape
            np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_features_are_the_callers(encoder):
    mels = np.random.default_rng(1).standard_normal((2, encoder.spec.mel_rows, 40),
                                                    dtype=np.float32)
    kept = encoder.encode(mels[0]).features
    before = kept.copy()
    encoder.encode(mels[1])
    np.testing.assert_array_equal(kept, before)
    kept += 1  # may be written
