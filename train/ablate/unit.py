"""
One arm with one seed: a training that goes on where it stood, and the counts at its end.

Owns the folder of a unit and what may be in it. Training is ``train.trainer``'s; it is cut into
parts so that many units can share the processors and any of them can be stopped.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from audio_interaction_ros.protocol import CHUNK_S
from train.ablate.arms import Arm
from train.ablate.corpus import held_out_of, streams_of
from train.ablate.score import LaneCounts, score_samples
from train.records import read_records, write_records
from train.trainer.command_fit import read_samples
from train.trainer.data import Samples
from train.trainer.loop import Trainer
from train.trainer.recipe import Recipe, load_recipe
from train.trainer.saving import check_recipe
from train.trainer.starting_model import prepare

__all__ = ['Unit', 'advance', 'make_recipe', 'read_counts']

RECIPE = 'ablate'


@dataclass(frozen=True, kw_only=True)
class Unit:
    """An arm and a seed, in the folder of a run."""

    run: Path
    arm: Arm
    seed: int
    changes: tuple[str, ...] = ()
    """KEY=VALUE of the recipe, the same for all arms."""
    cpu: bool = False

    @property
    def folder(self) -> Path:
        """Where its checkpoints and counts lie."""
        return self.run / 'units' / f'{self.arm.name}-{self.seed}'

    def __str__(self) -> str:
        return f'{self.arm.title}, seed {self.seed}'


def make_recipe(unit: Unit) -> tuple[Recipe, Path]:
    """
    Return the recipe of a unit, paths relative to the run, and the file it comes from.

    ``data.max_chunks`` counts chunks of the released size: samples last as long in every arm.
    """
    recipe, path = load_recipe(RECIPE, (*unit.changes, *unit.arm.changes,
                                        f'run.seed={unit.seed}'))
    corpus = unit.arm.corpus
    data = replace(recipe.data, streams=(streams_of(corpus.name),),
                   evaluation=(streams_of(held_out_of(corpus.chunk_s)),),
                   max_chunks=max(1, round(recipe.data.max_chunks * CHUNK_S / corpus.chunk_s)))
    # Nothing is looked at on the way: one evaluation at the end, with counts per sample.
    run = replace(recipe.run, evaluate_every=recipe.run.steps + 1)
    return replace(recipe, data=data, run=run), path


def advance(unit: Unit) -> int:
    """
    Train a unit for one more part, or score it where it is trained; return its steps so far.

    A part is ``run.save_every`` steps. Raises CheckpointError where the folder holds a unit of
    another recipe.
    """
    recipe, path = make_recipe(unit)
    if read_counts(unit) is not None:
        return recipe.run.steps
    if unit.cpu or not torch.cuda.is_available():
        torch.set_num_threads(1)  # a tiny model: a process per core does more than a thread
    samples, held_out = _read(recipe, path, unit.run)
    nothing = Samples(samples.config, samples.encode, samples.data)
    trainer = Trainer(recipe, prepare(recipe, path), samples, nothing, unit.folder,
                      cpu=unit.cpu, quiet=True)
    report = trainer.run(trainer.step + recipe.run.save_every)
    if report.model is not None:
        write_records(unit.folder / 'counts.jsonl', score_samples(trainer.trainee, held_out))
    return report.step


_KEPT: dict[str, tuple[Samples, Samples]] = {}
"""Samples of the last corpora that this process read, with the mel that they remember."""
MOST_KEPT = 2


def _read(recipe: Recipe, path: Path, folder: Path) -> tuple[Samples, Samples]:
    key = repr((folder, recipe.model, recipe.data))
    if key not in _KEPT:
        while len(_KEPT) >= MOST_KEPT:
            _KEPT.pop(next(iter(_KEPT)))
        _KEPT[key] = read_samples(recipe, prepare(recipe, path), folder)
    return _KEPT[key]


def read_counts(unit: Unit) -> list[LaneCounts] | None:
    """Return the counts of a unit that is done, else None; CheckpointError for another recipe."""
    path = unit.folder / 'counts.jsonl'
    if not path.is_file():
        return None
    check_recipe(unit.folder, make_recipe(unit)[0])
    return list(read_records(path, LaneCounts))
