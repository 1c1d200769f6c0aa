"""
Which samples a step takes: the mixture of kinds, the order of an epoch, batches of like lengths.

Owns every draw; each follows from the seed and a number alone, so a run that is resumed goes on
where it stood. Samples themselves are ``data``'s.
"""

import itertools
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from audio_interaction_ros.errors import ConfigurationError
from train.stages import stable_seed
from train.trainer.data import Samples, SampleSpan, kind_of
from train.trainer.recipe import Data

__all__ = ['draw_batches', 'draw_order']


def _make_mixture(items: Sequence[SampleSpan],
                  shares: dict[str, float]) -> list[tuple[float, np.ndarray]]:
    kinds = [kind_of(item.stream, item.stream.lanes[item.lane]) for item in items]
    named = {kind: np.array([i for i, k in enumerate(kinds) if k == kind], np.int64)
             for kind in shares}
    for kind, members in named.items():
        if shares[kind] > 0 and not len(members):
            raise ConfigurationError(f'data.shares: {shares[kind]} of {kind} is wanted, found no '
                                     'such stream; build some or change the recipe')
    others = np.array([i for i, kind in enumerate(kinds) if kind not in shares], np.int64)
    rest = 1.0 - sum(shares.values())
    if rest > 1e-9 and not len(others):
        raise ConfigurationError(f'data.shares: {rest:.2f} is left to other streams, found none; '
                                 'make the shares sum to 1')
    return [*((shares[kind], named[kind]) for kind in shares), (max(0.0, rest), others)]


def draw_order(items: Sequence[SampleSpan], data: Data, seed: int, epoch: int) -> np.ndarray:
    """
    Return the numbers of the samples of an epoch, as many as there are samples.

    Without shares every sample comes once, in an order drawn by name: a sample more or less leaves
    that of the others as it is. With shares each draw picks a kind, then the next
    sample of a shuffled round over that kind.
    """
    if not data.shares:
        names = [stable_seed(seed, epoch, item.stream.id, item.lane, item.first)
                 for item in items]
        return np.argsort(np.array(names, np.int64), kind='stable')
    rng = np.random.default_rng([seed, epoch])
    groups = _make_mixture(items, data.shares)
    weights = np.array([weight for weight, _ in groups])
    drawn = rng.choice(len(groups), size=len(items), p=weights / weights.sum())
    numbers = np.empty(len(items), np.int64)
    for index, (_, members) in enumerate(groups):
        places = np.flatnonzero(drawn == index)
        if len(places):
            rounds = -(-len(places) // len(members))
            numbers[places] = np.concatenate(
                [rng.permutation(members) for _ in range(rounds)])[:len(places)]
    return numbers


def draw_batches(samples: Samples, *, seed: int, batch: int, world: int, rank: int,
                 first: int) -> Iterator[list[int]]:
    """
    Yield the sample numbers of this process's micro-batch ``first``, ``first`` + 1, … for ever.

    Micro-batch m of all processes together is a run of world * batch samples of the endless
    order, or, where ``data.group`` is above 1, a run of its group of micro-batches sorted by
    length. So a run that is resumed goes on where it stood.
    """
    count = len(samples)
    if not count:
        raise ConfigurationError(
            f'data.streams: expected at least one sample, found none (left out: '
            f'{dict(samples.skipped)}); build streams or correct data.streams')
    epoch_order = lru_cache(maxsize=2)(lambda epoch: draw_order(samples.items, samples.data, seed,
                                                                epoch))
    size, together = world * batch, samples.data.group

    def draw(group: int) -> list[list[int]]:
        numbers = range(group * together * size, (group + 1) * together * size)
        drawn = [int(epoch_order(number // count)[number % count]) for number in numbers]
        return _group_by_length(drawn, samples.lengths, size, stable_seed(seed, 'group', group))

    drawn_group = lru_cache(maxsize=1)(draw)
    for micro in itertools.count(first):
        yield drawn_group(micro // together)[micro % together][rank * batch:(rank + 1) * batch]


def _group_by_length(numbers: list[int], lengths: Sequence[int], size: int,
                     seed: int) -> list[list[int]]:
    """Return numbers in runs of a size; several runs are of like lengths, in random order."""
    if len(numbers) > size:
        numbers = sorted(numbers, key=lambda number: lengths[number])
    runs = [numbers[place:place + size] for place in range(0, len(numbers), size)]
    return [runs[int(i)] for i in np.random.default_rng(seed).permutation(len(runs))]
