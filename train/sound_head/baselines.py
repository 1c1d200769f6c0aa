"""
What others say of the same embeddings: the sound branch that ships, YAMNet's classes, their sum.

Owns the way from their classes to ours: the largest logit of those that mean one of ours. They are
compared with a head in ``ablations``; nothing of them is kept.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from train.sound_head.classes import SoundClasses
from train.sound_head.tagger import TaggerClasses

__all__ = ['NEVER', 'branch_logits', 'tagger_logits']

NEVER = -12.0
"""The logit of a class that somebody does not know."""


def branch_logits(embeddings: Tensor, folder: Path, classes: SoundClasses) -> np.ndarray:
    """Return what the sound branch of a model folder says of embeddings [chunks, 5632]."""
    tensors = load_file(folder / 'trained.safetensors')
    names = yaml.safe_load((folder / 'config.yaml').read_text(encoding='utf-8'))[
        'audio_tower']['sounds']
    hidden = F.gelu(F.linear(embeddings.float(), tensors['sound.hidden.weight'].float(),
                             tensors['sound.hidden.bias'].float()))
    logits = F.linear(hidden, tensors['sound.classes.weight'].float(),
                      tensors['sound.classes.bias'].float()).numpy()
    return _largest(logits, [[names.index(label) for label in sound.labels if label in names]
                             for sound in classes.all.values()])


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
