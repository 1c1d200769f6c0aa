"""Weight files that are damaged or something else: tensors, or an error that names the file."""

import io
import struct

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save

from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.model.ctranslate2_file import read_ctranslate2
from audio_interaction_ros.model.gguf_file import llama_tensors
from audio_interaction_ros.model.layout import load_tensors
from audio_interaction_ros.model.onnx_file import yamnet_tensors
from audio_interaction_ros.model.released import _unpickle

pytestmark = pytest.mark.torch

EDITS = st.lists(st.tuples(st.one_of(st.integers(0, 120), st.integers(0, 1_200)),
                           st.integers(0, 4), st.binary(max_size=4)), max_size=4)


def damaged(data, edits, length):
    data = bytearray(data)
    for at, gone, more in edits:
        data[at:at + gone] = more
    return bytes(data[:length])


def damage(data):
    return st.one_of(st.builds(damaged, st.just(data), EDITS,
                               st.one_of(st.none(), st.integers(0, len(data)))),
                     st.binary(max_size=100))


def text(word):
    return struct.pack('<H', len(word) + 1) + word.encode() + b'\0'


def whisper_file():
    parts = [struct.pack('<I', 6), text('WhisperSpec'), struct.pack('<I', 3)]
    names = ('encoder/conv1/weight', 'encoder/layer_norm/gamma',
             'decoder/layer_0/self_attention/linear_0/weight',
             'decoder/layer_0/ffn/layer_norm/beta', 'decoder/embeddings/weight')
    parts.append(struct.pack('<I', len(names)))
    for name in names:
        value = np.zeros((3, 2), np.float16)
        parts.append(text(name) + struct.pack('<BIIBI', 2, 3, 2, 4, value.nbytes)
                     + value.tobytes())
    return b''.join([*parts, struct.pack('<I', 0)])


def gguf_file(folder):
    from gguf import GGUFWriter
    writer = GGUFWriter(folder / 'a.gguf', 'llama')
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    for name in ('token_embd.weight', 'blk.0.attn_q.weight', 'blk.0.attn_norm.weight'):
        writer.add_tensor(name, np.zeros((4, 32), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return (folder / 'a.gguf').read_bytes()


def onnx_file():
    weight = numpy_helper.from_array(np.zeros((2, 1, 1, 1), np.float32), 'w')
    bias = numpy_helper.from_array(np.zeros(2, np.float32), 'b')
    graph = helper.make_graph(
        [helper.make_node('Conv', ['x', 'w', 'b'], ['y'])], 'g',
        [helper.make_tensor_value_info('x', TensorProto.FLOAT, [1, 1, 2, 2])],
        [helper.make_tensor_value_info('y', TensorProto.FLOAT, [1, 2, 2, 2])], [weight, bias])
    return helper.make_model(graph).SerializeToString()


def torch_file():
    file = io.BytesIO()
    torch.save({'a': torch.zeros(2, 3), 'b': torch.zeros(4)}, file)
    return file.getvalue()


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp('weights')


def reads(read, path, data):
    """Hold that a reader returns tensors or raises CheckpointError."""
    path.write_bytes(data)
    try:
        tensors = read(path)
    except CheckpointError:
        return
    assert all(hasattr(value, 'shape') for value in tensors.values())


@pytest.mark.share(1)
@given(data=damage(whisper_file()))
def test_any_ctranslate2_file_is_read_or_named(folder, data):
    reads(lambda path: read_ctranslate2(path.read_bytes()), folder / 'model.bin', data)


@pytest.mark.share(1)
@given(draw=st.data())
def test_any_gguf_is_read_or_named(folder, draw):
    data = draw.draw(damage(gguf_file(folder)))
    reads(llama_tensors, folder / 'damaged.gguf', data)


@pytest.mark.share(1)
@given(data=damage(onnx_file()))
def test_any_onnx_file_is_read_or_named(folder, data):
    reads(yamnet_tensors, folder / 'model.onnx', data)


@pytest.mark.share(1)
@given(data=damage(save({'a': np.zeros((2, 3), np.float32), 'b': np.zeros(4, np.float16)})))
def test_any_safetensors_file_is_read_or_named(folder, data):
    reads(lambda path: load_tensors([path]), folder / 'model.safetensors', data)


@pytest.mark.share(1)
@given(data=damage(torch_file()))
def test_any_torch_file_is_read_or_named(folder, data):
    reads(_unpickle, folder / 'model.pth', data)
