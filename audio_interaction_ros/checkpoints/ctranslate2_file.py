"""
Reader of the CTranslate2 binary format (version 6) for Whisper models.

Owns the layout of that file and the names inside it. Returns the tensor names of transformers'
WhisperModel without the ``model.`` in front. Format: a header, then per variable its name, shape,
type and bytes, then aliases; fused projections are split here.
"""

import struct

import numpy as np

from audio_interaction_ros.errors import CheckpointError

__all__ = ['read_ctranslate2', 'read_variables']

DTYPES = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
NORMS = {'gamma': 'weight', 'beta': 'bias'}


class Cursor:
    """Reads little-endian fields one after the other."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take_bytes(self, count: int) -> bytes:
        piece = self.data[self.at:self.at + count]
        if len(piece) != count:
            raise CheckpointError(f'model.bin ends early: expected {count} bytes at {self.at}, '
                                  f'found {len(piece)}; fetch the weights again')
        self.at += count
        return piece

    def read_number(self, form: str) -> int:
        return struct.unpack('<' + form, self.take_bytes(struct.calcsize('<' + form)))[0]

    def read_text(self) -> str:
        return self.take_bytes(
            self.read_number('H'))[:-1].decode()  # the length counts a closing NUL


def read_variables(data: bytes) -> dict[str, np.ndarray]:
    """Return every variable under its own name; CheckpointError when this is another format."""
    cursor = Cursor(data)
    version, spec = cursor.read_number('I'), cursor.read_text()
    if version != 6 or spec != 'WhisperSpec':
        raise CheckpointError(f'expected a WhisperSpec of binary version 6, got {spec!r} of '
                              f'version {version}; convert it with another tool')
    cursor.read_number('I')  # revision of the spec
    variables = {}
    for _ in range(cursor.read_number('I')):
        name = cursor.read_text()
        shape = [cursor.read_number('I') for _ in range(cursor.read_number('B'))]
        kind = cursor.read_number('B')
        raw = cursor.take_bytes(cursor.read_number('I'))
        if kind not in DTYPES:
            raise CheckpointError(f'{name}: expected a number type among {sorted(DTYPES)}, '
                                  f'got {kind}; convert the weights to float16')
        variables[name] = np.frombuffer(raw, DTYPES[kind]).reshape(shape)
    if cursor.at < len(data):  # what is the same twice is written once
        for _ in range(cursor.read_number('I')):
            alias, name = cursor.read_text(), cursor.read_text()
            variables[alias] = variables[name]
    return variables


def attention_projections(module: str, cross: bool) -> dict[int, list[str]]:
    """Return which projections each fused linear layer holds, in order of rows."""
    fused = {0: ['q_proj'], 1: ['k_proj', 'v_proj'], 2: ['out_proj']} if cross else {
        0: ['q_proj', 'k_proj', 'v_proj'], 1: ['out_proj']}
    return {number: [f'{module}.{name}' for name in names] for number, names in fused.items()}


LAYER_NAMES = {
    'self_attention': ('self_attn_layer_norm', attention_projections('self_attn', cross=False)),
    'attention': ('encoder_attn_layer_norm', attention_projections('encoder_attn', cross=True)),
    'ffn': ('final_layer_norm', {0: ['fc1'], 1: ['fc2']}),
}


def layer_tensors(rest: list[str], value: np.ndarray) -> dict[str, np.ndarray]:
    """Name one variable of a layer; keys have no bias in Whisper, so theirs (zeros) is dropped."""
    module, inner, leaf = rest
    norm, linears = LAYER_NAMES[module]
    if inner == 'layer_norm':
        return {f'{norm}.{NORMS[leaf]}': value}
    names = linears[int(inner.removeprefix('linear_'))]
    return {f'{name}.{leaf}': part for name, part in zip(names, np.split(value, len(names)),
                                                         strict=True)
            if not (leaf == 'bias' and name.endswith('k_proj'))}


def read_ctranslate2(data: bytes) -> dict[str, np.ndarray]:
    """
    Return the tensors of a Whisper ``model.bin`` under transformers' names.

    Raises CheckpointError for a damaged file.
    """
    try:
        return _name_tensors(data)
    except (ValueError, KeyError, IndexError) as error:
        raise CheckpointError(f'expected the variables of a Whisper model.bin, found others '
                              f'({error}); fetch the weights again') from error


def _name_tensors(data: bytes) -> dict[str, np.ndarray]:
    tensors: dict[str, np.ndarray] = {}
    for name, value in read_variables(data).items():
        side, *rest = name.split('/')
        if rest[0].startswith('layer_') and rest[0] != 'layer_norm':
            if len(rest) != 4:
                continue
            prefix = f'{side}.layers.{rest[0].removeprefix("layer_")}.'
            tensors |= {prefix + key: part for key, part in layer_tensors(rest[1:], value).items()}
        elif rest[0] == 'layer_norm':
            tensors[f'{side}.layer_norm.{NORMS[rest[1]]}'] = value
        elif rest[0] in ('conv1', 'conv2'):
            tensors[f'{side}.{rest[0]}.{rest[1]}'] = value
        elif rest[0] == 'embeddings':
            tensors[f'{side}.embed_tokens.weight'] = value
        elif rest[0] == 'position_encodings':
            tensors[f'{side}.embed_positions.weight'] = value
    return tensors
