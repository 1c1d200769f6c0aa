"""The builder's operators and files, run by ONNX Runtime against numpy."""

import math

import numpy as np
import onnx
import pytest

from audio_interaction_ros.graphs.builder import GraphBuilder
from audio_interaction_ros.graphs.quantise import BLOCKS, dequantise, quantise, quantise_rows

ort = pytest.importorskip('onnxruntime')
pytestmark = pytest.mark.unit

RNG = np.random.default_rng(3)


def normal(*shape):
    return RNG.standard_normal(shape).astype(np.float32)


def run(model, **inputs):
    source = str(model) if not isinstance(model, onnx.ModelProto) else model.SerializeToString()
    return ort.InferenceSession(source, providers=['CPUExecutionProvider']).run(None, inputs)[0]


def graph(make, *, bits=None, width=48):
    builder = GraphBuilder('test', bits=bits)
    x = builder.input('x', np.float32, ('batch', 'time', width))
    builder.output(builder.rename(make(builder, x), 'y'), np.float32, ('batch', 'time', None))
    return builder


def test_a_linear_layer_is_a_product_with_the_transposed_weight_and_a_bias():
    weight, bias, x = normal(7, 48), normal(7), normal(2, 3, 48)
    model = graph(lambda b, x: b.linear(x, weight, bias, name='one')).finish()
    np.testing.assert_allclose(run(model, x=x), x @ weight.T + bias, atol=1e-5)


def test_stacked_weights_give_their_results_side_by_side():
    first, second, x = normal(7, 48), normal(5, 48), normal(2, 3, 48)
    model = graph(lambda b, x: b.linear(x, (first, second), name='both')).finish()
    expected = np.concatenate((x @ first.T, x @ second.T), axis=-1)
    np.testing.assert_allclose(run(model, x=x), expected, atol=1e-5)


def test_norms_follow_their_definition():
    weight, bias, x = normal(48), normal(48), normal(2, 3, 48) + 1
    model = graph(lambda b, x: b.layer_norm(x, weight, bias, 1e-3, name='norm')).finish()
    centred = x - x.mean(-1, keepdims=True)
    expected = centred / np.sqrt((centred ** 2).mean(-1, keepdims=True) + 1e-3) * weight + bias
    np.testing.assert_allclose(run(model, x=x), expected, atol=1e-5)
    model = graph(lambda b, x: b.rms_norm(x, weight, 1e-3, name='norm')).finish()
    expected = x / np.sqrt((x ** 2).mean(-1, keepdims=True) + 1e-3) * weight
    np.testing.assert_allclose(run(model, x=x), expected, atol=1e-5)


def test_gelu_and_silu_follow_their_definition():
    x = normal(2, 3, 48) * 3
    expected = x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))
    np.testing.assert_allclose(run(graph(GraphBuilder.gelu).finish(), x=x), expected, atol=1e-5)
    np.testing.assert_allclose(run(graph(GraphBuilder.silu).finish(), x=x),
                               x / (1 + np.exp(-x)), atol=1e-5)


def test_a_node_with_several_outputs_names_them_all():
    def halves(builder, x):
        first, second = builder.node('Split', x, outputs=2, axis=-1, num_outputs=2)
        return builder.node('Sub', second, first)

    x = normal(1, 2, 48)
    np.testing.assert_array_equal(run(graph(halves).finish(), x=x), x[..., 24:] - x[..., :24])


def test_a_name_is_given_once_and_equal_scalars_are_one():
    builder = GraphBuilder('test')
    assert builder.scalar(2.0) == builder.scalar(2.0) != builder.scalar([2.0])
    builder.constant('weight', normal(2))
    with pytest.raises(ValueError, match="'weight' twice"):
        builder.constant('weight', normal(2))


@pytest.mark.parametrize('bits', [None, 8, 4])
def test_a_saved_graph_computes_the_same_and_keeps_its_metadata(tmp_path, bits):
    weight, bias, x = normal(96, 48), normal(96), normal(2, 3, 48)
    builder = graph(lambda b, x: b.linear(x, weight, bias, name='one'), bits=bits)
    builder.save(tmp_path / 'graph.onnx', metadata={'precision': 'any'})
    model = onnx.load(tmp_path / 'graph.onnx', load_external_data=False)
    assert {p.key: p.value for p in model.metadata_props} == {'precision': 'any'}
    assert (tmp_path / 'graph.onnx').stat().st_size < 3000
    np.testing.assert_array_equal(run(tmp_path / 'graph.onnx', x=x),
                                  run(builder.finish(), x=x))
    if bits is None:
        onnx.checker.check_model(tmp_path / 'graph.onnx', full_check=True)


