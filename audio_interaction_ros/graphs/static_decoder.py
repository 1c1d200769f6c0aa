"""
The language model as one graph that keeps its cache inside: the static form, of opset 24.

A step takes the cache, writes its own keys and values from a place on that the host names for each
row, and gives the cache out again; a runtime binds both to the same memory. Rotary embedding,
attention, normalisation and the writing are one operator each, which TensorRT takes whole.
Weights carry Hugging Face names. The same arithmetic as model.decoder.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from audio_interaction_ros.graphs.builder import OPSET_OF_CACHES, Array, GraphBuilder
from audio_interaction_ros.graphs.names import (
    HIDDEN_OUTPUT,
    STATIC_MASK,
    WRITE_AT,
    cache_names,
    written_names,
)
from audio_interaction_ros.model.shapes import DecoderConfig

__all__ = ['static_step']


def static_step(config: DecoderConfig, tensors: Mapping[str, Array], *,
                bits: int | None = None, half: bool = False) -> GraphBuilder:
    """
    Return the graph of one pass of B rows of T positions over caches of S slots.

    Inputs: ``embeddings`` [B, T, width] and ``cos``, ``sin`` [B, T, head_dim / 2] float32;
    ``write_at`` [B] int64, the slot of each row's first position, whose others follow;
    ``mask`` [B, 1, T, S], added to the scores of the slots once the pass has written;
    ``past_keys_N`` and ``past_values_N`` [B, kv_heads, S, head_dim]; these and the mask are
    float16 with ``half``.
    Outputs: ``hidden`` [B, T, width] float32, normalised, of all positions; ``keys_N`` and
    ``values_N``, the caches with what was written.

    With ``half`` products, keys and values are of float16; what goes through all layers, and its
    normalisation, stay float32. ``bits`` may be 4.
    """
    builder = GraphBuilder('decoder_step', bits=bits, half=half, opset=OPSET_OF_CACHES)
    hidden = _Step(builder, config, tensors).run()
    builder.output(builder.rename(hidden, HIDDEN_OUTPUT), np.float32,
                   ('rows', 'time', config.width))
    shape = ('rows', config.kv_heads, 'slots', config.head_dim)
    for names in written_names(config.layers):
        for name in names:
            builder.output(name, builder.dtype, shape)
    return builder


@dataclass
class _Step:
    builder: GraphBuilder
    config: DecoderConfig
    tensors: Mapping[str, Array]

    def run(self) -> str:
        b, config = self.builder, self.config
        x = b.input('embeddings', np.float32, ('rows', 'time', config.width))
        angles = ('rows', 'time', config.head_dim // 2)
        self.cos, self.sin = (b.narrow(b.input(name, np.float32, angles))
                              for name in ('cos', 'sin'))
        self.write_at = b.input(WRITE_AT, np.int64, ('rows',))
        # Numbers, not bool: the compiler of TensorRT for RTX 1.7 fails over a mask of bool whose
        # length is known at run time only.
        self.mask = b.input(STATIC_MASK, b.dtype, ('rows', 1, 'time', 'slots'))
        for layer, (past, written) in enumerate(zip(
                cache_names(config.layers), written_names(config.layers), strict=True)):
            shape = ('rows', config.kv_heads, 'slots', config.head_dim)
            for name in past:
                b.input(name, b.dtype, shape)
            prefix = f'model.layers.{layer}.'
            attended = self._attention(f'{prefix}self_attn.',
                                       self._norm(x, f'{prefix}input_layernorm'), past, written)
            x = b.node('Add', x, b.wide(attended))
            inner = self._mlp(f'{prefix}mlp.',
                              self._norm(x, f'{prefix}post_attention_layernorm'))
            x = b.node('Add', x, b.wide(inner))
        return self._normalised(x, 'model.norm')

    def _normalised(self, x: str, name: str) -> str:
        b = self.builder
        weight = b.constant(f'{name}.weight', self.tensors[f'{name}.weight'], dtype=np.float32)
        return b.node('RMSNormalization', x, weight, axis=-1, epsilon=self.config.norm_eps)

    def _norm(self, x: str, name: str) -> str:
        return self.builder.narrow(self._normalised(x, name))

    def _attention(self, prefix: str, x: str, past: tuple[str, str],
                   written: tuple[str, str]) -> str:
        b, config = self.builder, self.config
        heads, dim = config.heads, config.head_dim
        query, key, value = self._projected(prefix, x)
        query, key = (b.node('RotaryEmbedding', each, self.cos, self.sin)
                      for each in (query, key))
        keys, values = (
            b.node('TensorScatter', old, new, self.write_at, outputs=(name,), axis=2)[0]
            for old, new, name in zip(past, (key, value), written, strict=True))
        out = b.node('Attention', query, keys, values, self.mask, scale=dim ** -0.5)
        out = b.reshape(b.node('Transpose', out, perm=(0, 2, 1, 3)), (0, 0, heads * dim))
        return b.linear(out, self.tensors[f'{prefix}o_proj.weight'], name=f'{prefix}o_proj')

    def _projected(self, prefix: str, x: str) -> tuple[str, ...]:
        """Return queries, keys and values, each [B, heads, T, head_dim]."""
        b, config = self.builder, self.config
        names = [f'{prefix}{which}_proj' for which in 'qkv']
        bias = (np.concatenate([self.tensors[f'{name}.bias'] for name in names])
                if config.attention_bias else None)
        both = b.linear(x, [self.tensors[f'{name}.weight'] for name in names], bias,
                        name=f'{prefix}qkv_proj')
        counts = (config.heads, config.kv_heads, config.kv_heads)
        both = b.node('Transpose', b.reshape(both, (0, 0, sum(counts), config.head_dim)),
                      perm=(0, 2, 1, 3))
        return b.node('Split', both, b.scalar(counts, np.int64), outputs=3, axis=1)

    def _mlp(self, prefix: str, x: str) -> str:
        b = self.builder
        both = b.linear(x, [self.tensors[f'{prefix}{which}_proj.weight']
                            for which in ('gate', 'up')], name=f'{prefix}gate_up_proj')
        gate, up = b.node('Split', both, b.scalar((self.config.mlp_width,) * 2, np.int64),
                          outputs=2, axis=2)
        return b.linear(b.node('Mul', b.silu(gate), up),
                        self.tensors[f'{prefix}down_proj.weight'], name=f'{prefix}down_proj')
