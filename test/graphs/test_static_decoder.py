"""The static form of the decoder: what it computes and writes, beside torch and the delta form."""

import ml_dtypes
import numpy as np
import onnx
import pytest
import torch

from audio_interaction_ros.graphs.decoder import decoder_step, vocabulary_head
from audio_interaction_ros.graphs.names import cache_names, new_names, written_names
from audio_interaction_ros.graphs.quantise import quantise_columns
from audio_interaction_ros.graphs.static_decoder import static_step
from audio_interaction_ros.model.decoder import Decoder, KVCache, rope_tables
from audio_interaction_ros.model.shapes import DecoderConfig

ort = pytest.importorskip('onnxruntime')
pytestmark = pytest.mark.torch

SHAPES = {
    'llama': DecoderConfig(layers=2, width=64, mlp_width=128, heads=4, kv_heads=2, head_dim=16,
                           vocab_size=40, tied_head=True),
    'qwen2': DecoderConfig(layers=2, width=64, mlp_width=64, heads=8, kv_heads=1, head_dim=16,
                           vocab_size=40, attention_bias=True),
}
SLOTS, TIME = 13, 3
UNSEEN = np.float32(-3e4)


@pytest.fixture(params=sorted(SHAPES))
def decoder(request):
    torch.manual_seed(1)
    decoder = Decoder(SHAPES[request.param]).eval()
    for parameter in decoder.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return decoder


def arrays(decoder):
    return {key: value.numpy() for key, value in decoder.state_dict().items()}


def run(builder, feeds):
    session = ort.InferenceSession(builder.finish().SerializeToString(),
                                   providers=['CPUExecutionProvider'])
    return dict(zip((output.name for output in session.get_outputs()),
                    session.run(None, feeds), strict=True))


def pass_of(config, seed=0):
    """Return a pass of two rows that write at places of their own, over a ring out of order."""
    rng = np.random.default_rng(seed)
    write_at = np.array([2, SLOTS - TIME])
    past = np.zeros((2, SLOTS), bool)
    past[0, 6:11] = past[1, [0, 1, 3, 9]] = True
    mask = np.repeat(past[:, None, None], TIME, axis=2)
    for row, first in enumerate(write_at):
        mask[row, 0, :, first:first + TIME] = np.tri(TIME, dtype=bool)
    cos, sin = rope_tables(np.arange(TIME) + np.array([[70], [5_000_000]]), config.head_dim,
                           config.rope_base)
    shape = (2, config.kv_heads, SLOTS, config.head_dim)
    caches = {name: rng.standard_normal(shape, dtype=np.float32)
              for names in cache_names(config.layers) for name in names}
    x = rng.standard_normal((2, TIME, config.width), dtype=np.float32)
    return x, cos.numpy(), sin.numpy(), write_at, mask, caches


def static_feeds(config, dtype=np.float32):
    x, cos, sin, write_at, mask, caches = pass_of(config)
    half = config.head_dim // 2
    return {'embeddings': x, 'cos': cos[..., :half], 'sin': sin[..., :half], 'write_at': write_at,
            'mask': np.where(mask, 0, UNSEEN).astype(dtype),
            **{name: cache.astype(dtype) for name, cache in caches.items()}}


