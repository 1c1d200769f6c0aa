"""The decoder of the static form: passes cut and padded for a device give the scores of torch."""

import numpy as np
import pytest
from small_model import SHAPES, SLOTS, assert_same_results, random_model, request, schedule

from audio_interaction_ros.graphs.decoder import head_weight, vocabulary_head
from audio_interaction_ros.graphs.static_decoder import static_step
from audio_interaction_ros.runtimes.static_decoder import StaticDecoder
from audio_interaction_ros.runtimes.torch import TorchDecoder

ort = pytest.importorskip('onnxruntime')
from audio_interaction_ros.errors import ResourceError  # noqa: E402
from audio_interaction_ros.runtimes.onnx_session import open_session  # noqa: E402
from audio_interaction_ros.runtimes.onnx_static import OnnxStepDevice  # noqa: E402

pytestmark = pytest.mark.torch

DEVICES = {'any length': {}, 'prepared lengths': {'times': (1, 6)},
           'short passes': {'longest': 4, 'times': (1,)}}


def static_decoder(loaded, folder, **options):
    shape, ids = loaded.config.decoder, loaded.config.token_ids
    tensors = {key: value.numpy().copy() for key, value in loaded.decoder.state_dict().items()}
    static_step(shape, tensors).save(folder / 'step.onnx')
    vocabulary_head(shape, tensors).save(folder / 'head.onnx')
    device = OnnxStepDevice(shape, step=open_session(folder / 'step.onnx', threads=1),
                            head=open_session(folder / 'head.onnx', threads=1), **options)
    return StaticDecoder(
        loaded.config, device, model_id=loaded.model_id,
        embeddings=tensors['model.embed_tokens.weight'],
        controls=head_weight(shape, tensors)[[ids.silence, ids.respond]])


@pytest.fixture(scope='module', params=sorted(DEVICES))
def pair(request, tmp_path_factory):
    return (static_decoder(random_model(), tmp_path_factory.mktemp('graphs'),
                           **DEVICES[request.param]), TorchDecoder(random_model()))


@pytest.mark.parametrize('seed', range(3))
def test_any_schedule_gives_the_scores_of_torch(pair, seed):
    assert_same_results(*pair, schedule(seed), atol=1e-4)


def test_the_graph_writes_into_the_memory_that_it_reads(tmp_path):
    decoder = static_decoder(random_model(), tmp_path)
    decoder.open(lanes=1, slots=SLOTS)
    cache = decoder._device._cache
    decoder.step([request([20, 21], slots=[7, 8])])
    assert decoder._device._cache is cache
    assert np.flatnonzero(cache.any(axis=(0, 1, 2, 3, 5))).tolist() == [7, 8]


def test_a_cache_that_does_not_fit_is_named(tmp_path):
    decoder = static_decoder(random_model(), tmp_path)
    with pytest.raises(ResourceError, match='model.slots: no memory for 1000000 lanes'):
        decoder.open(lanes=1_000_000, slots=1_000_000)
    with pytest.raises(ValueError, match='open'):
        decoder.step([request([20], slots=[0])])


@pytest.mark.parametrize('kind', sorted(SHAPES))
def test_half_of_the_lanes_idle_changes_nothing(kind, tmp_path):
    one, three = (static_decoder(random_model(kind), tmp_path) for _ in range(2))
    one.open(lanes=1, slots=SLOTS)
    three.open(lanes=3, slots=SLOTS)
    alone, = one.step([request([20, 21, 22], slots=range(3))])
    beside, = three.step([request([20, 21, 22], lane=0, slots=range(3))])
    np.testing.assert_allclose(beside.control_logits, alone.control_logits, atol=1e-5)
    assert beside.token == alone.token
