"""
The language model as graphs: one step in delta form, and the head that scores the vocabulary.

A step takes the keys and values of the past and returns only those of its own positions, so that
nothing in it copies or grows with the cache and the host may write them to any slot. Weights
carry Hugging Face names. The same arithmetic as model.decoder.
"""

from collections.abc import Mapping

import numpy as np

from audio_interaction_ros.graphs.builder import GraphBuilder
from audio_interaction_ros.graphs.decoder_layers import DecoderLayers, declare_outputs
from audio_interaction_ros.graphs.names import LOGITS_OUTPUT, new_names
from audio_interaction_ros.graphs.weights import Array
from audio_interaction_ros.model.shapes import DecoderConfig

__all__ = ['decoder_step', 'head_weight', 'vocabulary_head']


def decoder_step(config: DecoderConfig, tensors: Mapping[str, Array], *,
                 bits: int | None = None, half: bool = False) -> GraphBuilder:
    """
    Return the graph of one pass of B rows of T positions over caches of S slots.

    Inputs, all float32: ``embeddings`` [B, T, width]; ``cos`` and ``sin`` [B, T, head_dim];
    ``past_mask`` [B, 1, 1, S] and ``new_mask`` [1 or B, 1, G * T, T], added to the scores (G =
    query heads per key head; the heads of a group lie along time); ``past_keys_N`` and
    ``past_values_N`` [B, kv_heads, S, head_dim]. Outputs: ``hidden`` [B, T, width], normalised;
    ``new_keys_N``, already rotated, and ``new_values_N`` [B, kv_heads, T, head_dim]. With
    ``half`` products are of float16, and so are keys and values; sums, norms and softmax are not.
    """
    builder = GraphBuilder('decoder_step', bits=bits, half=half)
    hidden = _DeltaStep(builder, config, tensors).run()
    declare_outputs(builder, config, hidden, new_names(config.layers), 'time')
    return builder


def vocabulary_head(config: DecoderConfig, tensors: Mapping[str, Array], *,
                    bits: int | None = None, half: bool = False,
                    place: tuple[str, int] | None = None) -> GraphBuilder:
    """
    Return the graph from ``hidden`` [R, width] to ``logits`` [R, vocab_size], float32.

    ``place`` is that of GraphBuilder.constant: where the weight lies already, not in few bits.
    """
    builder = GraphBuilder('vocabulary_head', bits=bits, half=half)
    hidden = builder.narrow(builder.input('hidden', np.float32, ('rows', config.width)))
    weight = head_weight(config, tensors)
    if place:
        table = builder.constant('head.weight', weight, dtype=builder.dtype, place=place)
        logits = builder.node('Gemm', hidden, table, transB=1)
    else:
        logits = builder.linear(hidden, weight, name='head')
    builder.output(builder.rename(builder.wide(logits), LOGITS_OUTPUT), np.float32,
                   ('rows', config.vocab_size))
    return builder


def head_weight(config: DecoderConfig, tensors: Mapping[str, Array]) -> Array:
    """Return the weight [vocab_size, width] that scores the vocabulary."""
    return tensors['model.embed_tokens.weight' if config.tied_head else 'lm_head.weight']


class _DeltaStep(DecoderLayers):
    def run(self) -> str:
        b, config = self.builder, self.config
        x = b.input('embeddings', np.float32, ('rows', 'time', config.width))
        angles = ('rows', 'time', config.head_dim)
        self.cos = self._over_heads(b.narrow(b.input('cos', np.float32, angles)))
        sin = self._over_heads(b.narrow(b.input('sin', np.float32, angles)))
        # The halves of a rotated vector trade places, the first with a minus.
        signs = np.repeat((-1.0, 1.0), config.head_dim // 2)
        self.sin = b.node('Mul', sin, b.scalar(signs, b.dtype))
        self.past_mask = b.input('past_mask', np.float32, ('rows', 1, 1, 'slots'))
        self.new_mask = b.input('new_mask', np.float32, ('mask_rows', 1, 'group_time', 'time'))
        self.past_and_new = b.node('Concat', *(b.node('Shape', mask, start=3, end=4) for mask in
                                               (self.past_mask, self.new_mask)), axis=0)
        self.unfolded = b.node('Concat', b.scalar([0, config.heads], np.int64),
                               b.node('Shape', x, start=1, end=2),
                               b.scalar([config.head_dim], np.int64), axis=0)
        return self.run_layers(x, new_names(config.layers))

    def _over_heads(self, x: str) -> str:
        return self.builder.node('Unsqueeze', x, self.builder.scalar([1], np.int64))

    def normalise(self, x: str, name: str) -> str:
        return self.builder.rms_norm(x, self.tensors[f'{name}.weight'], self.config.norm_eps,
                                     name=name)

    def attend(self, prefix: str, x: str, past: tuple[str, str], new: tuple[str, str]) -> str:
        b, config = self.builder, self.config
        heads, kv = config.heads, config.kv_heads
        turned, value = self.split(self.project_heads(prefix, x), (heads + kv, kv), axis=1,
                                   names=('', new[1]))
        query, key = self.split(self._rotate(turned), (heads, kv), axis=1, names=('', new[0]))
        # The query heads of a group lie along time, so that the cache is read without a copy.
        scaled = b.node('Mul', query, b.scalar(config.head_dim ** -0.5, b.dtype))
        folded = b.reshape(scaled, (0, kv, -1, config.head_dim))
        scores = b.node('Concat', b.node('Add', self._scores(folded, past[0]), self.past_mask),
                        b.node('Add', self._scores(folded, key), self.new_mask), axis=-1)
        shares = b.narrow(b.node('Softmax', scores, axis=-1))
        of_past, of_new = b.node('Split', shares, self.past_and_new, outputs=2, axis=-1)
        out = b.node('Add', b.node('MatMul', of_past, past[1]), b.node('MatMul', of_new, value))
        # From [B, kv, G T, dim].
        return self.join_heads(b.node('Reshape', out, self.unfolded))

    def _rotate(self, x: str) -> str:
        b, half = self.builder, self.config.head_dim // 2
        first, second = self.split(x, (half, half), axis=3)
        swapped = b.node('Concat', second, first, axis=3)
        return b.node('Add', b.node('Mul', x, self.cos), b.node('Mul', swapped, self.sin))

    def _scores(self, query: str, key: str) -> str:
        b = self.builder
        return b.wide(b.node('MatMul', query, b.node('Transpose', key, perm=(0, 1, 3, 2))))
