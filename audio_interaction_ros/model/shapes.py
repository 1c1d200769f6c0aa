"""
The shapes of the two halves of a model, as its configuration gives them.

Owns sizes, what they must fulfil, and what follows from them. Knows no framework: whoever
computes, torch or a graph, takes its sizes from here.
"""

from dataclasses import dataclass, replace

import numpy as np

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import (
    MAGNITUDE_BINS,
    MEL_FRAMES_PER_CHUNK,
    NO_MAGNITUDE,
    ChunkSize,
)

__all__ = ['EMBEDDING_WIDTH', 'MEL_FILL', 'PATCH_FRAMES', 'TAGGER_BLOCKS', 'TAGGER_WIDTH',
           'AudioTowerConfig', 'DecoderConfig', 'WhisperDecoderConfig', 'sinusoids']

PATCH_FRAMES = 96
"""Frames that the tagger hears at once: 0.96 s."""
EMBEDDING_WIDTH = 1024
"""Numbers that the tagger makes of them."""
TAGGER_WIDTH = 32
"""Channels of the tagger's first convolution, whose stride is two."""
TAGGER_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *((512, 1),) * 5,
                 (1024, 2), (1024, 1))
"""Width and stride of each pair of a depthwise and a pointwise convolution that follow."""
MEL_FILL = -1.5
"""Normalised log-mel of digital silence; fills the window before a stream starts."""


