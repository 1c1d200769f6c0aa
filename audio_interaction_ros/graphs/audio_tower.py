"""
The audio tower as a graph: the mel of one window in, the features of its newest chunk out.

The same arithmetic and names of weights as model.audio_tower, for one window of fixed length. The
last layer computes only the frames that become features, where nothing else listens to it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from audio_interaction_ros.graphs.builder import GraphBuilder
from audio_interaction_ros.graphs.names import (
    EMBEDDING_OUTPUT,
    ENCODED,
    FEATURES_OUTPUT,
    MEL_INPUT,
)
from audio_interaction_ros.graphs.weights import Array
from audio_interaction_ros.graphs.yamnet import add_yamnet
from audio_interaction_ros.model.shapes import AudioTowerConfig, sinusoids

__all__ = ['audio_tower', 'whisper_encoder']

_QUERY_PARTS = 4
"""The scores of half a minute at once, 1,500 frames with 1,500, would take 72 MB."""


def audio_tower(config: AudioTowerConfig, tensors: Mapping[str, Array], *,
                bits: int | None = None, half: bool = False) -> GraphBuilder:
    """
    Return the graph from ``mel`` [1, rows, window_frames] to ``features`` [1, N, output_width].

    Both are float32; N is ``config.features_per_chunk``, sound last. With a sound branch there is
    a second output: the ``embedding`` [1, sound_width] that it hears. ``tensors`` are those of the
    tower, without a prefix. With ``bits``, however many, the layers but the first compute in
    integers of 7 and 8 bits: fewer would save little beside the decoder. With ``half`` the
    products of the layers are of float16; norms, sums, the projector and the sound branch are not.
    """
    builder = GraphBuilder('audio_tower', half=half)
    features, embedding = _Tower(builder, config, tensors, integers=bits is not None).run()
    builder.output(builder.rename(features, FEATURES_OUTPUT), np.float32,
                   (1, config.features_per_chunk, config.output_width))
    if embedding:
        builder.output(builder.rename(embedding, EMBEDDING_OUTPUT), np.float32,
                       (1, config.sound_width))
    return builder


def whisper_encoder(config: AudioTowerConfig, tensors: Mapping[str, Array], *,
                    bits: int | None = None) -> GraphBuilder:
    """
    Return the graph from ``mel`` [1, bins, T] to ``encoded`` [T / 2, width].

    Every frame is kept, without projector. T is even and at most window_frames, so that who
    listens to two seconds pays for two. ``bits`` is that of audio_tower.
    """
    builder = GraphBuilder('whisper_encoder')
    encoded = _Tower(builder, config, tensors, integers=bits is not None,
                     query_parts=_QUERY_PARTS).encode()
    builder.output(builder.rename(encoded, ENCODED), np.float32, ('frames', config.width))
    return builder


@dataclass
class _Tower:
    # Values are [frames, width] where nothing else is said: with one window, rank two serves, and
    # a product with its bias is a single node (Gemm).
    builder: GraphBuilder
    config: AudioTowerConfig
    tensors: Mapping[str, Array]
    integers: bool
    query_parts: int = 1

    @property
    def frames(self) -> int:
        """Frames after the convolutions."""
        return self.config.window_frames // 2

    @property
    def newest(self) -> int:
        """Of these, those that become features."""
        return self.config.keep_frames * (2 if self.config.second_look else 1)

    @property
    def last_count(self) -> int:
        """Of these, those that the last layer has to compute."""
        config = self.config
        all_heard = config.layers in config.sound_levels or not config.layers
        return self.frames if all_heard else self.newest

    def run(self) -> tuple[str, str]:
        """Return the features and the embedding, empty where there is no sound branch."""
        b, config = self.builder, self.config
        rows = config.initial_mel(0).shape[0]
        window = b.input(MEL_INPUT, np.float32, (1, rows, config.window_frames))
        mel, spectrogram = window, ''
        if config.tagger:
            sizes = b.scalar([config.mel_bins, rows - config.mel_bins], np.int64)
            mel, spectrogram = b.node('Split', window, sizes, outputs=2, axis=1)
        levels = self._levels(mel)
        features, embedding = self._project(self._stack(levels[-1])), ''
        if config.sounds:
            heard = [self._summarise(levels[level]) for level in config.sound_levels]
            if config.tagger:
                heard.append(add_yamnet(b, spectrogram, self.tensors, prefix='tagger.',
                                        frames=config.window_frames))
            embedding = b.node('Concat', *heard, axis=1)
            features = b.node('Concat', features, self._sound(embedding), axis=0)
        return b.node('Unsqueeze', features, b.scalar([0], np.int64)), embedding

    def encode(self) -> str:
        """Return all frames [frames, width] that the last layer gives of the mel."""
        assert self.last_count == self.frames, 'expected every frame to be kept'
        mel = self.builder.input(MEL_INPUT, np.float32, (1, self.config.mel_bins, 'mel_frames'))
        return self._norm('ln_post', self._levels(mel)[-1])

    def _levels(self, mel: str) -> list[str]:
        """Return what goes into layer 1, 2, … and what the last gives, maybe its newest only."""
        b, config = self.builder, self.config
        x = b.gelu(self._convolve(b.narrow(mel), 'conv1', stride=1), b.dtype)
        x = b.wide(b.gelu(self._convolve(x, 'conv2', stride=2), b.dtype))
        x = b.reshape(b.node('Transpose', x, perm=(0, 2, 1)), (-1, config.width))
        positions = b.constant('positions', sinusoids(self.frames, config.width))
        count = b.node('Shape', x, start=0, end=1)
        zero = b.scalar([0], np.int64)
        levels = [b.node('Add', x, b.node('Slice', positions, zero, count, zero))]
        for layer in range(config.layers):
            last = layer == config.layers - 1
            levels.append(self._layer(f'layers.{layer}.', levels[-1],
                                      self.last_count if last else self.frames))
        return levels

    def _convolve(self, x: str, name: str, *, stride: int) -> str:
        b = self.builder
        weight, bias = (b.constant(f'{name}.{which}', np.asarray(
            self.tensors[f'{name}.{which}'], b.dtype)) for which in ('weight', 'bias'))
        return b.node('Conv', x, weight, bias, kernel_shape=(3,), strides=(stride,), pads=(1, 1))

    def _layer(self, prefix: str, x: str, count: int) -> str:
        """Return the newest ``count`` frames of a layer that hears all frames of x."""
        b = self.builder
        normed = b.narrow(self._norm(f'{prefix}self_attn_layer_norm', x))
        attended = self._attend(f'{prefix}self_attn.', normed, count)
        x = b.node('Add', self._take_newest(x, count), b.wide(attended))
        normed = b.narrow(self._norm(f'{prefix}final_layer_norm', x))
        inner = b.gelu(self._linear(f'{prefix}fc1', normed), b.dtype)
        return b.node('Add', x, b.wide(self._linear(f'{prefix}fc2', inner)))

    def _attend(self, prefix: str, x: str, count: int) -> str:
        b, config = self.builder, self.config
        if count == self.frames:
            query, key, value = self._heads(f'{prefix}qkv_proj', x, [
                f'{prefix}{which}_proj' for which in 'qkv'])
        else:
            query, = self._heads(f'{prefix}q_proj', self._take_newest(x, count),
                                 [f'{prefix}q_proj'])
            key, value = self._heads(f'{prefix}kv_proj', x, [
                f'{prefix}{which}_proj' for which in 'kv'])
        query = b.node('Mul', query, b.scalar((config.width // config.heads) ** -0.5, b.dtype))
        key = b.node('Transpose', key, perm=(0, 2, 1))
        out = self._attend_in_parts(query, key, value)
        out = b.reshape(b.node('Transpose', out, perm=(1, 0, 2)), (-1, config.width))
        return self._linear(f'{prefix}out_proj', out)

    def _attend_in_parts(self, query: str, key: str, value: str) -> str:
        """Return what queries [heads, count, d] see, a part of them after the other."""
        b = self.builder
        if self.query_parts == 1:
            return self._attend_at_once(query, key, value)
        queries = b.node('Split', query, axis=1, num_outputs=self.query_parts,
                         outputs=self.query_parts)
        return b.node('Concat', *(self._attend_at_once(part, key, value) for part in queries),
                      axis=1)

    def _attend_at_once(self, query: str, key: str, value: str) -> str:
        b = self.builder
        scores = b.wide(b.node('MatMul', query, key))
        return b.node('MatMul', b.narrow(b.node('Softmax', scores, axis=-1)), value)

    def _heads(self, name: str, x: str, parts: list[str]) -> tuple[str, ...]:
        """Return what several linear layers make of x, each [heads, frames, width / heads]."""
        b, config = self.builder, self.config
        out = self._join_linear(name, x, parts)  # keys have no bias
        shape = (-1, config.heads * len(parts), config.width // config.heads)
        out = b.node('Transpose', b.reshape(out, shape), perm=(1, 0, 2))
        if len(parts) == 1:
            return (out,)
        return b.node('Split', out, b.scalar([config.heads] * len(parts), np.int64), axis=0,
                      outputs=len(parts))

    def _stack(self, x: str) -> str:
        """Return stacked frames [N, stacked_width] of what the last layer computed."""
        b, config = self.builder, self.config
        count, looks = config.word_features, 2 if config.second_look else 1
        x = self._take_newest(x, self.newest, of=self.last_count)
        if config.pool > 1:
            x = b.node('ReduceMean', b.reshape(x, (-1, config.pool, config.width)),
                       b.scalar([1], np.int64), keepdims=0)
        x = b.reshape(self._norm('ln_post', x), (count * looks, config.width * config.stack))
        if looks == 1:
            return x
        earlier, newest = b.node('Split', x, b.scalar([count, count], np.int64), axis=0,
                                 outputs=2)
        return b.node('Concat', newest, earlier, axis=1)

    def _project(self, x: str) -> str:
        if self.config.projector == 'linear':
            return self._scale(self._linear('proj', x))
        hidden = self.builder.gelu(self._linear('projector.0', x))
        return self._scale(self._linear('projector.2', hidden))

    def _summarise(self, x: str) -> str:
        """Return mean of the newest chunk, mean and spread of all [1, 3 * width] of a level."""
        b = self.builder
        time = b.scalar([0], np.int64)
        mean = b.node('ReduceMean', x, time, keepdims=1)
        squares = b.node('ReduceSumSquare', b.node('Sub', x, mean), time, keepdims=1)
        spread = b.node('Sqrt', b.node('Div', squares, b.scalar(self.frames - 1)))
        newest = b.node('ReduceMean', self._take_newest(x, self.config.keep_frames), time,
                        keepdims=1)
        return b.node('Concat', newest, mean, spread, axis=1)

    def _sound(self, embedding: str) -> str:
        """Return the feature [1, output_width] of what is heard of a window."""
        b = self.builder
        x = self._linear('sound.classes', b.gelu(self._linear('sound.hidden', embedding)))
        scores = b.node('Sigmoid', x)
        feature = self._scale(self._linear('sound.names', scores))
        if self.config.sound_feature == 'strength':
            surest = b.node('ReduceMax', scores, b.scalar([-1], np.int64), keepdims=1)
            feature = b.node('Mul', feature, surest)
        return feature

    def _scale(self, x: str) -> str:
        b, norm = self.builder, self.config.feature_norm
        if not norm:
            return x
        length = b.node('ReduceL2', x, b.scalar([-1], np.int64), keepdims=1)
        length = b.node('Max', length, b.scalar(1e-12))
        return b.node('Mul', b.node('Div', x, length), b.scalar(norm))

    def _take_newest(self, x: str, count: int, *, of: int | None = None) -> str:
        """Return the newest ``count`` of so many frames, of all if nothing is said."""
        of = of or self.frames
        if count == of:
            return x
        b = self.builder
        return b.node('Slice', x, b.scalar([of - count], np.int64), b.scalar([of], np.int64),
                      b.scalar([0], np.int64))

    def _norm(self, name: str, x: str) -> str:
        return self.builder.layer_norm(x, self.tensors[f'{name}.weight'],
                                       self.tensors[f'{name}.bias'], name=name)

    def _linear(self, name: str, x: str) -> str:
        return self._join_linear(name, x, [name])

    def _join_linear(self, name: str, x: str, parts: list[str]) -> str:
        """Return what several layers make of x, side by side; a bias that none has is zero."""
        weights = [self.tensors[f'{part}.weight'] for part in parts]
        bias = np.concatenate([self.tensors.get(f'{part}.bias', np.zeros(len(weight), np.float32))
                               for part, weight in zip(parts, weights, strict=True)])
        # Most of what integers would spoil is spoilt in the first layer; what comes after the
        # layers is small, and no later one evens out its errors.
        exact = not self.integers or name.startswith('layers.0.') or 'layers.' not in name
        if not exact:
            return self.builder.integer_linear(x, weights, bias, name=name)
        return self.builder.linear(x, weights, bias, name=name, exact='layers.' not in name)
