"""
Weight files that are damaged or something else: tensors, or an error that names the file.

None of them runs anything, never comes to an end, or takes memory that the file does not have.
"""

import contextlib
import io
import json
import os
import resource
import struct

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save

from audio_interaction_ros.checkpoints.ctranslate2_file import read_ctranslate2
from audio_interaction_ros.checkpoints.gguf_file import llama_tensors, llama_tokenizer
from audio_interaction_ros.checkpoints.layout import load_tensors
from audio_interaction_ros.checkpoints.onnx_file import yamnet_tensors
from audio_interaction_ros.checkpoints.released import _unpickle
from audio_interaction_ros.errors import CheckpointError

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
    writer.add_tokenizer_pre('smollm')
    writer.add_token_list(['<end>', 'a', 'b', 'ab'])
    writer.add_token_types([3, 1, 1, 1])
    writer.add_token_merges(['a b'])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return (folder / 'a.gguf').read_bytes()


NAMES = st.sampled_from(['x', 'w', 'b', 'y', ''])
WEIGHTS = (np.zeros((2, 1, 1, 1), np.float32), np.zeros(2, np.float32), np.zeros(0, np.int8),
           np.zeros(2, np.complex64), np.array(['text'], object))


def onnx_file(nodes, weights):
    """Return a graph; each node is (kind, names of inputs, names of outputs)."""
    return helper.make_model(helper.make_graph(
        [helper.make_node(*node) for node in nodes], 'g',
        [helper.make_tensor_value_info('x', TensorProto.FLOAT, [1, 1, 2, 2])], [],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )).SerializeToString()


ONNX = onnx_file([('Conv', ['x', 'w', 'b'], ['y'])], {'w': WEIGHTS[0], 'b': WEIGHTS[1]})
GRAPHS = st.builds(
    onnx_file, st.lists(st.tuples(
        st.sampled_from(['Conv', 'QuantizeLinear', 'DequantizeLinear']),
        st.lists(NAMES, max_size=3), st.lists(NAMES, max_size=2)), max_size=5),
    st.dictionaries(NAMES, st.sampled_from(WEIGHTS), max_size=3))
CIRCLE = onnx_file([('QuantizeLinear', ['x'], ['b']), ('DequantizeLinear', ['b'], ['x']),
                    ('Conv', ['y', 'x'], ['w'])], {})

SIZES = st.one_of(st.integers(0, 4), st.sampled_from([2 ** 31, 2 ** 62, 2 ** 64, -1]))
TYPES = st.sampled_from(['F32', 'F16', 'BF16', 'I64', 'U16', 'BOOL', 'C64', 'F8_E4M3', 'F8_E8M0',
                         'F4', 'F6_E2M3', 'f32', ''])
HEADS = st.dictionaries(st.sampled_from(['a', 'b', '__metadata__', '']), st.fixed_dictionaries({
    'dtype': TYPES, 'shape': st.lists(SIZES, max_size=3),
    'data_offsets': st.lists(SIZES, min_size=1, max_size=3)}), max_size=3)


def safetensors_file(head, data):
    text = json.dumps(head).encode()
    return struct.pack('<Q', len(text)) + text + data


class Command:
    """Makes the folder 'ran' where it is unpickled."""

    def __reduce__(self):
        return os.mkdir, ('ran',)


def torch_file(values, **options):
    file = io.BytesIO()
    torch.save(values, file, **options)
    return file.getvalue()


TORCH = torch_file({'a': torch.zeros(2, 3), 'b': torch.zeros(4)})
LEGACY = torch_file({'a': torch.zeros(2, 3)}, _use_new_zipfile_serialization=False)
VALUES = st.recursive(
    st.one_of(st.none(), st.integers(), st.text(max_size=4), st.builds(Command),
              st.sampled_from([torch.zeros(2), torch.zeros(1).expand(2 ** 40),
                               torch.zeros(2 ** 40, device='meta'), torch.nn.Linear(1, 1)])),
    lambda inner: st.one_of(st.lists(inner, max_size=2), st.dictionaries(
        st.one_of(st.sampled_from(['model', 'a']), st.integers(0, 2)), inner, max_size=3)),
    max_leaves=5)


