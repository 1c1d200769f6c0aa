"""
Reader of a llama-type GGUF file: tensors under Decoder's names, and the byte-level tokenizer.

Owns the names inside a GGUF and the row order that llama.cpp gives query and key projections.
Quantised blocks are expanded by the ``gguf`` package.
"""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.errors import CheckpointError, MissingDependencyError

__all__ = ['llama_tensors', 'llama_tokenizer', 'read_tokenizer', 'unpermute']

LAYER_NAMES = {
    'attn_norm': 'input_layernorm', 'ffn_norm': 'post_attention_layernorm',
    'attn_q': 'self_attn.q_proj', 'attn_k': 'self_attn.k_proj', 'attn_v': 'self_attn.v_proj',
    'attn_output': 'self_attn.o_proj', 'ffn_gate': 'mlp.gate_proj', 'ffn_up': 'mlp.up_proj',
    'ffn_down': 'mlp.down_proj',
}
TOP_NAMES = {'token_embd.weight': 'model.embed_tokens.weight',
             'output_norm.weight': 'model.norm.weight', 'output.weight': 'lm_head.weight'}
CONTROL_TOKEN = 3  # token_type of GGUF


def open_reader(path: Path) -> Any:
    try:
        from gguf import GGUFReader
    except ImportError as error:
        raise MissingDependencyError('reading a GGUF needs the gguf package: '
                                     'pip install "gguf>=0.17"') from error

    class Bounded(GGUFReader):
        """Stops where the file ends; gguf goes on with nothing, as often as a count says."""

        def _get(self, offset: Any, dtype: Any, count: Any = 1, *order: Any, **named: Any) -> Any:
            values = super()._get(offset, dtype, count, *order, **named)
            if len(values) != int(count):
                raise ValueError(f'it ends before {count} values at byte {offset}')
            return values

    try:
        return Bounded(path)
    except Exception as error:  # gguf and numpy raise many kinds for a damaged file
        raise CheckpointError(f'{path}: expected a GGUF file, cannot read it ({error}); fetch the '
                              'weights again') from error


def read_field(source: Any, name: str) -> Any:
    if name not in source.fields:
        raise CheckpointError(f'expected the field {name} in the GGUF, found none; '
                              'it is not a llama-type model')
    try:
        return source.fields[name].contents()
    except Exception as error:  # as above
        raise CheckpointError(f'{name}: expected a value of the GGUF, cannot read it ({error}); '
                              'fetch the weights again') from error


def unpermute(weight: np.ndarray, heads: int) -> np.ndarray:
    """
    Turn rows [heads * d, in] from llama.cpp's interleaved RoPE pairs back into halves.

    The converter of llama.cpp moves row i of the first half of a head to row 2 i and row i of
    the second half to row 2 i + 1.
    """
    pairs = weight.reshape(heads, -1, 2, *weight.shape[1:])
    return pairs.swapaxes(1, 2).reshape(weight.shape)


def llama_tensors(path: Path) -> dict[str, np.ndarray]:
    """Return float32 tensors in Hugging Face's Llama names; the head is absent when tied."""
    from gguf import dequantize
    source = open_reader(path)
    heads = {'attn_q': read_field(source, 'llama.attention.head_count'),
             'attn_k': read_field(source, 'llama.attention.head_count_kv')}
    try:
        return dict(name_tensor(tensor.name, dequantize(tensor.data, tensor.tensor_type), heads)
                    for tensor in source.tensors)
    except Exception as error:  # names, types and shapes that do not fit, each in its own way
        raise CheckpointError(f'{path}: expected the tensors of a llama-type model, found others '
                              f'({error}); fetch the weights again') from error


def name_tensor(name: str, value: np.ndarray, heads: Mapping[str, int]) -> tuple[str, np.ndarray]:
    """Return a tensor under its name in Hugging Face's Llama, as float32."""
    value = value.astype(np.float32)
    if name in TOP_NAMES:
        return TOP_NAMES[name], value
    _, layer, kind, leaf = name.split('.')
    if kind in heads:
        value = unpermute(value, heads[kind])
    return f'model.layers.{layer}.{LAYER_NAMES[kind]}.{leaf}', value


def llama_tokenizer(path: Path) -> Any:
    """Rebuild the byte-level BPE of SmolLM2 (single digits apart) from the GGUF's metadata."""
    from tokenizers import pre_tokenizers
    tokenizer = read_tokenizer(open_reader(path), path, kind='smollm', special=(CONTROL_TOKEN,))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False)])
    return tokenizer


def read_tokenizer(source: Any, path: Path, *, kind: str, special: Collection[int]) -> Any:
    """
    Return the byte-level BPE of an opened file, without the rule by which it splits a text.

    ``kind`` names that rule, which the caller sets; ``special`` are types of tokens that nothing
    in a text becomes. CheckpointError for another rule and for what makes no tokenizer.
    """
    found = read_field(source, 'tokenizer.ggml.pre')
    if found != kind:
        raise CheckpointError(f'{path}: expected the pre-tokenizer {kind}, found {found!r}; its '
                              'splitting rule is not known here')
    parts = [read_field(source, f'tokenizer.ggml.{name}')
             for name in ('tokens', 'merges', 'token_type')]
    try:
        return _make_byte_level(*parts, special=special)
    except Exception as error:  # values of other types, merges of unknown tokens, other lengths
        raise CheckpointError(f'{path}: expected tokens, merges and types of tokens, found others '
                              f'({error}); fetch the file again') from error


def _make_byte_level(tokens: list[str], pairs: list[str], types: list[int], *,
                     special: Collection[int]) -> Any:
    """Return a tokenizer of these tokens, merged in the order of ``pairs``."""
    from tokenizers import AddedToken, Tokenizer, decoders, models
    tokenizer = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)},
                                     merges=[tuple(pair.split(' ')) for pair in pairs]))
    tokenizer.decoder = decoders.ByteLevel()
    # Nothing that a text holds may become one of these, nor may one be written out.
    tokenizer.add_special_tokens([
        AddedToken(token, special=True, normalized=False)
        for token, type_ in zip(tokens, types, strict=True) if type_ in special])
    return tokenizer
