"""
What others say of the same embeddings: the sound branch that ships, YAMNet's classes, their sum.

Owns the way from their classes to ours: the largest logit of those that mean one of ours. They are
compared with a head in ``ablations``; nothing of them is kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from train.sound_head.classes import SoundClasses
from train.sound_head.tagger import TaggerClasses

__all__ = ['NEVER', 'Branch', 'branch_logits', 'tagger_logits']

NEVER = -12.0
"""The logit of a class that somebody does not know."""


@dataclass(frozen=True)
class Branch:
    """The sound branch of a model: hidden [256, 5632] and a logit for each of its names."""

    names: tuple[str, ...]
    hidden_weight: Tensor
    hidden_bias: Tensor
    classes_weight: Tensor
    classes_bias: Tensor

    @classmethod
    def read(cls, folder: Path) -> 'Branch':
        """Return the branch of a model folder."""
        tensors = load_file(folder / 'trained.safetensors')
        names = yaml.safe_load((folder / 'config.yaml').read_text(encoding='utf-8'))[
            'audio_tower']['sounds']
        return cls(tuple(names), *(tensors[f'sound.{layer}.{part}'].float()
                                   for layer in ('hidden', 'classes')
                                   for part in ('weight', 'bias')))

    def logits(self, embeddings: Tensor) -> Tensor:
        """Return the log-odds of each of its names [chunks, names] by embeddings."""
        hidden = F.gelu(F.linear(embeddings.float(), self.hidden_weight, self.hidden_bias))
        return F.linear(hidden, self.classes_weight, self.classes_bias)


def branch_logits(embeddings: Tensor, branch: Branch, classes: SoundClasses) -> np.ndarray:
    """Return what a sound branch says of embeddings [chunks, 5632]."""
    return _largest(branch.logits(embeddings).numpy(),
                    [[branch.names.index(label) for label in sound.labels
                      if label in branch.names] for sound in classes.all.values()])


def tagger_logits(embeddings: Tensor, tagger: TaggerClasses, classes: SoundClasses) -> np.ndarray:
    """Return what YAMNet's own classes say of embeddings [chunks, 5632]."""
    heard = embeddings[:, -tagger.weight.shape[1]:].float()
    logits = (heard @ torch.from_numpy(tagger.weight).T + torch.from_numpy(tagger.bias)).numpy()
    return _largest(logits, [[one.index for one in sound.audioset]
                             for sound in classes.all.values()])


def _largest(logits: np.ndarray, columns: Sequence[Sequence[int]]) -> np.ndarray:
    """Return the largest of some columns for each of our classes [chunks, classes]."""
    return np.stack([logits[:, list(own)].max(1) if own else np.full(len(logits), NEVER)
                     for own in columns], axis=1)
