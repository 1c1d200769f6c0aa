"""
Which attention heads decide whether to stay silent or to respond: each taken away, one by one.

Every decision that a lane took is asked again with one head silenced. Owns the figures: how far
the log-odds of responding move, how much of the margin by which a decision was taken is lost, how
many decisions stay, in which order that puts the heads, and whether two lanes agree on it.
Decisions to respond and to stay silent count alike, for the second are many more. What is right
is no matter here: a decision of the whole model is the measure of its parts. Layers and heads are
numbered from 0, as in the paper.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import spearmanr

from audio_interaction_ros.runtimes.base import Runtime
from audio_interaction_ros.whole_file import open_whole
from eval.probes.clips import ProbeClip
from eval.probes.lived import LANES, listen
from eval.probes.passes import ablate_heads, batches
from measure import report
from measure.intervals import Estimate, bootstrap, quotients

__all__ = ['ClipEffect', 'measure_effect', 'measure_heads']

ROUNDS = 200
TOP = 10
KINDS = 2  # stay silent, respond


class ClipEffect(NamedTuple):
    """What taking heads away does to the decisions on one clip, by kind: silent, respond."""

    moved: np.ndarray
    """Sum of absolute changes of the log-odds [KINDS, layers, heads]."""
    lost: np.ndarray
    """Sum of what is lost of the margins [KINDS, layers, heads]; below 0: the head was against."""
    kept: np.ndarray
    """Decisions that stay the same [KINDS, layers, heads]."""
    decisions: np.ndarray
    """How many there are [KINDS]."""


def measure_effect(log_odds: np.ndarray, threshold: float) -> ClipEffect:
    """Return the effect on decisions of log-odds [layers, heads + 1, decisions], last as it is."""
    without, intact = log_odds[:, :-1], log_odds[:, -1:]
    bar = np.log(threshold / (1 - threshold)) if threshold < 1 else np.inf
    responds = intact[0, 0] >= bar
    of_kind = np.stack((~responds, responds)).astype(float)  # [KINDS, decisions]
    change = without - intact

    def add_up(each: np.ndarray) -> np.ndarray:
        return np.einsum('kd,lhd->klh', of_kind, each)
    return ClipEffect(moved=add_up(np.abs(change)),
                      lost=add_up(np.where(responds, -change, change)),
                      kept=add_up((without >= bar) == responds), decisions=of_kind.sum(-1))


def measure_heads(runtime: Runtime, clips: Sequence[ProbeClip], cache: Path,
                  variant: str = '') -> dict[str, Any]:
    """
    Return, by lane, the effect of every head, their order, and how far lanes agree on it.

    What was found of a clip is kept in the folder ``cache``, so that a run that was stopped goes
    on; ``variant`` is what beside the model decides it.
    """
    cache.mkdir(parents=True, exist_ok=True)
    effects: dict[str, list[ClipEffect]] = defaultdict(list)
    for clip in report.track('taking heads away', clips):
        for lane, effect in _probe_clip(runtime, clip, cache, variant).items():
            effects[lane].append(effect)
    lanes = {lane: _describe_lane(each) for lane, each in effects.items()}
    return {'lanes': lanes, 'agreement': _compare_lanes(effects)}


def _probe_clip(runtime: Runtime, clip: ProbeClip, cache: Path,
                variant: str) -> dict[str, ClipEffect]:
    """Return the effect on each lane's decisions on a clip, found now or before."""
    key = hashlib.sha256(f'{runtime.encoder.spec.model_id} {variant} '.encode()
                         + clip.samples.astype('<f4').tobytes()).hexdigest()[:24]
    path = cache / f'{key}.npz'
    if not path.is_file():
        arrays = {f'{lane} {name}': array for lane, effect in _ablate(runtime, clip)
                  for name, array in effect._asdict().items()}
        with open_whole(path, durable=False) as file:
            np.savez(file, **arrays)
    with np.load(path) as kept:
        return {lane.name: ClipEffect(*(kept[f'{lane.name} {name}']
                                        for name in ClipEffect._fields)) for lane in LANES}


def _ablate(runtime: Runtime, clip: ProbeClip) -> Iterator[tuple[str, ClipEffect]]:
    lanes = listen(runtime, clip).lanes
    decoder: Any = runtime.decoder  # listen() made sure that it is torch's
    for group in batches(decoder.module, lanes, len(lanes)):
        found = ablate_heads(decoder.module, decoder.controls, group)
        for lane, log_odds in zip(group.lived, found, strict=True):
            yield lane.lane, measure_effect(log_odds, lane.threshold)


def _mean_of(effects: Sequence[ClipEffect], name: str) -> np.ndarray:
    """Return the mean over kinds of a figure per decision [layers, heads]."""
    total = np.sum([getattr(one, name) for one in effects], axis=0)
    counts = _count_decisions(effects)
    there = counts > 0
    mean: np.ndarray = (total[there] / counts[there, None, None]).mean(0)
    return mean


def _count_decisions(effects: Sequence[ClipEffect]) -> np.ndarray:
    counts: np.ndarray = np.sum([one.decisions for one in effects], axis=0)
    return counts


def _describe_lane(effects: Sequence[ClipEffect]) -> dict[str, Any]:
    moved = _mean_of(effects, 'moved')
    order = np.argsort(-moved, axis=None)
    counts = _count_decisions(effects)
    top = [_describe_head(effects, *map(int, np.unravel_index(place, moved.shape)))
           for place in order[:TOP]]
    return {'decisions': {'silent': int(counts[0]), 'respond': int(counts[1])},
            'clips': len(effects), 'top': top, 'moved': moved.tolist(),
            'lost': _mean_of(effects, 'lost').tolist(),
            'kept': _mean_of(effects, 'kept').tolist(),
            'with itself': _split_half(effects)}


def _describe_head(effects: Sequence[ClipEffect], layer: int, head: int) -> dict[str, Any]:
    below = [one.decisions for one in effects]

    def estimate(name: str) -> Estimate:
        return quotients([getattr(one, name)[:, layer, head] for one in effects], below)
    return {'head': f'L{layer}H{head}', 'moved': estimate('moved'),
            'lost': estimate('lost'), 'kept': estimate('kept')}


def _correlate(one: Sequence[ClipEffect], other: Sequence[ClipEffect]) -> float:
    return float(spearmanr(_mean_of(one, 'moved').ravel(),
                           _mean_of(other, 'moved').ravel()).statistic)


def _split_half(effects: Sequence[ClipEffect]) -> float | None:
    """Return the rank correlation of every second clip with the others; None of one clip."""
    return _correlate(effects[::2], effects[1::2]) if len(effects) > 1 else None


def _compare_lanes(effects: Mapping[str, Sequence[ClipEffect]]) -> dict[str, Estimate]:
    """Return Spearman's rank correlation of the heads of each two lanes; all hear all clips."""
    def of_both(drawn: Sequence[tuple[ClipEffect, ClipEffect]]) -> float:
        return _correlate([one for one, _ in drawn], [other for _, other in drawn])
    return {f'{one} and {other}': bootstrap(list(zip(effects[one], effects[other], strict=True)),
                                            of_both, rounds=ROUNDS)
            for one, other in combinations(effects, 2)}
