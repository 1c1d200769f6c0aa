"""
The net of the sound head: what is heard of each chunk, put beside what was heard before.

Owns its shape, its inputs, its start from YAMNet's classes, and how it becomes the tensors that
the robot reads: hidden [H, 5632], context [G, K * H] and classes [C, G], with all scaling merged
into them. Knows no data.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from train.sound_head.classes import SoundClasses
from train.sound_head.files import write_tensors
from train.sound_head.tagger import TaggerClasses

__all__ = ['FORMAT', 'HeadShape', 'Scaling', 'SoundNet', 'find_context', 'merge_heads',
           'prepare_inputs', 'save_head']

FORMAT = 'audio-interaction-sounds/1'
TAGGER_SHIFT = 6.0
"""Added to YAMNet's log-odds so that its units work where gelu is nearly the identity."""
CHUNKS_AT_ONCE = 4096
LEAST_DEVIATION = 1e-3


@dataclass(frozen=True, kw_only=True)
class HeadShape:
    """Sizes of a head and what it may hear of the embedding."""

    width: int = 5632
    tagger_width: int = 1024
    """Of which so many, the last ones, are YAMNet's."""
    own: int = 96
    """Hidden units that are learned from the whole embedding."""
    context: int = 5
    """Chunks that are looked at together, the newest included."""
    mixed: int = 128
    use_tagger: bool = True
    use_levels: bool = True


def find_context(lengths: Sequence[int], context: int) -> Tensor:
    """
    Return for each chunk of streams that follow each other which chunks are looked at.

    [chunks, context] int64, oldest first; the number of all chunks stands for nothing, before a
    stream.
    """
    total, places = sum(lengths), []
    since = np.concatenate([np.arange(length) for length in lengths])
    for back in range(context - 1, -1, -1):
        places.append(np.where(since >= back, np.arange(total) - back, total))
    return torch.from_numpy(np.stack(places, axis=1))


@dataclass(frozen=True)
class Scaling:
    """Mean and deviation [width] of embeddings, by which every net of a run scales them."""

    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, embeddings: Tensor) -> 'Scaling':
        """Return those of some embeddings [chunks, width] that are trained on."""
        heard = embeddings.float()
        return cls(heard.mean(0), heard.std(0) + LEAST_DEVIATION)


def prepare_inputs(embeddings: Tensor, scaling: Scaling, tagger: TaggerClasses,
                   classes: SoundClasses, dtype: torch.dtype = torch.bfloat16) -> Tensor:
    """
    Return what every net of a run learns from: [chunks, width + units].

    First embeddings [chunks, width] scaled, then YAMNet's units, which no training changes. In
    bfloat16 a net is fitted in a third of the time.
    """
    chosen = tagger.choose(classes.audioset)
    weight, bias = torch.from_numpy(chosen.weight), torch.from_numpy(chosen.bias) + TAGGER_SHIFT
    width = embeddings.shape[1]
    inputs = torch.empty(len(embeddings), width + len(bias), dtype=dtype)
    for place in range(0, len(embeddings), CHUNKS_AT_ONCE):
        raw = embeddings[place:place + CHUNKS_AT_ONCE].float()
        rows = inputs[place:place + CHUNKS_AT_ONCE]
        rows[:, :width] = (raw - scaling.mean) / scaling.deviation
        rows[:, width:] = F.gelu(F.linear(raw[:, -weight.shape[1]:], weight, bias))
    return inputs