@pytest.fixture(scope='module', autouse=True)
def bounded():
    """Let no file take a gigabyte; with four more a test fails before the machine is full."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with open('/proc/self/statm', encoding='ascii') as file:
        used = int(file.read().split()[0]) * resource.getpagesize()
    peak_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    resource.setrlimit(resource.RLIMIT_AS, (used + (4 << 30), before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_kb < 1 << 20


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
    for name, value in tensors.items():
        assert isinstance(name, str)
        assert np.prod(value.shape, dtype=float) <= 8 * len(data)


@pytest.mark.share(1)
@given(data=damage(whisper_file()))
def test_any_ctranslate2_file_is_read_or_named(folder, data):
    reads(lambda path: read_ctranslate2(path.read_bytes()), folder / 'model.bin', data)


ENDLESS = (b'GGUF' + struct.pack('<IQQ', 3, 0, 1) + struct.pack('<Q', 1) + b'a'
           + struct.pack('<IIQ', 9, 4, 2 ** 40))  # a list of so many numbers, and there it ends


@pytest.mark.share(1)
@given(draw=st.data())
def test_any_gguf_is_read_or_named(folder, draw):
    data = draw.draw(damage(gguf_file(folder)))
    reads(llama_tensors, folder / 'damaged.gguf', data)
    with contextlib.suppress(CheckpointError):
        llama_tokenizer(folder / 'damaged.gguf')


@pytest.mark.share(1)
@given(data=st.one_of(damage(ONNX), GRAPHS))
@example(data=CIRCLE)
@example(data=onnx_file([('QuantizeLinear', [], [])], {}))
def test_any_onnx_file_is_read_or_named(folder, data):
    reads(yamnet_tensors, folder / 'model.onnx', data)


@pytest.mark.share(1)
@given(data=st.one_of(
    damage(save({'a': np.zeros((2, 3), np.float32), 'b': np.zeros(4, np.float16)})),
    st.builds(safetensors_file, HEADS, st.binary(max_size=64))))
def test_any_safetensors_file_is_read_or_named(folder, data):
    reads(lambda path: load_tensors([path]), folder / 'model.safetensors', data)


@pytest.mark.share(1)
@given(data=st.one_of(damage(TORCH), damage(LEGACY), st.builds(torch_file, VALUES)))
@example(data=torch_file({1: torch.zeros(2)}))
@example(data=torch_file({'a': torch.zeros(1).expand(2 ** 40)}))
@example(data=torch_file({'a': torch.zeros(2 ** 40, device='meta')}))
@example(data=torch_file(Command()))
def test_any_torch_file_is_read_or_named_and_runs_nothing(folder, data):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        reads(_unpickle, folder / 'model.pth', data)
    assert not (folder / 'ran').exists()


def test_the_files_that_are_damaged_here_are_read_when_whole(folder):
    gguf = folder / 'whole.gguf'
    gguf.write_bytes(gguf_file(folder))
    assert len(llama_tensors(gguf)) == 3
    assert llama_tokenizer(gguf).encode('ab').ids == [3]
    assert len(read_ctranslate2(whisper_file())) == 7
    for data, read in ((ONNX, yamnet_tensors), (TORCH, _unpickle), (LEGACY, _unpickle)):
        (folder / 'whole').write_bytes(data)
        assert read(folder / 'whole')


def test_a_gguf_with_a_list_that_does_not_end_is_refused(folder):
    (folder / 'endless.gguf').write_bytes(ENDLESS)
    with pytest.raises(CheckpointError, match='ends before'):
        llama_tensors(folder / 'endless.gguf')


def test_a_gguf_with_a_merge_of_unknown_tokens_is_refused(folder):
    (folder / 'merge.gguf').write_bytes(gguf_file(folder).replace(b'a b', b'a c'))
    with pytest.raises(CheckpointError, match='merges'):
        llama_tokenizer(folder / 'merge.gguf')
