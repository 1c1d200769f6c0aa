"""
Training of one head, epoch by epoch; a run that was stopped goes on with the next epoch.

Owns the loss, the order of the streams, the schedule and the file of what has been learned so far.
The same head, data and seed give the same bytes on one machine, stopped or not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from audio_interaction_ros.whole_file import open_whole
from train.sound_head.classes import PRESENT, UNKNOWN, SoundClasses
from train.sound_head.dataset import Dataset, Stream
from train.sound_head.net import HeadShape, Scaling, SoundNet, find_context
from train.sound_head.tagger import TaggerClasses

__all__ = ['FitPlan', 'fit_head', 'score_streams', 'split_long']

LONGEST = 30
"""Chunks of a stream that are learned from together; a longer one is cut."""
BATCH_CHUNKS = 600
MOST_BALANCE, LEAST_BALANCE, BALANCED_SHARE = 5.0, 0.5, 0.03
ALERT_WEIGHT = 2.0


@dataclass(frozen=True, kw_only=True)
class FitPlan:
    """How one head is trained."""

    epochs: int = 10
    rate: float = 1.5e-3
    weight_decay: float = 0.05
    seed: int = 0


def split_long(streams: Sequence[Stream]) -> list[Stream]:
    """Return the streams with long ones cut; a cut one begins anew, as after a gap."""
    return [Stream(stream.name, stream.fold, stream.kind, stream.first + start,
                   min(LONGEST, stream.chunks - start), ())
            for stream in streams for start in range(0, stream.chunks, LONGEST)]


def balance(targets: Tensor, classes: SoundClasses) -> tuple[Tensor, Tensor]:
    """Return the weight of what is present, and of each class [classes]."""
    share = (targets == PRESENT).float().mean(0).clamp(min=1e-4)
    weight = torch.ones(len(classes.names))
    weight[:len(classes.alerts)] = ALERT_WEIGHT
    return (BALANCED_SHARE / share).clamp(LEAST_BALANCE, MOST_BALANCE), weight


def fit_head(dataset: Dataset, streams: Sequence[Stream], classes: SoundClasses,
             tagger: TaggerClasses, scaling: Scaling, shape: HeadShape, plan: FitPlan, path: Path,
             report: Callable[[str], None] = print, weights: Tensor | None = None) -> SoundNet:
    """
    Return a head trained on streams; ``path`` keeps what is done after each epoch.

    The inputs of the dataset are those of ``scaling``.
    ``weights`` [chunks] of the dataset say how much each of its chunks counts; none: all alike.
    """
    weights = torch.ones(len(dataset.targets)) if weights is None else weights
    torch.manual_seed(plan.seed)
    net = SoundNet(shape, classes, tagger, scaling)
    optimizer = torch.optim.AdamW([value for value in net.parameters() if value.requires_grad],
                                  lr=plan.rate, weight_decay=plan.weight_decay, fused=True)
    done = _resume(path, net, optimizer)
    pieces = split_long(streams)
    positive, weight = balance(dataset.targets[dataset.find_places(pieces)], classes)
    for epoch in range(done, plan.epochs):
        torch.manual_seed(plan.seed * 1000 + epoch)
        net.train()
        batches = _make_batches(pieces, torch.randperm(len(pieces)).tolist())
        total = 0.0
        for number, batch in enumerate(batches):
            share = (epoch + number / len(batches)) / plan.epochs
            optimizer.param_groups[0]['lr'] = plan.rate * (
                0.02 + 0.98 * 0.5 * (1 + float(np.cos(np.pi * share))))
            heard, wanted, lengths = dataset.gather(batch)
            with torch.autocast('cpu', heard.dtype, enabled=heard.dtype != torch.float32):
                logits = net(heard, find_context(lengths, shape.context))
            loss = step_loss(logits.float(), wanted, positive, weight,
                             weights[dataset.find_places(batch)])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach())
        _keep(path, net, optimizer, epoch + 1)
        report(f'{path.stem}: epoch {epoch + 1} of {plan.epochs}, loss {total / len(batches):.3f}')
    return net.eval()


def step_loss(logits: Tensor, wanted: Tensor, positive: Tensor, weight: Tensor,
              chunk_weight: Tensor | float = 1.0) -> Tensor:
    """Return the loss of logits [chunks, classes] where the target is known."""
    told = F.binary_cross_entropy_with_logits(logits, wanted.clamp(min=0).float(),
                                              pos_weight=positive, reduction='none')
    return ((torch.where(wanted == UNKNOWN, 0.0, told) * weight).sum(1) * chunk_weight).mean()


def _make_batches(pieces: Sequence[Stream], order: Sequence[int]) -> list[list[Stream]]:
    batches: list[list[Stream]] = [[]]
    for number in order:
        if sum(piece.chunks for piece in batches[-1]) >= BATCH_CHUNKS:
            batches.append([])
        batches[-1].append(pieces[number])
    return batches


@torch.no_grad()
def score_streams(net: SoundNet, dataset: Dataset, streams: Sequence[Stream]) -> list[np.ndarray]:
    """Return the logits [chunks, classes] of each stream, heard from its beginning."""
    logits = []
    for batch in _make_batches(streams, range(len(streams))) if streams else []:
        heard, _, lengths = dataset.gather(batch)
        logits += list(net(heard.float(), find_context(lengths, net.shape.context)).split(lengths))
    return [one.numpy() for one in logits]


def _keep(path: Path, net: SoundNet, optimizer: torch.optim.Optimizer, epochs: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with open_whole(path) as file:
        torch.save({'epochs': epochs, 'net': net.state_dict(),
                    'optimizer': optimizer.state_dict()}, file)


def _resume(path: Path, net: SoundNet, optimizer: torch.optim.Optimizer) -> int:
    """Take up what was kept and return how many epochs are done."""
    if not path.is_file():
        return 0
    kept = torch.load(path, weights_only=True)
    net.load_state_dict(kept['net'])
    optimizer.load_state_dict(kept['optimizer'])
    return int(kept['epochs'])