class SoundNet(nn.Module):
    """A hidden layer per chunk, a layer over some chunks, and a logit per class."""

    def __init__(self, shape: HeadShape, classes: SoundClasses, tagger: TaggerClasses,
                 scaling: Scaling) -> None:
        """Begin with YAMNet's classes; inputs are those of ``prepare_inputs``."""
        super().__init__()
        self.shape, self.scaling = shape, scaling
        chosen = tagger.choose(classes.audioset)
        self.own = nn.Linear(shape.width, shape.own)
        self.tagger = nn.Linear(shape.tagger_width, len(classes.audioset)).requires_grad_(False)
        self.units = shape.own + len(classes.audioset)
        self.context = nn.Linear(shape.context * self.units, shape.mixed)
        self.classes = nn.Linear(shape.mixed, len(classes.names))
        with torch.no_grad():
            self.tagger.weight.copy_(torch.from_numpy(chosen.weight))
            self.tagger.bias.copy_(torch.from_numpy(chosen.bias) + TAGGER_SHIFT)
            self._begin_with_tagger(classes)

    def _begin_with_tagger(self, classes: SoundClasses) -> None:
        """Let unit c of the context be the mean of what YAMNet says for class c, and output it."""
        newest = self.context.in_features - self.units + self.shape.own
        place = {index: number for number, index in enumerate(classes.audioset)}
        self.classes.weight.mul_(0.3)
        self.classes.bias.fill_(-4.0)
        if not self.shape.use_tagger:
            return
        for number, sound in enumerate(classes.all.values()):
            for heard in sound.audioset:
                self.context.weight[number, newest + place[heard.index]] += \
                    1.0 / len(sound.audioset)
            self.classes.weight[number, number] += 0.7
            self.classes.bias[number] = -4.0 - 0.7 * (TAGGER_SHIFT - 4.0)

    def hear(self, inputs: Tensor) -> Tensor:
        """Return hidden units [chunks, units] of prepared inputs [chunks, width + units]."""
        heard, said = inputs.split((self.shape.width, self.units - self.shape.own), 1)
        kept = F.dropout(self._allowed(), 0.2, self.training)  # of all chunks alike: it is cheaper
        own = F.gelu(F.linear(heard, self.own.weight * kept, self.own.bias))
        return torch.cat((F.dropout(own, 0.3, self.training),
                          F.dropout(said * float(self.shape.use_tagger), 0.1, self.training)), 1)

    def _allowed(self) -> Tensor:
        """Return 1 for each number of an embedding that the head may hear, 0 for the others."""
        allowed = torch.full((self.shape.width,), float(self.shape.use_levels))
        allowed[-self.shape.tagger_width:] = float(self.shape.use_tagger)
        return allowed

    def forward(self, inputs: Tensor, places: Tensor) -> Tensor:
        """Return logits [chunks, classes] of streams of inputs; see find_context."""
        units = F.pad(self.hear(inputs), (0, 0, 0, 1))
        together = units[places].flatten(1)
        return self.classes(F.dropout(F.gelu(self.context(together)), 0.2, self.training))

    def own_units(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of the learned units for embeddings as they are."""
        weight = self.own.weight * self._allowed() / self.scaling.deviation
        return weight, self.own.bias - weight @ self.scaling.mean

    def tagger_units(self) -> tuple[Tensor, Tensor]:
        """Return weight and bias of YAMNet's units, for whole embeddings."""
        levels = self.shape.width - self.shape.tagger_width
        used = float(self.shape.use_tagger)
        return F.pad(self.tagger.weight, (levels, 0)) * used, self.tagger.bias * used


@torch.no_grad()
def merge_heads(nets: Sequence[SoundNet], scale: np.ndarray,
                shift: np.ndarray) -> dict[str, np.ndarray]:
    """
    Return the tensors of the robot's head, float32: the mean of the logits of heads of one shape.

    YAMNet's units are theirs in common, all others stand side by side. Inputs need no scaling any
    more, and the mean logit of each class [classes] becomes ``scale * logit + shift``.
    """
    own, said = [net.own_units() for net in nets], nets[0].tagger_units()
    scales, shifts = (torch.from_numpy(values).float() for values in (scale, shift))
    classes = torch.cat([net.classes.weight for net in nets], dim=1) / len(nets)
    bias = sum((net.classes.bias for net in nets), torch.zeros(len(scales))) / len(nets)
    tensors = {
        'hidden.weight': torch.cat([*(weight for weight, _ in own), said[0]]),
        'hidden.bias': torch.cat([*(values for _, values in own), said[1]]),
        'context.weight': torch.cat([_widen_context(net, number, len(nets))
                                     for number, net in enumerate(nets)]),
        'context.bias': torch.cat([net.context.bias for net in nets]),
        'classes.weight': classes * scales[:, None], 'classes.bias': bias * scales + shifts}
    return {name: tensor.numpy().astype(np.float32) for name, tensor in tensors.items()}


def _widen_context(net: SoundNet, number: int, count: int) -> Tensor:
    """Return the context's weight where the units of ``count`` heads stand side by side."""
    own = net.shape.own
    by_chunk = net.context.weight.reshape(net.shape.mixed, net.shape.context, net.units)
    wide = by_chunk.new_zeros(net.shape.mixed, net.shape.context,
                              count * own + net.units - own)
    wide[:, :, number * own:(number + 1) * own] = by_chunk[:, :, :own]
    wide[:, :, count * own:] = by_chunk[:, :, own:]
    return wide.flatten(1)


def save_head(tensors: dict[str, np.ndarray], names: Sequence[str], context: int,
              path: Path) -> None:
    """Write a head as the robot reads it: float16, with its classes and context as metadata."""
    write_tensors(path, {name: tensor.astype(np.float16) for name, tensor in tensors.items()},
                  {'format': FORMAT, 'classes': json.dumps(list(names)), 'context': str(context)})
