"""
A streaming zipformer transducer made small: it says a word while it hears a tone.

Files, metadata and states are those that sherpa-onnx expects of ``zipformer2``; the net itself
only looks where in the spectrum the energy is.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

TOKENS = ('<blk>', '<sos/eos>', '<unk>', '▁go', '▁sto', 'p', '▁left')
TONES_HZ = {3: 400.0, 4: 900.0, 5: 1_700.0, 6: 3_000.0}
"""What is heard as which token."""
BINS, CHUNK, PADDED = 80, 32, 45
FACTS = {
    'model_type': 'zipformer2', 'version': '1', 'model_author': 'test', 'comment': 'streaming',
    'decode_chunk_len': str(CHUNK), 'T': str(PADDED), 'num_encoder_layers': '1',
    'encoder_dims': '8', 'cnn_module_kernels': '3', 'left_context_len': '4',
    'query_head_dims': '4', 'value_head_dims': '4', 'num_heads': '1'}
STATES = {  # name without and with new_: shape, N second where sherpa has it second
    'cached_key_0': (4, 'N', 4), 'cached_nonlin_attn_0': (1, 'N', 4, 6),
    'cached_val1_0': (4, 'N', 4), 'cached_val2_0': (4, 'N', 4), 'cached_conv1_0': ('N', 8, 1),
    'cached_conv2_0': ('N', 8, 1), 'embed_states': ('N', 128, 3, 19)}


def _number(name, values):
    return numpy_helper.from_array(np.asarray(values), name)


def _save(path, nodes, inputs, outputs, constants, facts=None):
    graph = helper.make_graph(nodes, 'small', inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
    for key, value in (facts or {}).items():
        entry = model.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def mel_bin(hertz):
    """Return which of 80 bins from 20 to 7,600 Hz holds a tone."""
    def mel(f):
        return 1127.0 * np.log(1.0 + f / 700.0)
    return int((mel(hertz) - mel(20.0)) / (mel(7_600.0) - mel(20.0)) * (BINS + 1) - 0.5)


def make_encoder(path, facts=FACTS):
    """Frames of 40 ms; a token's score is the energy at its tone above what silence has."""
    weights = np.zeros((BINS, len(TOKENS)), np.float32)
    for token, hertz in TONES_HZ.items():
        weights[mel_bin(hertz) - 1:mel_bin(hertz) + 2, token] = 1.0
    bias = np.full(len(TOKENS), 15.0, np.float32)
    bias[:3] = [0.0, -50.0, -50.0]
    nodes = [
        helper.make_node('Slice', ['x', 'zero', 'chunk', 'one'], ['heard']),
        helper.make_node('Reshape', ['heard', 'grouped_shape'], ['grouped']),
        helper.make_node('ReduceMean', ['grouped'], ['frames'], axes=[2], keepdims=0),
        helper.make_node('MatMul', ['frames', 'weights'], ['energies']),
        helper.make_node('Add', ['energies', 'bias'], ['encoder_out']),
        helper.make_node('Add', ['processed_lens', 'frames_each'], ['new_processed_lens']),
        *(helper.make_node('Identity', [name], [f'new_{name}']) for name in STATES)]
    _save(path, nodes,
          [_value('x', ('N', PADDED, BINS)), *(_value(*item) for item in STATES.items()),
           _value('processed_lens', ('N',), TensorProto.INT64)],
          [_value('encoder_out', ('N', CHUNK // 4, len(TOKENS))),
           *(_value(f'new_{name}', shape) for name, shape in STATES.items()),
           _value('new_processed_lens', ('N',), TensorProto.INT64)],
          [_number('zero', np.array([0], np.int64)), _number('chunk', np.array([CHUNK], np.int64)),
           _number('one', np.array([1], np.int64)),
           _number('grouped_shape', np.array([0, CHUNK // 4, 4, BINS], np.int64)),
           _number('weights', weights), _number('bias', bias),
           _number('frames_each', np.array([CHUNK // 4], np.int64))], facts)


def make_decoder(path):
    """What was said last is not said again."""
    table = np.zeros((len(TOKENS), len(TOKENS)), np.float32)
    table[range(3, len(TOKENS)), range(3, len(TOKENS))] = -1_000.0
    nodes = [helper.make_node('Gather', ['y', 'last'], ['id'], axis=1),
             helper.make_node('Gather', ['table', 'id'], ['decoder_out'], axis=0)]
    _save(path, nodes, [_value('y', ('N', 2), TensorProto.INT64)],
          [_value('decoder_out', ('N', len(TOKENS)))],
          [_number('last', np.array(1, np.int64)), _number('table', table)],
          {'context_size': '2', 'vocab_size': str(len(TOKENS))})


def make_joiner(path):
    """The sum of both."""
    _save(path, [helper.make_node('Add', ['encoder_out', 'decoder_out'], ['logit'])],
          [_value(name, ('N', len(TOKENS))) for name in ('encoder_out', 'decoder_out')],
          [_value('logit', ('N', len(TOKENS)))], [], {'joiner_dim': str(len(TOKENS))})


def make_folder(folder, facts=FACTS, vocabulary=True):
    """Write a folder as sherpa-onnx's own downloads are."""
    folder.mkdir(parents=True, exist_ok=True)
    make_encoder(folder / 'encoder-epoch-1-chunk-16.onnx', facts)
    make_decoder(folder / 'decoder-epoch-1-chunk-16.onnx')
    make_joiner(folder / 'joiner-epoch-1-chunk-16.onnx')
    (folder / 'tokens.txt').write_text(''.join(
        f'{token} {place}\n' for place, token in enumerate(TOKENS)), encoding='utf-8')
    if vocabulary:
        (folder / 'bpe.vocab').write_text(''.join(
            f'{token}\t-{place}\n' for place, token in enumerate(TOKENS)), encoding='utf-8')
    return folder


def tones(*hertz, seconds=0.5, pause=0.0):
    """Return float32 at 16 kHz: one tone after the other, 0 is silence."""
    at = np.arange(round(seconds * 16_000)) / 16_000
    pieces = [0.3 * np.sin(2 * np.pi * each * at) if each else np.zeros(len(at)) for each in hertz]
    silent = np.zeros(round(pause * 16_000))
    return np.concatenate([part for piece in pieces for part in (piece, silent)]).astype(
        np.float32)