def delta_feeds(config, dtype=np.float32):
    x, cos, sin, write_at, mask, caches = pass_of(config)
    past = mask[:, :, :1].copy()
    for row, first in enumerate(write_at):
        past[row, ..., first:first + TIME] = False
    return {'embeddings': x, 'cos': cos, 'sin': sin, 'past_mask': np.where(past, 0, UNSEEN),
            'new_mask': np.tile(np.where(np.tri(TIME, dtype=bool), 0, UNSEEN),
                                (config.heads // config.kv_heads, 1))[None, None],
            **{name: cache.astype(dtype) for name, cache in caches.items()}}


def expected_of(decoder):
    config = decoder.config
    x, cos, sin, write_at, mask, caches = pass_of(config)
    cache = KVCache(config, lanes=2, slots=SLOTS)
    for layer, names in enumerate(cache_names(config.layers)):
        for name, held in zip(names, (cache.keys, cache.values), strict=True):
            held[layer, :, :, :SLOTS] = torch.from_numpy(caches[name])
    with torch.inference_mode():
        hidden = decoder(torch.from_numpy(x), torch.from_numpy(cos), torch.from_numpy(sin),
                         cache=cache, mask=torch.from_numpy(mask),
                         slots=torch.from_numpy(write_at[:, None] + np.arange(TIME))).numpy()
    return hidden, cache


def test_it_computes_and_writes_what_torch_does(decoder):
    config = decoder.config
    found = run(static_step(config, arrays(decoder)), static_feeds(config))
    hidden, cache = expected_of(decoder)
    np.testing.assert_allclose(found['hidden'], hidden, atol=2e-5)
    for layer, names in enumerate(written_names(config.layers)):
        for name, held in zip(names, (cache.keys, cache.values), strict=True):
            np.testing.assert_allclose(found[name], held[layer, :, :, :SLOTS], atol=2e-5)


def test_both_forms_agree_and_the_rest_of_the_cache_is_untouched(decoder):
    config = decoder.config
    static = run(static_step(config, arrays(decoder)), static_feeds(config))
    delta = run(decoder_step(config, arrays(decoder)), delta_feeds(config))
    np.testing.assert_allclose(static['hidden'], delta['hidden'], atol=2e-5)
    *_, write_at, _, caches = pass_of(config)
    for past, new, written in zip(cache_names(config.layers), new_names(config.layers),
                                  written_names(config.layers), strict=True):
        for before, only_new, after in zip(past, new, written, strict=True):
            for row, first in enumerate(write_at):
                here = slice(first, first + TIME)
                np.testing.assert_allclose(static[after][row, :, here], delta[only_new][row],
                                           atol=2e-5)
                rest = np.delete(np.arange(SLOTS), here)
                np.testing.assert_array_equal(static[after][row][:, rest],
                                              caches[before][row][:, rest])


@pytest.mark.parametrize(('form', 'feeds'), [(static_step, static_feeds),
                                             (decoder_step, delta_feeds)])
def test_half_precision_stays_near(decoder, form, feeds):
    config = decoder.config
    found = run(form(config, arrays(decoder), half=True), feeds(config, np.float16))
    hidden, _ = expected_of(decoder)
    assert found['hidden'].dtype == np.float32
    np.testing.assert_allclose(found['hidden'], hidden, atol=0.03)
    assert np.abs(found['hidden'] - hidden).max() > 0


def test_the_head_in_half_precision_stays_near(decoder):
    hidden = np.random.default_rng(0).standard_normal((3, decoder.config.width)).astype(np.float32)
    full, half = (run(vocabulary_head(decoder.config, arrays(decoder), half=which),
                      {'hidden': hidden})['logits'] for which in (False, True))
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, full, atol=0.02)


def test_four_bits_stay_near(decoder):
    config = decoder.config
    found = run(static_step(config, arrays(decoder), bits=4, half=True),
                static_feeds(config, np.float16))['hidden'].ravel()
    expected = expected_of(decoder)[0].ravel()
    assert found @ expected / np.linalg.norm(found) / np.linalg.norm(expected) > 0.95


def test_codes_of_columns_stand_for_their_weights():
    weight = np.random.default_rng(0).standard_normal((6, 128), dtype=np.float32)
    weight[2] = 0
    codes, scales = quantise_columns(weight)
    assert codes.shape == (128, 6) and scales.shape == (2, 6)
    back = (codes.reshape(2, 64, 6) * scales[:, None]).reshape(128, 6).T
    assert np.abs(back - weight).max() <= 0.51 * np.abs(scales).max()
    furthest = np.abs(weight).argmax(axis=1)
    np.testing.assert_allclose(back[range(6), furthest], weight[range(6), furthest], rtol=1e-5)


def test_a_width_that_blocks_do_not_divide_is_refused():
    with pytest.raises(ValueError, match='multiple of 64 inputs, found 96'):
        quantise_columns(np.zeros((2, 96), np.float32))


def test_it_is_valid_onnx_with_an_operator_for_each_part(decoder, tmp_path):
    builder = static_step(decoder.config, arrays(decoder), bits=4, half=True)
    builder.save(tmp_path / 'step.onnx')
    onnx.checker.check_model(tmp_path / 'step.onnx', full_check=True)
    model = onnx.load(tmp_path / 'step.onnx')
    counts = {op: sum(node.op_type == op for node in model.graph.node)
              for op in ('TensorScatter', 'Attention', 'RotaryEmbedding', 'RMSNormalization')}
    assert counts == {'TensorScatter': 4, 'Attention': 2, 'RotaryEmbedding': 4,
                      'RMSNormalization': 5}
    assert {node.domain for node in model.graph.node} == {''}
    codes = next(onnx.numpy_helper.to_array(tensor, str(tmp_path))
                 for tensor in model.graph.initializer if tensor.name.endswith('o_proj.codes'))
    weight = arrays(decoder)['model.layers.0.self_attn.o_proj.weight']
    assert codes.dtype == ml_dtypes.int4
    np.testing.assert_array_equal(codes.astype(np.int8), quantise_columns(weight)[0])
