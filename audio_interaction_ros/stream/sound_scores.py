"""
From embeddings to scores of sounds, chunk by chunk: of the model's own head and of taught ones.

Owns what is kept of the newest chunks. Not thread-safe.
"""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.runtimes.base import SoundHead
from audio_interaction_ros.stream.chunk import SoundScores

__all__ = ['SoundScorer', 'TaughtSound']


class TaughtSound(Protocol):
    """A sound that somebody taught."""

    @property
    def name(self) -> str:
        """As it stands in scores, rules and alerts."""
        ...

    def score(self, embedding: np.ndarray) -> float:
        """Return the probability that it sounds in an embedding [embedding_width]."""
        ...


class SoundScorer:
    """Scores a stream of embeddings."""

    def __init__(self, head: SoundHead | None, taught: Sequence[TaughtSound] = ()) -> None:
        """
        Take a model's head, None if it has none, and sounds that were taught.

        ConfigurationError where two sounds have one name, for nobody could tell them apart.
        """
        self._head, self._taught = head, tuple(taught)
        own = () if head is None else head.classes
        self._names = (*own, *(sound.name for sound in self._taught))
        if twice := {name for name in self._names if self._names.count(name) > 1}:
            raise ConfigurationError(
                f'expected one sound of each name, found several called '
                f'{", ".join(sorted(twice))}; remove the taught sound and teach it under another')
        self.reset()

    def reset(self) -> None:
        """Forget what was heard, as at the start of a stream."""
        self._heard = np.zeros((0, 0) if self._head is None else (
            self._head.context, self._head.hidden_width), np.float32)

    def push(self, embedding: np.ndarray) -> SoundScores:
        """
        Return what the next chunk sounds like, by its embedding [embedding_width] float32.

        Where that is no finite numbers every score is 0, and later chunks do not suffer from it.
        """
        if not self._names:
            return SoundScores()
        if not np.isfinite(embedding).all():
            self._heard = np.concatenate((self._heard[1:], np.zeros_like(self._heard[:1])))
            return SoundScores(names=self._names, scores=np.zeros(len(self._names), np.float32))
        scores = [sound.score(embedding) for sound in self._taught]
        if self._head is None:
            return SoundScores(names=self._names, scores=np.array(scores, np.float32))
        self._heard = np.concatenate((self._heard[1:], self._head.hear(embedding)[None]))
        return SoundScores(names=self._names, scores=np.concatenate(
            (self._head.score(self._heard), scores), dtype=np.float32))
