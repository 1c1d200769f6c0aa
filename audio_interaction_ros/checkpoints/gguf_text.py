"""
A text model in a GGUF file: its shape, its tensors one at a time, and its tokenizer.

Owns what the family Qwen2 has differently from what ``gguf_file`` reads: rows of query and key
projections keep their order, and text is split as GPT-4 does. Knows nothing of where a file comes
from.
"""

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.checkpoints.arrays import LazyArray
from audio_interaction_ros.checkpoints.gguf_file import (
    CONTROL_TOKEN,
    name_tensor,
    open_reader,
    read_field,
    read_tokenizer,
)
from audio_interaction_ros.checkpoints.text_shape import OpenTextModel, shape_of
from audio_interaction_ros.errors import CheckpointError

__all__ = ['open_gguf']

_SPLIT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r'|\s*[\r\n]+|\s+(?!\S)|\s+')
"""Where Qwen2 cuts a text before it is merged: words with what stands before, single digits."""
_USER_DEFINED = 4  # token_type of GGUF


def open_gguf(path: Path) -> OpenTextModel:
    """Return the model of a GGUF file of the family Qwen2; CheckpointError for any other."""
    source = open_reader(path)
    family = read_field(source, 'general.architecture')
    if family != 'qwen2':
        raise CheckpointError(f'{path}: expected a GGUF of the family qwen2, found {family!r}; '
                              'take another file')
    fields = {key: read_field(source, f'qwen2.{name}') for key, name in (
        ('num_hidden_layers', 'block_count'), ('hidden_size', 'embedding_length'),
        ('intermediate_size', 'feed_forward_length'),
        ('num_attention_heads', 'attention.head_count'),
        ('num_key_value_heads', 'attention.head_count_kv'), ('rope_theta', 'rope.freq_base'),
        ('rms_norm_eps', 'attention.layer_norm_rms_epsilon'))}
    try:
        tensors = dict(_describe(tensor) for tensor in source.tensors)
        shape = shape_of(fields | {
            'model_type': family, 'vocab_size': len(tensors['model.embed_tokens.weight']),
            'tie_word_embeddings': 'lm_head.weight' not in tensors})
    except Exception as error:  # names, types and shapes that do not fit, each in its own way
        raise CheckpointError(f'{path}: expected the tensors of a Qwen2 model, found others '
                              f'({error!r}); fetch the file again') from error
    return OpenTextModel(shape=shape, tensors=tensors,
                         write_tokenizer=partial(_write_tokenizer, source, path))


def _describe(tensor: Any) -> tuple[str, LazyArray]:
    """Return the name of a tensor in Hugging Face's Llama, and what makes its numbers."""
    from gguf import dequantize
    name, _ = name_tensor(tensor.name, np.zeros(0), {})
    # GGUF counts axes from the innermost.
    return name, LazyArray(tuple(int(size) for size in reversed(tensor.shape)),
                           np.dtype(np.float32),
                           lambda: dequantize(tensor.data, tensor.tensor_type).astype(np.float32))


def _write_tokenizer(source: Any, path: Path, target: Path) -> None:
    from tokenizers import Regex, normalizers
    from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
    tokenizer = read_tokenizer(source, path, kind='qwen2', special=(CONTROL_TOKEN, _USER_DEFINED))
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = Sequence([
        Split(Regex(_SPLIT), 'isolated'), ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.save(str(target))