@dataclass(frozen=True, kw_only=True)
class AudioTowerConfig:
    """Shape of an audio tower."""

    mel_bins: int
    width: int
    layers: int
    heads: int
    mlp_width: int
    window_frames: int = MEL_FRAMES_PER_CHUNK
    """Mel frames per pass: one chunk and its left context, a multiple of the chunk."""
    keep_frames: int = MEL_FRAMES_PER_CHUNK // 2
    """Newest encoder frames (20 ms each) that are kept: those of the chunk, whose size this is."""
    pool: int = 1
    """Encoder frames averaged into one before the last norm (2 in Qwen2.5-Omni)."""
    stack: int = 1
    """Frames laid side by side into one feature."""
    second_look: bool = False
    """Each feature also carries its frames of one chunk ago, heard again with what followed."""
    projector: str = 'linear'
    """linear (one layer, ``proj``) or mlp (two with a GELU between, ``projector.0/.2``)."""
    projector_hidden: int = 0
    """Width between the two layers of an mlp projector."""
    output_width: int
    """Width of a feature, that of the language model."""
    feature_norm: float = 0.0
    """Length that every feature is scaled to, that of a token's embedding; 0 leaves it."""
    sounds: tuple[str, ...] = ()
    """What the sound branch tells apart, in its order; its feature is the last of every chunk."""
    sound_levels: tuple[int, ...] = ()
    """After how many layers the sound branch listens; the middle layers hear sounds best."""
    sound_hidden: int = 256
    sound_feature: str = 'direction'
    """
    What the feature of sounds tells: 'direction', a mixture of names, always of feature_norm's
    length; 'strength', that direction, as long as what is heard best is sure (of feature_norm).
    """
    tagger: bool = False
    """The sound branch also listens to YAMNet, whose spectrogram comes below the mel."""

    def __post_init__(self) -> None:
        if self.keep_frames <= 0 or self.window_frames <= 0 or (
                self.window_frames % (2 * self.keep_frames)):
            raise ConfigurationError(
                f'audio_tower.window_frames must be a positive multiple of '
                f'{2 * self.keep_frames}, the frames of a chunk (twice keep_frames), is '
                f'{self.window_frames}; correct the model configuration')
        if self.keep_frames % (self.pool * self.stack):
            raise ConfigurationError(
                f'audio_tower.keep_frames must divide by pool x stack = {self.pool * self.stack}, '
                f'is {self.keep_frames}: chunks of {self.keep_frames * 0.02:g} s make no whole '
                'features; correct the model configuration or choose another size of chunk')
        if self.second_look and self.keep_frames * 2 > self.window_frames // 2:
            raise ConfigurationError(
                'audio_tower.second_look needs a window of two chunks or more, '
                f'window_frames is {self.window_frames}; correct the model configuration')
        if self.projector not in ('linear', 'mlp'):
            raise ConfigurationError(
                f"audio_tower.projector must be 'linear' or 'mlp', is {self.projector!r}; "
                'correct the model configuration')
        if bool(self.sounds) != bool(self.sound_levels) or any(
                not 0 <= level <= self.layers for level in self.sound_levels):
            raise ConfigurationError(
                'audio_tower.sounds needs sound_levels, and sound_levels needs sounds, each level '
                f'from 0 to {self.layers}; they are {len(self.sounds)} sounds and '
                f'{self.sound_levels}; correct the model configuration')
        if self.sound_feature not in ('direction', 'strength') or (
                self.sound_feature == 'strength' and not (self.sounds and self.feature_norm)):
            raise ConfigurationError(
                "audio_tower.sound_feature must be 'direction', or 'strength' with sounds and a "
                f'feature_norm above 0, is {self.sound_feature!r} with {len(self.sounds)} sounds '
                f'and {self.feature_norm}; correct the model configuration')
        if self.tagger and (not self.sounds or self.window_frames < PATCH_FRAMES):
            raise ConfigurationError(
                f'audio_tower.tagger needs sounds and a window of {PATCH_FRAMES} frames or more, '
                f'found {len(self.sounds)} sounds and {self.window_frames} frames; correct the '
                'model configuration')

    @property
    def word_features(self) -> int:
        """Features of one pass that carry frames."""
        return self.keep_frames // self.pool // self.stack

    @property
    def features_per_chunk(self) -> int:
        """Features that one pass gives."""
        return self.word_features + bool(self.sounds)

    @property
    def sound_width(self) -> int:
        """Numbers that the sound branch listens to."""
        return 3 * self.width * len(self.sound_levels) + self.tagger * EMBEDDING_WIDTH

    @property
    def stacked_width(self) -> int:
        """Numbers per feature before the projector."""
        return self.width * self.stack * (2 if self.second_look else 1)

    def initial_mel(self, frames: int) -> np.ndarray:
        """Return what fills the mel [rows, frames] float32 before a stream starts."""
        magnitudes = np.full((self.tagger * MAGNITUDE_BINS, frames), NO_MAGNITUDE, np.float32)
        return np.concatenate((np.full((self.mel_bins, frames), MEL_FILL, np.float32),
                               magnitudes))

    @property
    def chunk_size(self) -> ChunkSize:
        """
        The chunk of audio that one pass encodes.

        Raises ConfigurationError for a tower that hears whole clips and no stream.
        """
        return ChunkSize(2 * self.keep_frames)

    def with_chunk(self, size: ChunkSize) -> 'AudioTowerConfig':
        """
        Return the same tower for other chunks, to be trained with them.

        The window of one that hears its chunk alone is the new chunk, another keeps at least its
        length. As many frames are stacked into a feature as before, or the most below that make
        whole features. Raises ConfigurationError where ``pool`` does not divide the chunk.
        """
        window, frames = size.frames, size.frames // 2
        if self.window_frames > 2 * self.keep_frames:
            window *= -(-self.window_frames // size.frames)
        stack = next((stack for stack in range(self.stack, 1, -1)
                      if frames % (self.pool * stack) == 0), 1)
        return replace(self, window_frames=window, keep_frames=frames, stack=stack)


@dataclass(frozen=True, kw_only=True)
class DecoderConfig:
    """Shape of a decoder."""

    layers: int
    width: int
    mlp_width: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab_size: int
    """Rows of the embedding, padding rows included."""
    rope_base: float = 1_000_000.0
    norm_eps: float = 1e-6
    attention_bias: bool = False
    """True: query, key and value projections have a bias (Qwen2); the output never has."""
    tied_head: bool = False
    """True: the head is the embedding; False: it has weights of its own."""


@dataclass(frozen=True, kw_only=True)
class WhisperDecoderConfig:
    """Shape of a Whisper decoder; the defaults are those of Whisper base."""

    vocab_size: int = 51_865
    width: int = 512
    layers: int = 6
    heads: int = 8
    mlp_width: int = 2_048
    max_positions: int = 448
    alignment_heads: tuple[tuple[int, int], ...] = (
        (3, 1), (4, 2), (4, 3), (4, 7), (5, 1), (5, 2), (5, 4), (5, 6))
    """(layer, head) of those that look where in the audio a token is, as Whisper's authors found
    them; none: nobody tells."""

    @property
    def head_dim(self) -> int:
        """Width of one head."""
        return self.width // self.heads


def sinusoids(length: int, width: int) -> np.ndarray:
    """Return Whisper's positions [length, width] float32: sines, then cosines."""
    scale = np.log(10_000.0) / (width // 2 - 1)
    angles = np.arange(length)[:, None] * np.exp(-scale * np.arange(width // 2))[None, :]
    return np.concatenate((np.sin(angles), np.cos(angles)), axis=1).astype(np.float32)
