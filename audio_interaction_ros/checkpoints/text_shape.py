"""
What is known of a text model once its files are open: its shape, tensors and tokenizer.

Owns which families are computed here (Qwen2 and Llama) and how their configuration is read. Knows
no file.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audio_interaction_ros.checkpoints.arrays import LazyArray
from audio_interaction_ros.model.shapes import DecoderConfig

__all__ = ['OpenTextModel', 'shape_of']

_FAMILIES = {'qwen2': True, 'llama': False}
"""Name of a family to whether its query, key and value projections have a bias."""


@dataclass(frozen=True, kw_only=True)
class OpenTextModel:
    """Shape, weights and tokenizer."""

    shape: DecoderConfig
    tensors: Mapping[str, LazyArray]
    """By their names in Hugging Face's Llama."""
    write_tokenizer: Callable[[Path], object]
    """Writes ``tokenizer.json`` to a path."""


def shape_of(said: Mapping[str, Any]) -> DecoderConfig:
    """
    Return the shape that a ``config.json`` gives.

    Raises KeyError for what it lacks, ValueError for what is computed otherwise here.
    """
    family, heads = said['model_type'], int(said['num_attention_heads'])
    if family not in _FAMILIES:
        raise ValueError(f'model_type: expected one of {", ".join(_FAMILIES)}, found {family!r}')
    for key in ('rope_scaling', 'use_sliding_window', 'mlp_bias'):
        if said.get(key):
            raise ValueError(f'{key}: expected none, found {said[key]!r}')
    rope = said.get('rope_parameters') or said
    return DecoderConfig(
        layers=int(said['num_hidden_layers']), width=int(said['hidden_size']),
        mlp_width=int(said['intermediate_size']), heads=heads,
        kv_heads=int(said['num_key_value_heads']),
        head_dim=int(said.get('head_dim') or said['hidden_size'] // heads),
        vocab_size=int(said['vocab_size']), rope_base=float(rope['rope_theta']),
        norm_eps=float(said['rms_norm_eps']),
        attention_bias=bool(said.get('attention_bias', _FAMILIES[family])),
        tied_head=bool(said.get('tie_word_embeddings', False)))
