"""
Who tells sounds apart: the sound head that the robot runs, and what stands beside it.

Owns one form for all of them: a scorer takes the embeddings of a stream and returns a score per
class and chunk, with the names of docs/sounds.md. The head's scores are those of the robot's own
code, computed for a stream at once. Beside it stand the sound branch that feeds the language
model, YAMNet's own classes, and the sum of their log-odds, in which nothing is trained. Knows no
threshold.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from safetensors.numpy import load_file

from audio_interaction_ros.model.sound_head import SoundHead, gelu
from eval.tagger import BANGS, FAMILIES, TAPS

__all__ = ['BRANCH', 'TAGGED', 'BranchScorer', 'HeadScorer', 'Scorer', 'SumScorer',
           'TaggerScorer', 'logits_of', 'probabilities_of']

TAGGER_WIDTH = 1024
"""The newest values of an embedding are YAMNet's."""
MOST = 30.0
"""Log-odds beyond it are cut off, so that a probability can be turned back."""
TAGGED: dict[str, frozenset[int]] = {
    **{name: frozenset(FAMILIES[name]) for name in (
        'smoke_alarm', 'fire_alarm', 'siren', 'glass_break', 'scream', 'gunshot', 'explosion',
        'car_horn', 'car_alarm', 'baby_cry', 'cough', 'dog_bark', 'door_knock', 'doorbell',
        'fire_crackling')},
    'thud': frozenset(BANGS), 'water_running': frozenset(TAPS),
    'reversing_beep': frozenset({313}), 'appliance_beep': frozenset({475})}
"""Class -> classes of AudioSet that mean it, by their place in YAMNet's published list."""
BRANCH: dict[str, tuple[str, ...]] = {
    **{name: (name,) for name in (
        'smoke_alarm', 'fire_alarm', 'siren', 'scream', 'gunshot', 'explosion', 'car_horn',
        'car_alarm', 'baby_cry', 'cough', 'dog_bark', 'door_knock', 'doorbell',
        'fire_crackling', 'reversing_beep')},
    'glass_break': ('glass_break', 'dish_break'), 'thud': ('impact_hard', 'door_bang'),
    'water_running': ('water_flow', 'water_pouring')}
"""Class -> sounds of the branch that mean it."""


class Scorer(Protocol):
    """Whoever says of each chunk what it sounds like."""

    @property
    def name(self) -> str:
        """Return what it is called in tables."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Return the names of what it tells apart."""

    def score(self, embeddings: np.ndarray) -> np.ndarray:
        """Return scores [chunks, classes] float32, 0 to 1, of embeddings [chunks, width]."""


def logits_of(scores: np.ndarray) -> np.ndarray:
    """Return the log-odds of scores of any shape, as float64 within MOST of 0."""
    p = np.asarray(scores, np.float64)
    with np.errstate(divide='ignore'):
        odds = np.log(p) - np.log1p(-p)
    return np.clip(odds, -MOST, MOST)


def probabilities_of(logits: np.ndarray) -> np.ndarray:
    """Return scores float32 of log-odds of any shape."""
    return (1.0 / (1.0 + np.exp(-np.clip(logits, -MOST, MOST)))).astype(np.float32)


class HeadScorer:
    """The head of the robot: what stream.sound_scores says chunk by chunk, a stream at once."""

    def __init__(self, path: Path, name: str = 'sound head') -> None:
        """Read a head; CheckpointError for a file that is none."""
        self.name, self.path = name, path
        self._head = SoundHead.read(path)
        self.classes: tuple[str, ...] = self._head.classes

    @property
    def identity(self) -> str:
        """Hash of the file."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()[:16]

    def score(self, embeddings: np.ndarray) -> np.ndarray:
        """Return scores [chunks, classes] of one stream from its beginning."""
        kept = self._head.hear(embeddings.astype(np.float32))
        before = np.zeros((self._head.context - 1, kept.shape[1]), np.float32)
        windows = np.lib.stride_tricks.sliding_window_view(
            np.concatenate([before, kept]), self._head.context, axis=0)
        return self._head.score(windows.transpose(0, 2, 1))  # the oldest chunk first


class BranchScorer:
    """The sound branch that one feature of the language model is made of, before that feature."""

    name = 'sound branch'

    def __init__(self, path: Path, sounds: Sequence[str]) -> None:
        """Take the trained weights of a model and what its branch tells apart, in order."""
        state = load_file(path)
        self._hidden, self._classes = (
            tuple(state[f'sound.{part}.{kind}'].astype(np.float32) for kind in ('weight', 'bias'))
            for part in ('hidden', 'classes'))
        places = {name: place for place, name in enumerate(sounds)}
        self._places = {name: [places[sound] for sound in mine if sound in places]
                        for name, mine in BRANCH.items() if any(s in places for s in mine)}
        self.classes = tuple(self._places)

    def score(self, embeddings: np.ndarray) -> np.ndarray:
        """Return scores [chunks, classes]: of several sounds the largest."""
        hidden = gelu(embeddings.astype(np.float32) @ self._hidden[0].T + self._hidden[1])
        return _largest(hidden @ self._classes[0].T + self._classes[1], self._places)


class TaggerScorer:
    """YAMNet's own 521 classes, of which some mean one of ours."""

    name = 'YAMNet'

    def __init__(self, weight: np.ndarray, bias: np.ndarray) -> None:
        """Take its last layer, weight [521, 1024] and bias [521]."""
        self._weight, self._bias = weight, bias
        self._places = {name: sorted(mine) for name, mine in TAGGED.items()}
        self.classes = tuple(self._places)

    def score(self, embeddings: np.ndarray) -> np.ndarray:
        """Return scores [chunks, classes]: of several classes the largest."""
        heard = embeddings[:, -TAGGER_WIDTH:].astype(np.float32)
        return _largest(heard @ self._weight.T + self._bias, self._places)


def _largest(logits: np.ndarray, places: Mapping[str, Sequence[int]]) -> np.ndarray:
    """Return scores [chunks, names], each of the largest of its columns."""
    return probabilities_of(np.stack([logits[:, mine].max(1) for mine in places.values()], 1))


@dataclass(frozen=True)
class SumScorer:
    """The mean of two scorers' log-odds: their sum on another scale, and nothing trained."""

    first: Scorer
    second: Scorer
    name: str = 'sum of both'

    @property
    def classes(self) -> tuple[str, ...]:
        """Return what both tell apart."""
        return tuple(name for name in self.first.classes if name in self.second.classes)

    def score(self, embeddings: np.ndarray) -> np.ndarray:
        """Return scores [chunks, classes]."""
        both = [logits_of(scorer.score(embeddings))[:, [scorer.classes.index(name)
                                                         for name in self.classes]]
                for scorer in (self.first, self.second)]
        return probabilities_of((both[0] + both[1]) / 2)
