"""The decoder on ONNX Runtime against that on torch: any schedule of any lanes, side by side."""

import os

import numpy as np
import pytest
from small_model import SHAPES, SLOTS, assert_same_results, random_model, request, schedule

from audio_interaction_ros.graphs.decoder import decoder_step, head_weight, vocabulary_head
from audio_interaction_ros.runtimes.torch import TorchDecoder

ort = pytest.importorskip('onnxruntime')
from audio_interaction_ros.errors import CheckpointError, ResourceError  # noqa: E402
from audio_interaction_ros.runtimes import onnx_decoder  # noqa: E402
from audio_interaction_ros.runtimes.onnx_decoder import OnnxDecoder  # noqa: E402
from audio_interaction_ros.runtimes.onnx_session import make_aligned, open_session  # noqa: E402
from bench.measure import resident_mib  # noqa: E402

pytestmark = pytest.mark.torch

TOLERANCE = 1e-4


def make_decoder(loaded, folder, *, bits=None, **options):
    shape = loaded.config.decoder
    tensors = {key: value.numpy().copy() for key, value in loaded.decoder.state_dict().items()}
    decoder_step(shape, tensors, bits=bits).save(folder / 'step.onnx')
    vocabulary_head(shape, tensors, bits=bits).save(folder / 'head.onnx')
    ids = loaded.config.token_ids
    return OnnxDecoder(
        loaded.config, model_id=loaded.model_id,
        step=open_session(folder / 'step.onnx', threads=1),
        head=open_session(folder / 'head.onnx', threads=1),
        embeddings=tensors['model.embed_tokens.weight'],
        controls=head_weight(shape, tensors)[[ids.silence, ids.respond]], **options)


@pytest.fixture(scope='module', params=sorted(SHAPES))
def pair(request, tmp_path_factory):
    loaded = random_model(request.param)
    return (make_decoder(loaded, tmp_path_factory.mktemp('graphs')),
            TorchDecoder(random_model(request.param)))


@pytest.mark.parametrize('seed', range(4))
def test_any_schedule_gives_the_scores_of_torch(pair, seed):
    assert_same_results(*pair, schedule(seed), atol=TOLERANCE)


@pytest.mark.parametrize(('bits', 'cosine'), [(8, 0.998), (4, 0.95)])
@pytest.mark.parametrize('kind', sorted(SHAPES))
def test_quantised_weights_stay_near(kind, bits, cosine, tmp_path):
    loaded = random_model(kind)
    few, full = make_decoder(loaded, tmp_path, bits=bits), TorchDecoder(random_model(kind))
    for decoder in (few, full):
        decoder.open(lanes=3, slots=SLOTS)
    scores = [np.concatenate([result.control_logits.ravel() for step in schedule(9)
                              for result in decoder.step(step)]) for decoder in (few, full)]
    assert scores[0] @ scores[1] / np.linalg.norm(scores[0]) / np.linalg.norm(scores[1]) > cosine


def test_an_embedding_table_of_half_precision_is_read_as_it_is(pair, tmp_path):
    loaded = random_model('llama')
    decoder = make_decoder(loaded, tmp_path)
    decoder._embeddings = decoder._embeddings.astype(np.float16)
    results = []
    for each in (decoder, pair[0] if pair[0]._config == loaded.config.decoder else decoder):
        each.open(lanes=1, slots=SLOTS)
        results.append(each.step([request([20, 21, 22], slots=range(3))])[0])
    assert results[0].log_prob == pytest.approx(results[1].log_prob, abs=0.1)
    np.testing.assert_allclose(results[0].control_logits, results[1].control_logits, atol=0.1)


def test_a_cache_that_does_not_fit_is_named(pair):
    with pytest.raises(ResourceError, match='model.slots: no memory'):
        pair[0].open(lanes=1_000_000, slots=1_000_000)
    with pytest.raises(ValueError, match='open'):
        pair[0].step([request([20], slots=[0])])


def test_a_graph_of_something_else_is_refused_with_the_remedy(tmp_path):
    loaded = random_model()
    tensors = {key: value.numpy() for key, value in loaded.decoder.state_dict().items()}
    path = tmp_path / 'head.onnx'
    vocabulary_head(loaded.config.decoder, tensors).save(path, metadata={'model_id': 'a-1'})
    open_session(path, expected={'model_id': 'a-1'})
    with pytest.raises(CheckpointError, match=r"expected model_id 'b-2', found 'a-1'; run it"):
        open_session(path, expected={'model_id': 'b-2'}, remedy='run it')
    path.with_name('head.onnx.data').write_bytes(b'')
    with pytest.raises(CheckpointError, match='cannot load it.*run it'):
        open_session(path, remedy='run it')


def test_passes_share_one_room_and_a_long_backlog_keeps_none(pair, monkeypatch):
    decoder = pair[0]
    decoder.open(lanes=1, slots=SLOTS)
    monkeypatch.setattr(decoder, '_room', np.empty(0, np.uint8))
    monkeypatch.setattr(onnx_decoder, '_SHAPES', 3)
    lengths = [1, 2, 3, 1, 4]
    passes = [decoder._find_pass(decoder._cache, 0, 1, time) for time in lengths]
    assert [key[2] for key in decoder._passes] == [4], 'a larger room binds them all anew'
    passes = [decoder._find_pass(decoder._cache, 0, 1, time) for time in (1, 2, 3, 1, 4)]
    assert [key[2] for key in decoder._passes] == [3, 1, 4]
    assert all(np.shares_memory(made.hidden, decoder._room) for made in passes)
    room = decoder._room
    monkeypatch.setattr(onnx_decoder, '_ROOM_BYTES', room.nbytes)
    long = decoder._find_pass(decoder._cache, 0, 1, SLOTS // 2)
    assert decoder._room is room and not np.shares_memory(long.hidden, room)
    assert SLOTS // 2 not in {key[2] for key in decoder._passes}


def test_of_a_large_cache_only_what_is_written_is_resident():
    cache = make_aligned((64, 1024, 1024))
    assert not cache[::8].any() and cache.ctypes.data % 64 == 0
    before = resident_mib(os.getpid())
    cache[0], cache[2, :256] = 1.0, 1.0
    assert resident_mib(os.getpid()) - before < 40  # of 256 MiB; in large pages 6 at least


def test_a_cache_beyond_all_memory_is_refused():
    with pytest.raises(MemoryError, match='no memory for'):
        make_aligned((2 ** 28, 2 ** 20))
