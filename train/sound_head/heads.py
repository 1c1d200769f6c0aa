"""
The heads of one run: several seeds on all folds that are trained on, and as many without each.

Owns which head hears which streams, each kept in a file of its own. Several seeds count as one
head: the mean of their logits. Those without a fold only score it, for calibration and curves.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from train.sound_head.classes import PRESENT, UNKNOWN, SoundClasses
from train.sound_head.clips import FOLDS, HELD_OUT
from train.sound_head.dataset import Dataset, Stream
from train.sound_head.fit import FitPlan, fit_head, score_streams
from train.sound_head.hours import HOURS
from train.sound_head.net import HeadShape, Scaling, SoundNet
from train.sound_head.scenes import SHAPED
from train.sound_head.tagger import TaggerClasses

__all__ = ['FIRST', 'FIRST_EPOCHS', 'HeadPlan', 'Training', 'mean_precision', 'plan_first',
           'plan_heads', 'score_held_out', 'score_mean']

FIRST = 'first-'
"""What the names of heads of the first round begin with."""
FIRST_EPOCHS = 3
"""They need not be as good as the others: that they are wrong in the same places is enough."""


@dataclass(frozen=True, kw_only=True)
class HeadPlan:
    """One head: what it is called, which fold it does not hear, its shape and how it is fitted."""

    name: str
    without: int = HELD_OUT
    shape: HeadShape
    fit: FitPlan
    first: bool = False
    """A head of the first round, whose mistakes in the hours are mined: it does not hear them."""

    def hears(self, stream: Stream) -> bool:
        """Tell whether a stream is trained on."""
        return stream.fold not in (HELD_OUT, self.without) and not (
            self.first and stream.kind in (HOURS, SHAPED))


def plan_heads(shape: HeadShape, seeds: int, epochs: int) -> list[HeadPlan]:
    """Return so many seeds of the head, and as many without each fold that is trained on."""
    return [HeadPlan(name=f'{head_name(without)}-{seed}', without=without, shape=shape,
                     fit=FitPlan(seed=seed, epochs=epochs))
            for without in range(FOLDS) for seed in range(seeds)]


def plan_first(shape: HeadShape, epochs: int) -> list[HeadPlan]:
    """Return the heads of the first round: one of all folds that are trained on, and one less."""
    return [HeadPlan(name=f'{FIRST}{head_name(without)}-0', without=without, shape=shape,
                     fit=FitPlan(epochs=min(epochs, FIRST_EPOCHS)), first=True)
            for without in range(FOLDS)]


def head_name(without: int) -> str:
    """Return what the seeds that do not hear a fold are called, before their number."""
    return 'seed' if without == HELD_OUT else f'without-{without}'


@dataclass(frozen=True)
class Training:
    """What every head of a run needs: data, classes, YAMNet's classes, scaling, and a folder."""

    dataset: Dataset
    classes: SoundClasses
    tagger: TaggerClasses
    scaling: Scaling
    folder: Path
    weights: Tensor | None = None
    """Of each chunk, for heads of the second round."""
    composed: tuple[str, ...] = ('train', SHAPED)
    """Kinds of scenes that are trained on and score nobody."""

    def fit(self, plan: HeadPlan, report: Callable[[str], None] = print) -> SoundNet:
        """Return a head, fitted as far as it is not yet."""
        return fit_head(self.dataset, self.dataset.choose(plan.hears), self.classes, self.tagger,
                        self.scaling, plan.shape, plan.fit, self.folder / f'{plan.name}.pt',
                        report, None if plan.first else self.weights)


def score_mean(training: Training, nets: Sequence[SoundNet],
               streams: Sequence[Stream]) -> list[np.ndarray]:
    """Return the mean logits [chunks, classes] of several seeds, of each stream."""
    return [np.mean(logits, axis=0) for logits in zip(*(
        score_streams(net, training.dataset, streams) for net in nets), strict=True)]


def score_held_out(training: Training, heads: Mapping[str, SoundNet],
                   streams: Sequence[Stream]) -> list[np.ndarray]:
    """Return logits [chunks, classes] of streams, each by seeds that did not hear its fold."""
    by_name = dict[str, np.ndarray]()
    for fold in range(FOLDS):
        own = [stream for stream in streams if stream.fold == fold]
        nets = [net for name, net in heads.items() if name.startswith(f'{head_name(fold)}-')]
        by_name.update(zip((stream.name for stream in own),
                           score_mean(training, nets, own), strict=True))
    return [by_name[stream.name] for stream in streams]


def mean_precision(logits: np.ndarray, targets: np.ndarray, columns: Sequence[int]) -> float:
    """Return the mean average precision of classes that occur, unknown chunks left out."""
    precisions = []
    for column in columns:
        known = targets[:, column] != UNKNOWN
        truth = targets[known, column] == PRESENT
        if truth.any():
            hits = truth[np.argsort(-logits[known, column], kind='stable')]
            precisions.append(float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean()))
    return float(np.mean(precisions)) if precisions else 0.0