@pytest.mark.parametrize(('bits', 'step'), [(8, 1 / 128), (4, 1 / 8)])
@pytest.mark.parametrize('columns', [128, 40])  # whole blocks, and one that is filled up
def test_a_quantised_weight_is_off_by_one_step_at_most(bits, step, columns):
    weight = normal(5, columns)
    weight[1] = 0
    codes, scales = quantise(weight, bits)
    found = dequantise(codes, scales, bits, columns)
    for start in range(0, columns, BLOCKS[bits]):
        block = slice(start, start + BLOCKS[bits])
        largest = np.abs(weight[:, block]).max(axis=1, keepdims=True)
        assert np.all(np.abs(found - weight)[:, block] <= step * largest + 1e-7)
        furthest = np.abs(weight[:, block]).argmax(axis=1)[:, None]
        np.testing.assert_allclose(np.take_along_axis(found[:, block], furthest, 1),
                                   np.take_along_axis(weight[:, block], furthest, 1), rtol=1e-6)


@pytest.mark.parametrize('bits', [8, 4])
@pytest.mark.parametrize('columns', [128, 96, 48])
def test_the_runtime_reads_quantised_weights_as_we_do(bits, columns):
    weight, x = normal(40, columns), normal(2, 3, columns)
    model = graph(lambda b, x: b.linear(x, weight, name='one'), bits=bits, width=columns).finish()
    expected = x @ dequantise(*quantise(weight, bits), bits, columns).T
    # The runtime rounds x to 8 bits per block.
    np.testing.assert_allclose(run(model, x=x), expected, atol=0.3)
    exact = np.sign(x) * 127  # which that rounding leaves alone
    np.testing.assert_allclose(run(model, x=exact),
                               exact @ dequantise(*quantise(weight, bits), bits, columns).T,
                               rtol=1e-4, atol=0.05)


def test_other_numbers_of_bits_are_refused():
    with pytest.raises(ValueError, match='4 or 8'):
        quantise(normal(2, 32), 3)


def test_a_product_of_integers_is_near_whatever_the_length_of_a_position():
    weights, bias = (normal(7, 48), 9 * normal(5, 48)), normal(12)
    x = normal(2, 3, 48) * np.array([0.01, 1, 100], np.float32)[:, None]
    x[1, 2] = 0
    model = graph(lambda b, x: b.integer_linear(x, weights, bias, name='one')).finish()
    found, expected = run(model, x=x) - bias, x @ np.concatenate(weights).T
    assert (found[1, 2] == 0).all()
    lengths = np.linalg.norm(expected, axis=-1, keepdims=True)
    assert np.abs((found - expected) / np.where(lengths, lengths, 1)).max() < 0.03


def test_codes_of_rows_have_seven_bits_and_stand_for_the_weight():
    weight = normal(6, 40) * np.float32([[1e-3], [1], [1e3], [1], [1], [0]])
    codes, scales = quantise_rows(weight)
    assert codes.dtype == np.int8 and np.abs(codes).max() == 63
    assert (np.abs(codes * scales[:, None] - weight) <= scales[:, None] * 0.5001).all()
    assert (codes[5] == 0).all()


def test_a_weight_that_lies_in_another_file_is_read_from_there(tmp_path):
    table = normal(300, 8)
    np.save(tmp_path / 'table.npy', table)
    builder = GraphBuilder('shared')
    x = builder.input('x', np.float32, (1, 8))
    weight = builder.constant('table', table, place=('table.npy', 128))
    builder.output(builder.rename(builder.node('Gemm', x, weight, transB=1), 'y'), np.float32,
                   (1, 300))
    builder.save(tmp_path / 'graph.onnx')
    assert sorted(path.name for path in tmp_path.iterdir()) == ['graph.onnx', 'table.npy']
    x = normal(1, 8)
    found = run(tmp_path / 'graph.onnx', x=x)
    np.testing.assert_allclose(found, x @ table.T, rtol=1e-5)
