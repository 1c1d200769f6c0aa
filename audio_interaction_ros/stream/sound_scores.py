"""
From embeddings to scores of sounds, chunk by chunk: of the model's own head and of taught ones.

Owns what is kept of the newest chunks. Not thread-safe.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from audio_interaction_ros.runtimes.base import SoundHead
from audio_interaction_ros.stream.chunk import SoundScores

__all__ = ['SoundScorer', 'TaughtSound']


class TaughtSound(Protocol):
    """A sound that somebody taught."""

    @property
    def name(self) -> str:
        """Name of its class."""
        ...

    def score(self, embedding: np.ndarray) -> float:
        """Return the probability that it sounds in an embedding [embedding_width]."""
        ...


class SoundScorer:
    """Scores a stream of embeddings."""

    def __init__(self, head: SoundHead | None, taught: Sequence[TaughtSound] = ()) -> None:
        """Take a model's head, None if it has none, and sounds that were taught."""
        self._head, self._taught = head, tuple(taught)
        own = () if head is None else head.classes
        self._names = (*own, *(sound.name for sound in self._taught))
        self.reset()

    def reset(self) -> None:
        """Forget what was heard, as at the start of a stream."""
        self._heard = np.zeros((0, 0) if self._head is None else (
            self._head.context, self._head.hidden_width), np.float32)

    def push(self, embedding: np.ndarray) -> SoundScores:
        """Return what the next chunk sounds like, by its embedding [embedding_width] float32."""
        if not self._names:
            return SoundScores()
        scores = [sound.score(embedding) for sound in self._taught]
        if self._head is None:
            return SoundScores(names=self._names, scores=np.array(scores, np.float32))
        self._heard = np.concatenate((self._heard[1:], self._head.hear(embedding)[None]))
        return SoundScores(names=self._names, scores=np.concatenate(
            (self._head.score(self._heard), scores), dtype=np.float32))
