"""The two halves of a model that listens: what they are, and what each must do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import (
    MAGNITUDE_BINS,
    RELEASED_CHUNK,
    ChunkSize,
    TokenIds,
)
from audio_interaction_ros.runtimes.base.steps import StepRequest, StepResult
from audio_interaction_ros.runtimes.base.texts import Tokenizer

__all__ = ['Decoder', 'DecoderSpec', 'Encoder', 'EncoderSpec', 'Encoding', 'HALVES', 'NotLoaded',
           'Runtime', 'SoundHead']


HALVES = ('encoder', 'decoder')


@dataclass(frozen=True, kw_only=True)
class EncoderSpec:
    """Shapes and identity of an encoder."""

    model_id: str
    """Hash of the weights; a decoder accepts features of its own model only."""
    mel_bins: int
    features_per_chunk: int
    feature_width: int
    embedding_width: int = 0
    """Numbers of the embedding that sounds are told from; 0: the encoder makes none."""
    magnitudes: bool = False
    """The spectrogram of audio.magnitudes comes below the mel, for a tagger in the encoder."""
    mel_decay_per_s: float = 0.0
    """Decay of the running log-mel maximum, in log10 units per second; 0 = keep for ever."""
    mel_maximum_floor: float = -10.0
    """The running log-mel maximum never falls below this (log10 power)."""
    chunk_size: ChunkSize = RELEASED_CHUNK
    """Chunks that the model was trained with."""

    @property
    def mel_rows(self) -> int:
        """Rows of the mel of a chunk, magnitudes included."""
        return self.mel_bins + (MAGNITUDE_BINS if self.magnitudes else 0)


@dataclass(frozen=True, kw_only=True)
class Encoding:
    """What an encoder makes of one chunk."""

    features: np.ndarray
    """[features_per_chunk, feature_width] float32, for the decoder."""
    embedding: np.ndarray
    """[embedding_width] float32: what the newest two seconds sound like, for sound heads."""


@dataclass(frozen=True, kw_only=True)
class DecoderSpec:
    """Shapes and identity of a decoder."""

    model_id: str
    features_per_chunk: int
    feature_width: int
    vocab_size: int
    token_ids: TokenIds
    max_positions: int
    """Positions (cache slots) per lane that the model was trained for."""
    chunk_size: ChunkSize = RELEASED_CHUNK


class Encoder(Protocol):
    """Turns the mel of one chunk into features; state (left context) is its own."""

    spec: EncoderSpec

    def encode(self, mel: np.ndarray) -> Encoding:
        """Return what the mel [rows, frames] of the next chunk is, after those before."""
        ...

    def skip(self, mel: np.ndarray) -> None:
        """Take a chunk in as left context only, which costs next to nothing."""
        ...

    def reset(self) -> None:
        """Forget all left context, as at the start of a stream."""
        ...


class SoundHead(Protocol):
    """Tells sounds apart by the embeddings of the newest chunks; holds no state."""

    classes: tuple[str, ...]
    """Names of the sounds."""
    context: int
    """Chunks that it hears at once."""
    hidden_width: int
    """Numbers that it keeps of each of them."""

    def hear(self, embedding: np.ndarray) -> np.ndarray:
        """Return what is kept [hidden_width] float32 of an embedding [embedding_width]."""
        ...

    def score(self, heard: np.ndarray) -> np.ndarray:
        """
        Return the probability [classes] float32 that each sounds now.

        ``heard`` [context, hidden_width] is what was kept of the newest chunks, oldest first;
        zeros stand for chunks before a stream.
        """
        ...


class Decoder(Protocol):
    """One forward pass over several lanes; holds the key/value cache of each lane."""

    spec: DecoderSpec

    def open(self, *, lanes: int, slots: int) -> None:
        """Allocate the cache for a number of lanes with S_max slots each; drops older caches."""
        ...

    def step(self, requests: Sequence[StepRequest]) -> list[StepResult]:
        """
        Run one pass; results in the order of the requests, at most one per lane.

        A pass that raised may be run again with some of its requests: they write the same slots.
        """
        ...

    def forget(self, lane: int) -> None:
        """
        Make the cache of a lane as it was after open().

        What a lane no longer sees may still reach it where it is no number: 0 times NaN is NaN.
        """
        ...


class NotLoaded:
    """Stands where a half of a model was not asked for; any use says so."""

    def __init__(self, half: str) -> None:
        """Remember which half is missing."""
        self._half = half

    def __getattr__(self, name: str) -> Any:
        """Raise ConfigurationError."""
        raise ConfigurationError(f'expected the {self._half} of the model to be loaded, found '
                                 f'only the other half; ask load_runtime for both halves')


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """The halves of a model, ready to run; NotLoaded for one that was not asked for."""

    encoder: Encoder
    decoder: Decoder
    tokenizer: Tokenizer
    """Comes with the decoder."""
    config: Any
    """What the model says of itself: a checkpoints.config.CheckpointConfig."""
    sounds: SoundHead | None = None
    """Comes with the encoder; None where the model tells no sounds apart."""
