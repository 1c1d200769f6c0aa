"""
The language model as one graph that keeps its cache inside: the static form, of opset 24.

A step takes the cache, writes its own keys and values from a place on that the host names for each
row, and gives the cache out again; a runtime binds both to the same memory. Rotary embedding,
attention, normalisation and the writing are one operator each, which TensorRT takes whole.
Weights carry Hugging Face names. The same arithmetic as model.decoder.
"""

from collections.abc import Mapping

import numpy as np

from audio_interaction_ros.graphs.builder import GraphBuilder
from audio_interaction_ros.graphs.decoder_layers import DecoderLayers, declare_outputs
from audio_interaction_ros.graphs.graph_file import OPSET_OF_CACHES
from audio_interaction_ros.graphs.names import STATIC_MASK, WRITE_AT, written_names
from audio_interaction_ros.graphs.weights import Array
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
    hidden = _StaticStep(builder, config, tensors).run()
    declare_outputs(builder, config, hidden, written_names(config.layers), 'slots')
    return builder


class _StaticStep(DecoderLayers):
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
        return self.run_layers(x, written_names(config.layers))

    def normalise(self, x: str, name: str) -> str:
        b = self.builder
        weight = b.constant(f'{name}.weight', self.tensors[f'{name}.weight'], dtype=np.float32)
        return b.node('RMSNormalization', x, weight, axis=-1, epsilon=self.config.norm_eps)

    def attend(self, prefix: str, x: str, past: tuple[str, str], new: tuple[str, str]) -> str:
        b, config = self.builder, self.config
        query, key, value = self.split(
            self.project_heads(prefix, x), (config.heads, config.kv_heads, config.kv_heads),
            axis=1)
        query, key = (b.node('RotaryEmbedding', each, self.cos, self.sin)
                      for each in (query, key))
        keys, values = (
            b.node('TensorScatter', old, fresh, self.write_at, outputs=(name,), axis=2)[0]
            for old, fresh, name in zip(past, (key, value), new, strict=True))
        return self.join_heads(b.node('Attention', query, keys, values, self.mask,
                                      scale=config.head_dim ** -0.5))
