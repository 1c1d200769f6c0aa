"""``python -m train measure RECIPE…``: real steps of a stage, their memory beside the plan."""

import argparse
import dataclasses
import gc
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from train.trainer.command_fit import read_samples
from train.trainer.plan import GIB, estimate_memory, make_plan
from train.trainer.recipe import Recipe, load_recipe
from train.trainer.starting_model import prepare
from train.trainer.tone_streams import write_streams

__all__ = ['Measured', 'add_arguments', 'measure', 'run']

STAGES = ('stage1', 'stage2', 'stage3', 'stage4')
_ALONE = ('run.gpus=1', 'run.sharding=none', 'run.workers=0', 'model.weights=',
          'model.tokenizer=bytes', 'data.layout=online', 'data.shares={}',
          'data.evaluation_share=0.0')
"""Random weights and tones on one device: memory and time are those of any."""


@dataclass(frozen=True)
class Measured:
    """What some steps of a stage took."""

    losses: tuple[float, ...]
    seconds: tuple[float, ...]
    """Of each step; the first also allocates."""
    positions: int
    """Of a sample, padding included."""
    found: float
    """Bytes at the peak: of the GPU, else of the process since the model was made."""
    planned: float
    """Bytes that the formulae give for these positions, without their reserve."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument('recipes', metavar='RECIPE', nargs='*', default=STAGES,
                        help='file or name of a shipped recipe (default: the four stages)')
    parser.add_argument('--set', metavar='KEY=VALUE', action='append', default=[], dest='changes',
                        help='replace one value, such as run.batch=1')
    parser.add_argument('--steps', type=int, default=2, help='steps of the optimizer (default: 2)')
    parser.add_argument('--cpu', action='store_true', help='use no GPU')


def run(options: argparse.Namespace) -> int:
    """Print a line per stage."""
    for name in options.recipes:
        recipe, path = load_recipe(name, (*_ALONE, *options.changes))
        found = measure(recipe, path, steps=options.steps, cpu=options.cpu)
        print(f'{recipe.name}: batch {recipe.run.batch} x {recipe.run.accumulation}, '
              f'{found.positions} positions; memory {found.found / GIB:.2f} GiB, planned '
              f'{found.planned / GIB:.2f} ({found.found / found.planned:.2f} x); seconds per step '
              f'{", ".join(f"{second:.2f}" for second in found.seconds)}; loss '
              f'{", ".join(f"{loss:.3f}" for loss in found.losses)}', flush=True)
        gc.collect()
    return 0


def measure(recipe: Recipe, path: Path, *, steps: int = 2, cpu: bool = False) -> Measured:
    """Take steps of a stage on samples as long as it allows, and say what they took."""
    import torch

    from train.trainer.loop import Trainer
    on_gpu = torch.cuda.is_available() and not cpu
    with tempfile.TemporaryDirectory() as scratch:
        streams = write_streams(Path(scratch), max(2, recipe.run.batch),
                                chunks=recipe.data.max_chunks)
        recipe = dataclasses.replace(recipe, data=dataclasses.replace(
            recipe.data, streams=(str(streams),), evaluation=()))
        before = _resident()
        start = prepare(recipe, path)
        samples, held_out = read_samples(recipe, start, path.parent)
        if on_gpu:
            torch.cuda.reset_peak_memory_stats()
        trainer = Trainer(recipe, start, samples, held_out, Path(scratch) / 'run', cpu=cpu,
                          quiet=True)
        losses, seconds, began = [], [], time.perf_counter()
        for loss in trainer.try_steps(steps):
            losses.append(loss)  # a number of the host's, so the step is over
            seconds.append(time.perf_counter() - began)
            began = time.perf_counter()
        found = torch.cuda.max_memory_allocated() if on_gpu else _peak() - before
        positions = max(len(samples[number].sample.ids) for number in range(len(samples)))
    plan = make_plan(recipe, path)
    uses = estimate_memory(dataclasses.replace(recipe, data=dataclasses.replace(
        recipe.data, max_positions=positions)), trainer.trainee.config,
        plan.tower_parameters + plan.lm_parameters + plan.added_parameters,
        plan.trainable_parameters)
    return Measured(tuple(losses), tuple(seconds), positions, found,
                    sum(uses.values()) - uses['reserve'])


def _resident() -> float:
    return _status('VmRSS')


def _peak() -> float:
    return _status('VmHWM')


def _status(key: str) -> float:
    """Return a number of bytes that Linux tells of this process; NaN elsewhere."""
    try:
        lines = Path('/proc/self/status').read_text(encoding='ascii').splitlines()
    except OSError:
        return float('nan')
    return next((1024.0 * int(line.split()[1]) for line in lines if line.startswith(f'{key}:')),
                float('nan'))
