"""The graphs of the decoder against torch, and what ONNX Runtime makes of them."""

from collections import Counter

import numpy as np
import onnx
import pytest
import torch

from audio_interaction_ros.graphs.decoder import decoder_step, vocabulary_head
from audio_interaction_ros.graphs.names import cache_names
from audio_interaction_ros.model.decoder import Decoder, KVCache, rope_tables
from audio_interaction_ros.model.shapes import DecoderConfig

ort = pytest.importorskip('onnxruntime')
pytestmark = pytest.mark.torch

SHAPES = {
    'llama': DecoderConfig(layers=2, width=32, mlp_width=64, heads=4, kv_heads=2, head_dim=8,
                           vocab_size=40, tied_head=True),
    'qwen2': DecoderConfig(layers=2, width=32, mlp_width=64, heads=6, kv_heads=1, head_dim=8,
                           vocab_size=40, attention_bias=True),
}
ROWS, SLOTS = 2, 11
HIDDEN = np.float32(-1e30)


@pytest.fixture(params=sorted(SHAPES))
def decoder(request):
    torch.manual_seed(1)
    decoder = Decoder(SHAPES[request.param]).eval()
    for parameter in decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return decoder


def arrays(decoder):
    return {key: value.numpy() for key, value in decoder.state_dict().items()}


def session(builder, options=None):
    return ort.InferenceSession(builder.finish().SerializeToString(), options,
                                providers=['CPUExecutionProvider'])


def normal(rng, *shape):
    return rng.standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize('time', [1, 5])
def test_a_step_is_that_of_torch(decoder, time):
    config, rng = decoder.config, np.random.default_rng(0)
    x = normal(rng, ROWS, time, config.width)
    cos, sin = rope_tables(np.arange(time) + np.array([[7], [9]]), config.head_dim,
                           config.rope_base)
    past = np.zeros((ROWS, SLOTS), bool)
    past[0, :6] = past[1, 3:9] = True
    causal = np.tri(time, dtype=bool)
    feeds = {'embeddings': x, 'cos': cos.numpy(), 'sin': sin.numpy(),
             'past_mask': np.where(past, 0, HIDDEN)[:, None, None],
             'new_mask': np.tile(np.where(causal, 0, HIDDEN),
                                 (config.heads // config.kv_heads, 1))[None, None]}
    cache = KVCache(config, lanes=ROWS, slots=SLOTS + time)
    for layer, names in enumerate(cache_names(config.layers)):
        for name, held in zip(names, (cache.keys, cache.values), strict=True):
            feeds[name] = normal(rng, ROWS, config.kv_heads, SLOTS, config.head_dim)
            held[layer, :, :, :SLOTS] = torch.from_numpy(feeds[name])
    found = session(decoder_step(config, arrays(decoder))).run(None, feeds)
    mask = np.concatenate((np.broadcast_to(past[:, None, None], (ROWS, 1, time, SLOTS)),
                           np.broadcast_to(causal, (ROWS, 1, time, time))), axis=3)
    with torch.inference_mode():
        expected = decoder(torch.from_numpy(x), cos, sin, cache=cache,
                           slots=torch.arange(SLOTS, SLOTS + time).expand(ROWS, time),
                           mask=torch.from_numpy(mask)).numpy()
    np.testing.assert_allclose(found[0], expected, atol=2e-5)
    new = slice(SLOTS, SLOTS + time)
    np.testing.assert_allclose(found[1::2], cache.keys[:, :, :, new], atol=2e-5)
    np.testing.assert_allclose(found[2::2], cache.values[:, :, :, new], atol=2e-5)


def test_the_head_is_that_of_torch(decoder):
    hidden = normal(np.random.default_rng(0), 3, decoder.config.width)
    found, = session(vocabulary_head(decoder.config, arrays(decoder))).run(
        None, {'hidden': hidden})
    with torch.inference_mode():
        np.testing.assert_allclose(found, decoder.logits(torch.from_numpy(hidden)), atol=1e-4)


def test_it_is_valid_onnx_without_foreign_operators(decoder):
    model = decoder_step(decoder.config, arrays(decoder)).finish()
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} == {''}


def test_the_runtime_reads_the_cache_without_a_copy(decoder, tmp_path):
    """Whatever takes a key or value of the past is a product, with its transposition inside."""
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / 'optimised.onnx')
    options.log_severity_level = 3
    session(decoder_step(decoder.config, arrays(decoder)), options)
    nodes = onnx.load(tmp_path / 'optimised.onnx').graph.node
    past = {name for names in cache_names(decoder.config.layers) for name in names}
    readers = [node for node in nodes if past & set(node.input)]
    assert len(readers) == len(past)
    assert {node.op_type for node in readers} == {'MatMul', 'FusedMatMul'}
    assert Counter(node.op_type for node in nodes)['SimplifiedLayerNormalization'] == 5


@pytest.mark.parametrize(('bits', 'cosine'), [(8, 0.999), (4, 0.97)])
def test_quantised_weights_stay_near(decoder, bits, cosine):
    hidden = normal(np.random.default_rng(0), 3, decoder.config.width)
    full, few = (session(vocabulary_head(decoder.config, arrays(decoder), bits=which)).run(
        None, {'hidden': hidden})[0].ravel() for which in (None, bits))
    assert full @ few / np.linalg.norm(full) / np.linalg.norm(few) > cosine
