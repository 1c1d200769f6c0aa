"""
From clips to the head that ships: scenes, heads, calibration and curves.

Owns the order of the steps and the files of a run. Every step leaves what it made in the folder,
so a run that was stopped goes on where it was.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from train.sound_head.ablations import LACKING, make_table, plan_ablations, say_rows
from train.sound_head.across import compare_across
from train.sound_head.baselines import Branch
from train.sound_head.classes import CLASSES_FILE, read_classes
from train.sound_head.clips import HELD_OUT
from train.sound_head.dataset import Stream, read_dataset
from train.sound_head.embeddings import Amounts, Part, write_parts
from train.sound_head.files import write_json
from train.sound_head.finish import finish, write_alone
from train.sound_head.heads import (
    FIRST,
    FIRST_EPOCHS,
    Training,
    mean_precision,
    plan_first,
    plan_heads,
    score_mean,
)
from train.sound_head.hours import HOURS
from train.sound_head.mining import MINED_WEIGHT, mine
from train.sound_head.net import HeadShape, Scaling, SoundNet, prepare_inputs
from train.sound_head.tagger import fetch_tagger_classes

__all__ = ['RunPlan', 'make_head']

SCALED_BY = 3
"""Every so many chunks of the scenes say how inputs are scaled."""


@dataclass(frozen=True, kw_only=True)
class RunPlan:
    """What a run is asked for."""

    data: Path
    out: Path
    scenes: int = 1000
    shaped: int = 0
    hours: float = 0.0
    seeds: int = 3
    epochs: int = 8
    workers: int = 2
    shape: HeadShape = field(default_factory=HeadShape)


def load_training(plan: RunPlan, parts: Sequence[Part]) -> Training:
    """Read what heads are trained on, and scale it."""
    classes, tagger = read_classes(), fetch_tagger_classes(plan.out)
    dataset = read_dataset(plan.out / 'parts', parts, classes)
    scenes = dataset.choose(lambda stream: stream.kind == 'train' and stream.fold != HELD_OUT)
    scaling = Scaling.of(dataset.embeddings[dataset.find_places(scenes)[::SCALED_BY]])
    inputs = prepare_inputs(dataset.embeddings, scaling, tagger, classes)
    return Training(replace(dataset, inputs=inputs), classes, tagger, scaling,
                    plan.out / f'heads-{_digest(plan)}')


def _digest(plan: RunPlan) -> str:
    """Return what tells runs apart whose heads must not be mixed up."""
    said = repr((plan.scenes, plan.shaped, plan.hours, plan.epochs, plan.shape, FIRST_EPOCHS,
                 MINED_WEIGHT, CLASSES_FILE.read_bytes()))
    return hashlib.sha256(said.encode()).hexdigest()[:8]


def make_head(plan: RunPlan, model: str | None, ablations: bool,
              report: Callable[[str], None], across: bool = False) -> None:
    """
    Make ``sounds.safetensors`` and ``curves.json``; where asked for also ``ablations.json`` with
    the heads of its rows and, with a model, ``across.json``.
    """
    amounts = Amounts(scenes=plan.scenes, shaped=plan.shaped, hours=plan.hours)
    parts = write_parts(plan.data, plan.out / 'parts', amounts, plan.workers, report)
    branch = Branch.read(Path(model)) if model else None
    heads = plan_heads(plan.shape, plan.seeds, plan.epochs)
    if ablations:
        heads += plan_ablations(plan.shape, heads[0])
    training = load_mined(plan, parts, report)
    report(_describe(training))
    nets = {head.name: training.fit(head, report) for head in heads}
    seeds = {name: net for name, net in nets.items() if name.startswith('seed-')}
    _compare_seeds(training, seeds, report)
    if ablations:
        _compare_parts(training, nets, seeds, branch, plan.out, report)
    if across and branch:
        table = compare_across(training, heads[0], branch, plan.data, report)
        write_json(plan.out / 'across.json', table)
    finish(training, nets, branch, plan.out, report if ablations else None)
    report(f'{plan.out / "sounds.safetensors"} and {plan.out / "curves.json"}: written')


def load_mined(plan: RunPlan, parts: Sequence[Part], report: Callable[[str], None]) -> Training:
    """Read what heads of the second round are trained on: mistakes of the first weigh more."""
    training = load_training(plan, parts)
    first = {head.name.removeprefix(FIRST): training.fit(head, report)
             for head in plan_first(plan.shape, plan.epochs)}
    weights = mine(training, first)
    report(f'{int((weights > 1).sum())} chunks mined')
    return replace(training, weights=weights)


def _describe(training: Training) -> str:
    streams = training.dataset.streams
    return ', '.join(f'{sum(one.chunks for one in streams if one.kind == kind)} chunks {kind}'
                     for kind in dict.fromkeys(stream.kind for stream in streams))


def _validation(training: Training) -> list[Stream]:
    return training.dataset.choose(
        lambda stream: stream.fold == HELD_OUT and stream.kind not in (HOURS, *training.composed))


def _compare_seeds(training: Training, seeds: Mapping[str, SoundNet],
                   report: Callable[[str], None]) -> None:
    """Tell how precise each seed is on what is put aside, and their mean."""
    streams = _validation(training)
    truth = np.concatenate([training.dataset.targets[stream.places].numpy()
                            for stream in streams])
    found = {name: mean_precision(np.concatenate(score_mean(training, nets, streams)), truth,
                                  range(len(training.classes.alerts)))
             for name, nets in [*((name, [net]) for name, net in seeds.items()),
                                ('all', list(seeds.values()))]}
    values = [value for name, value in found.items() if name != 'all']
    report('validation, mean average precision of alerts: ' + ', '.join(
        f'{name} {value:.3f}' for name, value in found.items())
        + f'; mean of seeds {np.mean(values):.3f}, spread {np.std(values):.3f}')


def _compare_parts(training: Training, nets: Mapping[str, SoundNet],
                   seeds: Mapping[str, SoundNet], branch: Branch | None, out: Path,
                   report: Callable[[str], None]) -> None:
    streams = _validation(training)
    alone = {name: nets[name] for name in ('seed-0', *LACKING)}
    rows = {'head': list(seeds.values())} | {name: [net] for name, net in alone.items()}
    logits = {name: score_mean(training, own, streams) for name, own in rows.items()}
    for name, net in alone.items():
        write_alone(training, net, streams, logits[name], out / f'{name}.safetensors')
    table = make_table(training, logits, streams, branch)
    write_json(out / 'ablations.json', table)
    report(say_rows(table))
