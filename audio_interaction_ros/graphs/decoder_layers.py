"""
What both forms of the decoder's graph have in common: layers around an attention, and their parts.

A form says how x is normalised, and how queries, keys and values become what is attended to.
Weights carry Hugging Face names. The same arithmetic as model.decoder.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from audio_interaction_ros.graphs.builder import GraphBuilder
from audio_interaction_ros.graphs.names import HIDDEN_OUTPUT, cache_names
from audio_interaction_ros.graphs.weights import Array
from audio_interaction_ros.model.shapes import DecoderConfig

__all__ = ['DecoderLayers', 'declare_outputs']

Names = tuple[str, str]
"""Of keys and of values."""


@dataclass
class DecoderLayers:
    """Layers of one graph; a subclass is one form of it."""

    builder: GraphBuilder
    config: DecoderConfig
    tensors: Mapping[str, Array]

    def normalise(self, x: str, name: str) -> str:
        """Return x scaled to a root mean square of 1, then by the weight of this name, float32."""
        raise NotImplementedError

    def attend(self, prefix: str, x: str, past: Names, new: Names) -> str:
        """Return [B, T, heads head_dim] of x; ``past`` are inputs, ``new`` outputs to be named."""
        raise NotImplementedError

    def run_layers(self, x: str, new: Iterable[Names]) -> str:
        """Return the normalised hidden states of x; ``new`` are the outputs of each layer."""
        b, config = self.builder, self.config
        shape = ('rows', config.kv_heads, 'slots', config.head_dim)
        for layer, (past, mine) in enumerate(zip(cache_names(config.layers), new, strict=True)):
            for name in past:
                b.input(name, b.dtype, shape)
            prefix = f'model.layers.{layer}.'
            x = b.node('Add', x, b.wide(self._attention(
                f'{prefix}self_attn.', self._norm(x, f'{prefix}input_layernorm'), past, mine)))
            x = b.node('Add', x, b.wide(self._mlp(
                f'{prefix}mlp.', self._norm(x, f'{prefix}post_attention_layernorm'))))
        return self.normalise(x, 'model.norm')

    def _norm(self, x: str, name: str) -> str:
        return self.builder.narrow(self.normalise(x, name))

    def _attention(self, prefix: str, x: str, past: Names, new: Names) -> str:
        attended = self.attend(prefix, x, past, new)
        return self.builder.linear(attended, self.tensors[f'{prefix}o_proj.weight'],
                                   name=f'{prefix}o_proj')

    def project_heads(self, prefix: str, x: str) -> str:
        """Return queries, then keys, then values of x [B, heads + 2 kv_heads, T, head_dim]."""
        b, config = self.builder, self.config
        names = [f'{prefix}{which}_proj' for which in 'qkv']
        bias = (np.concatenate([self.tensors[f'{name}.bias'] for name in names])
                if config.attention_bias else None)
        both = b.linear(x, [self.tensors[f'{name}.weight'] for name in names], bias,
                        name=f'{prefix}qkv_proj')
        heads = config.heads + 2 * config.kv_heads
        return b.node('Transpose', b.reshape(both, (0, 0, heads, config.head_dim)),
                      perm=(0, 2, 1, 3))

    def join_heads(self, x: str) -> str:
        """Return [B, T, heads head_dim] of x [B, heads, T, head_dim]."""
        b, config = self.builder, self.config
        return b.reshape(b.node('Transpose', x, perm=(0, 2, 1, 3)),
                         (0, 0, config.heads * config.head_dim))

    def split(self, x: str, sizes: Sequence[int], *, axis: int,
              names: Sequence[str] = ()) -> tuple[str, ...]:
        """Return parts of x along an axis; '' stands for any name."""
        b = self.builder
        return b.node('Split', x, b.scalar(tuple(sizes), np.int64),
                      outputs=names or ('',) * len(sizes), axis=axis)

    def _mlp(self, prefix: str, x: str) -> str:
        b = self.builder
        both = b.linear(x, [self.tensors[f'{prefix}{which}_proj.weight']
                            for which in ('gate', 'up')], name=f'{prefix}gate_up_proj')
        gate, up = self.split(both, (self.config.mlp_width,) * 2, axis=2)
        return b.linear(b.node('Mul', b.silu(gate), up),
                        self.tensors[f'{prefix}down_proj.weight'], name=f'{prefix}down_proj')


def declare_outputs(builder: GraphBuilder, config: DecoderConfig, hidden: str,
                    new: Iterable[Names], length: str) -> None:
    """Declare the hidden states [B, T, width], and keys and values of ``length`` positions."""
    builder.output(builder.rename(hidden, HIDDEN_OUTPUT), np.float32,
                   ('rows', 'time', config.width))
    shape = ('rows', config.kv_heads, length, config.head_dim)
    for names in new:
        for name in names:
            builder.output(name, builder.dtype, shape)
