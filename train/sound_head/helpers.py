"""
Two who help the head: the sound branch of the language model, and YAMNet's own classes.

Neither is trained here. What each says of a class is a sum over what means that class, and never
less than a floor: that somebody is sure of a silence counts no more than that nobody heard it. The
mean of the three, with fixed shares, is calibrated as one head would be, and it is one: their
layers stand beside the head's own, so the robot reads one file of the same form. Owns shares,
floor and merging.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from train.sound_head.baselines import Branch
from train.sound_head.calibration import Calibration
from train.sound_head.classes import SoundClasses
from train.sound_head.net import TAGGER_SHIFT
from train.sound_head.tagger import TaggerClasses

__all__ = ['Helpers', 'Shares']

FLOOR = 6.0
"""Log-odds below -FLOOR say nothing more; the same as the shift of YAMNet's units."""
MARGIN = 4.0
"""Added to a sum of units, and taken away again: there gelu is the identity."""


@dataclass(frozen=True, kw_only=True)
class Shares:
    """How much each says of the mean; chosen on recordings that nobody of them heard."""

    head: float = 0.5
    branch: float = 0.25
    tagger: float = 0.25


@dataclass(frozen=True)
class Helpers:
    """The branch, YAMNet's classes, and their shares."""

    branch: Branch
    tagger: TaggerClasses
    classes: SoundClasses
    shares: Shares

    def join(self, calibrated: np.ndarray, embeddings: Tensor) -> np.ndarray:
        """Return the mean [chunks, classes] of calibrated logits of the head and both helpers."""
        return np.asarray(self.shares.head * calibrated
                          + self.shares.tagger * self._tagger_says(embeddings)
                          + self.shares.branch * self._branch_says(embeddings))

    def _tagger_says(self, embeddings: Tensor) -> np.ndarray:
        chosen = self.tagger.choose(self.classes.audioset)
        heard = embeddings[:, -chosen.weight.shape[1]:].float()
        units = F.gelu(heard @ torch.from_numpy(chosen.weight).T
                       + torch.from_numpy(chosen.bias) + TAGGER_SHIFT)
        return (units @ self._tagger_means().T).numpy() - FLOOR

    def _branch_says(self, embeddings: Tensor) -> np.ndarray:
        units = F.gelu(self.branch.logits(embeddings) + FLOOR)
        return (units @ self._branch_means().T).numpy() - FLOOR

    def _tagger_means(self) -> Tensor:
        """Return which of YAMNet's units mean which class [classes, units]."""
        place = {index: number for number, index in enumerate(self.classes.audioset)}
        return _mark([[place[heard.index] for heard in sound.audioset]
                      for sound in self.classes.all.values()], len(place))

    def _branch_means(self) -> Tensor:
        """Return which sounds of the branch mean which class [classes, sounds]."""
        place = {name: number for number, name in enumerate(self.branch.names)}
        return _mark([[place[label] for label in sound.labels if label in place]
                      for sound in self.classes.all.values()], len(place))

    def merge(self, tensors: dict[str, np.ndarray], context: int,
              calibration: Calibration) -> dict[str, np.ndarray]:
        """
        Return the tensors of a head that says what ``calibration`` makes of the joined logits.

        ``tensors`` are those of ``net.merge_heads``, whose logits are calibrated already.
        """
        head = {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}
        scale, shift = (torch.from_numpy(values).float()
                        for values in (calibration.scale, calibration.shift))
        tagged, meant = self._tagger_means(), self._branch_means()
        classes = torch.cat([self.shares.head * head['classes.weight'],
                             self.shares.tagger * torch.eye(len(tagged)),
                             self.shares.branch * meant], dim=1)
        bias = self.shares.head * head['classes.bias'] - self.shares.branch * FLOOR \
            - self.shares.tagger * (FLOOR + MARGIN)
        newest = self._newest_rows(head, tagged)
        before = torch.zeros(len(newest), (context - 1) * newest.shape[1])
        merged = {
            'hidden.weight': torch.cat([head['hidden.weight'], self.branch.hidden_weight]),
            'hidden.bias': torch.cat([head['hidden.bias'], self.branch.hidden_bias]),
            'context.weight': torch.cat([self._widen(head, context),
                                         torch.cat([before, newest], dim=1)]),
            'context.bias': torch.cat([head['context.bias'],
                                       torch.full((len(tagged),), MARGIN),
                                       self.branch.classes_bias + FLOOR]),
            'classes.weight': classes * scale[:, None], 'classes.bias': bias * scale + shift}
        return {name: tensor.numpy().astype(np.float32) for name, tensor in merged.items()}

    def _newest_rows(self, head: dict[str, Tensor], tagged: Tensor) -> Tensor:
        """Return what the helpers' context units look at in the newest chunk [units, hidden]."""
        own = len(head['hidden.bias']) - tagged.shape[1]
        branch = len(self.branch.hidden_bias)
        return torch.cat([F.pad(tagged, (own, branch)),
                          F.pad(self.branch.classes_weight, (own + tagged.shape[1], 0))])

    def _widen(self, head: dict[str, Tensor], context: int) -> Tensor:
        """Return the head's context, which looks at no unit of the branch."""
        weight = head['context.weight']
        by_chunk = weight.reshape(len(weight), context, -1)
        return F.pad(by_chunk, (0, len(self.branch.hidden_bias))).flatten(1)


def _mark(places: Sequence[Sequence[int]], width: int) -> Tensor:
    marked = torch.zeros(len(places), width)
    for number, own in enumerate(places):
        marked[number, list(own)] = 1.0
    return marked
