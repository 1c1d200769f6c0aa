"""
Training of one head, epoch by epoch; a run that was stopped goes on with the next epoch.

Owns the loss, the order of the streams, the schedule and the file of what has been learned so far.
The same head, data and seed give the same bytes on one machine, stopped or not.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from train.sound_head.classes import PRESENT, UNKNOWN, SoundClasses
from train.sound_head.dataset import Dataset, Stream
from train.sound_head.net import HeadShape, SoundNet, find_context
from train.sound_head.tagger import TaggerClasses

__all__ = ['FitPlan', 'fit_head', 'pair_pieces', 'score_streams', 'split_long']

LONGEST = 30
"""Chunks of a stream that are learned from together; a longer one is cut."""
BATCH_CHUNKS = 600
MOST_BALANCE, LEAST_BALANCE, BALANCED_SHARE = 5.0, 0.5, 0.03
ALERT_WEIGHT = 2.0
MIXING = 0.3
"""Both parameters of the beta distribution of how much of the other piece is mixed in."""


@dataclass(frozen=True, kw_only=True)
class FitPlan:
    """How one head is trained."""

    epochs: int = 10
    rate: float = 1.5e-3
    weight_decay: float = 0.05
    seed: int = 0
    mixed: float = 0.0
    """Share of the batches in which pieces of streams are mixed in pairs (mixup)."""


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


def measure_inputs(dataset: Dataset, streams: Sequence[Stream]) -> tuple[Tensor, Tensor]:
    """Return mean and deviation [width] of what is heard in streams."""
    total = square = torch.zeros(dataset.embeddings.shape[1], dtype=torch.float64)
    count = 0
    for stream in streams:
        heard = dataset.embeddings[stream.places].double()
        total, square = total + heard.sum(0), square + heard.square().sum(0)
        count += len(heard)
    mean = total / count
    deviation = (square / count - mean.square()).clamp(min=0.0).sqrt() + 1e-3
    return mean.float(), deviation.float()


def fit_head(dataset: Dataset, streams: Sequence[Stream], classes: SoundClasses,
             tagger: TaggerClasses, shape: HeadShape, plan: FitPlan, path: Path,
             report: Callable[[str], None] = print, weights: Tensor | None = None) -> SoundNet:
    """
    Return a head trained on streams; ``path`` keeps what is done after each epoch.

    ``weights`` [chunks] of the dataset say how much each of its chunks counts; none: all alike.
    """
    weights = torch.ones(len(dataset.targets)) if weights is None else weights
    torch.manual_seed(plan.seed)
    net = SoundNet(shape, classes, tagger, *measure_inputs(dataset, streams))
    optimizer = torch.optim.AdamW([value for value in net.parameters() if value.requires_grad],
                                  lr=plan.rate, weight_decay=plan.weight_decay)
    done = _resume(path, net, optimizer)
    pieces = split_long(streams)
    positive, weight = balance(dataset.gather(pieces)[1], classes)
    for epoch in range(done, plan.epochs):
        torch.manual_seed(plan.seed * 1000 + epoch)
        net.train()
        batches = _make_batches(pieces, torch.randperm(len(pieces)).tolist())
        total = 0.0
        for number, batch in enumerate(batches):
            share = (epoch + number / len(batches)) / plan.epochs
            optimizer.param_groups[0]['lr'] = plan.rate * (
                0.02 + 0.98 * 0.5 * (1 + float(np.cos(np.pi * share))))
            learn = partial(step_loss, positive=positive, weight=weight)
            loss = _hear_batch(net, dataset, batch, weights, plan, learn)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach())
        _keep(path, net, optimizer, epoch + 1)
        report(f'{path.stem}: epoch {epoch + 1} of {plan.epochs}, loss {total / len(batches):.3f}')
    return net.eval()


def _hear_batch(net: SoundNet, dataset: Dataset, batch: Sequence[Stream], weights: Tensor,
                plan: FitPlan, learn: Callable[..., Tensor]) -> Tensor:
    """Return the loss of a batch; of a mixed one, of both targets by their part in the mixture."""
    heard, wanted, lengths = dataset.gather(batch)
    counts = torch.cat([weights[piece.places] for piece in batch])
    places = find_context(lengths, net.shape.context)
    if not plan.mixed or torch.rand(()) >= plan.mixed:
        return learn(net(heard, places), wanted, chunk_weight=counts)
    other = pair_pieces(lengths)
    part = float(np.random.default_rng(int(torch.randint(1 << 30, ()))).beta(MIXING, MIXING))
    logits = net(heard.float() * (1 - part) + heard[other].float() * part, places)
    return ((1 - part) * learn(logits, wanted, chunk_weight=counts)
            + part * learn(logits, wanted[other], chunk_weight=counts[other]))


def pair_pieces(lengths: Sequence[int]) -> Tensor:
    """
    Return for each chunk of pieces one after the other which chunk is mixed in [chunks] int64.

    Pieces are paired by chance with one as long, so that what follows each other stays so.
    """
    starts = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    partners = np.arange(len(lengths))
    for length in set(lengths):
        own = np.flatnonzero(np.asarray(lengths) == length)
        partners[own] = own[torch.randperm(len(own)).numpy()]
    return torch.from_numpy(np.concatenate([
        starts[partner] + np.arange(length)
        for partner, length in zip(partners, lengths, strict=True)]))


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
        logits += list(net(heard, find_context(lengths, net.shape.context)).split(lengths))
    return [one.numpy() for one in logits]


def _keep(path: Path, net: SoundNet, optimizer: torch.optim.Optimizer, epochs: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix('.part')
    torch.save({'epochs': epochs, 'net': net.state_dict(), 'optimizer': optimizer.state_dict()},
               scratch)
    scratch.replace(path)


def _resume(path: Path, net: SoundNet, optimizer: torch.optim.Optimizer) -> int:
    """Take up what was kept and return how many epochs are done."""
    if not path.is_file():
        return 0
    kept = torch.load(path, weights_only=True)
    net.load_state_dict(kept['net'])
    optimizer.load_state_dict(kept['optimizer'])
    return int(kept['epochs'])
