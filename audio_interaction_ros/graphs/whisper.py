"""
The second pass as graphs: Whisper's encoder for up to half a minute, what its decoder knows of
that, and one step of the decoder.

The arithmetic of transformers' WhisperModel, and its names of weights. The cache of the decoder is
the host's: a step reads the past where it lies and gives out only the keys and values that are
new. Keys have their positions last, so that no step turns them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audio_interaction_ros.graphs import manifest, names
from audio_interaction_ros.graphs.audio_tower import whisper_encoder
from audio_interaction_ros.graphs.builder import GraphBuilder
from audio_interaction_ros.model.shapes import AudioTowerConfig, WhisperDecoderConfig

__all__ = ['cross_attention', 'decoder_step', 'write_second_pass']

Tensors = Mapping[str, np.ndarray]


def cross_attention(config: WhisperDecoderConfig, tensors: Tensors, *,
                    bits: int | None = None) -> GraphBuilder:
    """
    Return the graph from encoder frames to what every layer of the decoder attends to of them.

    ``encoded`` [S, width] to ``cross_keys_i`` [heads, d, S] and ``cross_values_i`` [heads, S, d],
    d = width / heads.
    """
    b = GraphBuilder('cross_attention', bits=bits)
    layers = _Layers(b, config, tensors)
    encoded = b.input(names.ENCODED, np.float32, ('frames', config.width))
    for layer, (keys, values) in enumerate(names.cross_names(config.layers)):
        prefix = f'layers.{layer}.encoder_attn.'
        b.output(b.rename(layers.keys(prefix, encoded), keys), np.float32,
                 (config.heads, config.head_dim, 'frames'))
        b.output(b.rename(layers.values(prefix, encoded), values), np.float32,
                 (config.heads, 'frames', config.head_dim))
    return b


def decoder_step(config: WhisperDecoderConfig, tensors: Tensors, *,
                 bits: int | None = None) -> GraphBuilder:
    """
    Return the graph of one step over T new tokens.

    In: ``embeddings`` [T, width] with their positions added, ``past_mask`` [1, slots] (0 where a
    slot is seen, very negative elsewhere), ``new_mask`` [T, T], ``past_keys_i`` [heads, d, slots],
    ``past_values_i`` [heads, slots, d] and what cross_attention gives. Out: ``new_keys_i``
    [heads, d, T], ``new_values_i`` [heads, T, d], ``logits`` [1, vocab_size] of the last token
    and, where the shape names heads that look where a token is, how much each looks at which
    encoder frame: ``alignment`` [heads, T, S].
    """
    b = GraphBuilder('whisper_decoder', bits=bits)
    layers = _Layers(b, config, tensors)
    x = b.input(names.EMBEDDINGS, np.float32, ('new', config.width))
    past_mask = b.input(names.PAST_MASK, np.float32, (1, 'slots'))
    new_mask = b.input(names.NEW_MASK, np.float32, ('new', 'new'))
    cached = zip(names.cache_names(config.layers), names.cross_names(config.layers),
                 names.new_names(config.layers), strict=True)
    looks: list[str] = []
    for layer, (past, cross, new) in enumerate(cached):
        before, encoded = (layers.stored(*past, 'slots'), layers.stored(*cross, 'frames'))
        x = layers.see_words(layer, x, [(*before, past_mask)], new, new_mask)
        x, seen = layers.see_sound(layer, x, *encoded)
        looks += seen
        x = layers.think(layer, x)
    last = b.node('Slice', x, b.scalar([-1], np.int64), b.scalar([2 ** 31], np.int64),
                  b.scalar([0], np.int64))
    scores = b.linear(layers.norm('layer_norm', last), tensors['embed_tokens.weight'], name='head')
    b.output(b.rename(scores, names.LOGITS_OUTPUT), np.float32, (1, config.vocab_size))
    if looks:
        b.output(b.rename(b.node('Concat', *looks, axis=0), names.ALIGNMENT_OUTPUT), np.float32,
                 (len(looks), 'new', 'frames'))
    return b


@dataclass
class _Layers:
    # Values are [positions, width] where nothing else is said.
    builder: GraphBuilder
    config: WhisperDecoderConfig
    tensors: Tensors

    def stored(self, keys: str, values: str, length: str) -> tuple[str, str]:
        """Return keys [heads, d, length] and values [heads, length, d] that are given."""
        heads, dim = self.config.heads, self.config.head_dim
        return (self.builder.input(keys, np.float32, (heads, dim, length)),
                self.builder.input(values, np.float32, (heads, length, dim)))

    def see_words(self, layer: int, x: str, seen: list[tuple[str, str, str]],
                  new: tuple[str, str], mask: str) -> str:
        """Add what new tokens see in those before them and in each other; ``new`` goes out."""
        b, prefix = self.builder, f'layers.{layer}.self_attn'
        query, keys, values = self.query_key_value(
            f'{prefix}.', self.norm(f'{prefix}_layer_norm', x))
        heads, dim = self.config.heads, self.config.head_dim
        b.output(b.rename(keys, new[0]), np.float32, (heads, dim, 'new'))
        b.output(b.rename(values, new[1]), np.float32, (heads, 'new', dim))
        return b.node('Add', x, self.linear(
            f'{prefix}.out_proj', self.attend(query, [*seen, (keys, values, mask)])))

    def see_sound(self, layer: int, x: str, keys: str, values: str) -> tuple[str, list[str]]:
        """Add what new tokens see in the encoder's frames; return what alignment heads look at."""
        b, prefix = self.builder, f'layers.{layer}.encoder_attn'
        query = self.query(f'{prefix}.', self.norm(f'{prefix}_layer_norm', x))
        shares = b.node('Softmax', b.node('MatMul', query, keys), axis=-1)
        looks = [b.node('Gather', shares, b.scalar([head], np.int64), axis=0)
                 for place, head in self.config.alignment_heads if place == layer]
        heard = self.join_heads(b.node('MatMul', shares, values))
        return b.node('Add', x, self.linear(f'{prefix}.out_proj', heard)), looks

    def think(self, layer: int, x: str) -> str:
        """Add what the two wide layers make of each token."""
        prefix = f'layers.{layer}.'
        inner = self.linear(f'{prefix}fc1', self.norm(f'{prefix}final_layer_norm', x))
        return self.builder.node('Add', x, self.linear(f'{prefix}fc2', self.builder.gelu(inner)))

    def query(self, prefix: str, x: str) -> str:
        """Return scaled queries [heads, T, d]."""
        scale = self.builder.scalar(self.config.head_dim ** -0.5)
        return self._split_heads(self.builder.node('Mul', self.linear(f'{prefix}q_proj', x),
                                                   scale),
                                 (1, 0, 2))

    def keys(self, prefix: str, x: str) -> str:
        """Return keys [heads, d, T], which have no bias."""
        name = f'{prefix}k_proj'
        return self._split_heads(self.builder.linear(x, self.tensors[f'{name}.weight'], name=name),
                                 (1, 2, 0))

    def values(self, prefix: str, x: str) -> str:
        """Return values [heads, T, d]."""
        return self._split_heads(self.linear(f'{prefix}v_proj', x), (1, 0, 2))

    def query_key_value(self, prefix: str, x: str) -> tuple[str, str, str]:
        """Return queries, keys and values of the same positions."""
        return self.query(prefix, x), self.keys(prefix, x), self.values(prefix, x)

    def attend(self, query: str, seen: list[tuple[str, str, str]]) -> str:
        """Return what queries see in several stores of keys, values and mask."""
        b = self.builder
        scores = [b.node('Add', b.node('MatMul', query, keys), mask) for keys, _, mask in seen]
        shares = b.node('Softmax', b.node('Concat', *scores, axis=-1), axis=-1)
        sizes = b.node('Concat', *(b.node('Shape', values, start=1, end=2)
                                   for _, values, _ in seen), axis=0)
        parts = b.node('Split', shares, sizes, axis=-1, outputs=len(seen))
        out, *others = (b.node('MatMul', part, values)
                        for part, (_, values, _) in zip(parts, seen, strict=True))
        for other in others:
            out = b.node('Add', out, other)
        return self.join_heads(out)

    def join_heads(self, out: str) -> str:
        """Return [T, width] of what heads saw [heads, T, d]."""
        b = self.builder
        return b.reshape(b.node('Transpose', out, perm=(1, 0, 2)), (-1, self.config.width))

    def norm(self, name: str, x: str) -> str:
        return self.builder.layer_norm(x, self.tensors[f'{name}.weight'],
                                       self.tensors[f'{name}.bias'], name=name)

    def linear(self, name: str, x: str) -> str:
        return self.builder.linear(x, self.tensors[f'{name}.weight'], self.tensors[f'{name}.bias'],
                                   name=name)

    def _split_heads(self, x: str, perm: tuple[int, ...]) -> str:
        split = self.builder.reshape(x, (-1, self.config.heads, self.config.head_dim))
        return self.builder.node('Transpose', split, perm=perm)


def write_second_pass(folder: Path, tower: AudioTowerConfig, encoder: Tensors,
                      decoder_config: WhisperDecoderConfig, decoder: Tensors,
                      facts: Mapping[str, str]) -> None:
    """
    Write all that the second pass computes with into a folder, but for the tokenizer.

    ``facts`` stand in the metadata of every graph. Tables of the host are float16, as the weights
    were.
    """
    bits = manifest.PRECISIONS[facts['precision']]
    encoder, wide = ({key: np.asarray(value, np.float32) for key, value in tensors.items()}
                     for tensors in (encoder, decoder))
    whisper_encoder(tower, encoder, bits=bits).save(
        folder / manifest.WHISPER_ENCODER, metadata=facts)
    cross_attention(decoder_config, wide, bits=bits).save(
        folder / manifest.WHISPER_CROSS, metadata=facts)
    decoder_step(decoder_config, wide, bits=bits).save(
        folder / manifest.WHISPER_STEP, metadata=facts)
    np.save(folder / manifest.EMBEDDINGS, decoder['embed_tokens.weight'])
    np.save(folder / manifest.POSITIONS, decoder['embed_positions.weight'])
