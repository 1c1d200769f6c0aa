"""
Moonshine made small: two graphs with the inputs and outputs of the real ones, and a tokenizer.

The decoder says the word that stands in a table behind the last id; how loud the audio is decides
the first one. Its cache holds only how many ids there were.
"""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer, models

PIECES = ['<unk>', '<s>', '</s>', '▁turn', '▁on', '▁off', '▁the', '▁la', 'mp', '.', '<0xE2>',
          '<0x82>', '<0xAC>']
QUIET = {1: 3, 3: 4, 4: 6, 6: 7, 7: 8, 8: 9, 9: 2}
"""What follows an id where the audio is soft; where it is loud, ▁off follows ▁turn."""
HEADS, DIM = 2, 4


def _value(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def _save(path, nodes, inputs, outputs, constants):
    graph = helper.make_graph(nodes, 'small', inputs, outputs, [
        numpy_helper.from_array(value, name) for name, value in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, path)


def make_folder(folder):
    """Write the three files that a user puts together."""
    folder.mkdir(parents=True, exist_ok=True)
    _save(folder / 'encoder_model.onnx',
          [helper.make_node('ReduceMax', ['input_values'], ['loudest'], axes=[1], keepdims=1),
           helper.make_node('Unsqueeze', ['loudest', 'last'], ['last_hidden_state'])],
          [_value('input_values', ('B', 'N'))], [_value('last_hidden_state', ('B', 1, 1))],
          {'last': np.array([2], np.int64)})
    quiet = np.zeros((len(PIECES), len(PIECES)), np.float32)
    loud = np.zeros_like(quiet)
    for before, after in QUIET.items():
        quiet[before, after] = 9.0
        loud[before, 5 if before == 3 else 6 if before == 5 else after] = 9.0
    loud[5] = 0.0
    loud[5, 6] = 9.0
    names = [f'0.{side}.{which}' for side in ('decoder', 'encoder') for which in ('key', 'value')]
    _save(folder / 'decoder_model_merged.onnx', [
        helper.make_node('Gather', ['quiet', 'input_ids'], ['soft'], axis=0),
        helper.make_node('Gather', ['difference', 'input_ids'], ['more'], axis=0),
        helper.make_node('Greater', ['encoder_hidden_states', 'half'], ['is_loud']),
        helper.make_node('Cast', ['is_loud'], ['share'], to=TensorProto.FLOAT),
        helper.make_node('Mul', ['more', 'share'], ['added']),
        helper.make_node('Add', ['soft', 'added'], ['logits']),
        helper.make_node('Cast', ['use_cache_branch'], ['goes_on'], to=TensorProto.FLOAT),
        *(helper.make_node('Add', ['ones', 'goes_on'], [f'present.{name}']) for name in names)],
        [_value('input_ids', ('B', 'T'), TensorProto.INT64),
         _value('encoder_hidden_states', ('B', 1, 1)),
         _value('use_cache_branch', (1,), TensorProto.BOOL),
         *(_value(f'past_key_values.{name}', ('B', HEADS, 'P', DIM)) for name in names)],
        [_value('logits', ('B', 'T', len(PIECES))),
         *(_value(f'present.{name}', ('B', HEADS, 'Q', DIM)) for name in names)],
        {'quiet': quiet, 'difference': loud - quiet, 'half': np.array(0.5, np.float32),
         'ones': np.ones((1, HEADS, 1, DIM), np.float32)})
    Tokenizer(models.WordLevel({piece: place for place, piece in enumerate(PIECES)},
                               unk_token='<unk>')).save(str(folder / 'tokenizer.json'))
    return folder
