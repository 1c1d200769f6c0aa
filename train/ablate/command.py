"""
``python -m train ablate --out RUN``: what the parts of the recipe are worth to a tiny model.

Builds the streams of every arm, trains each with every seed and measures all on the same held-out
streams. What a run that was stopped has done is kept: the same command goes on. Owns the options.
"""

import argparse
import os
from pathlib import Path
from typing import Any

from audio_interaction_ros.errors import ConfigurationError
from train.ablate.arms import ARMS, choose_arms, list_corpora
from train.ablate.corpus import CorpusSettings, build_corpora

__all__ = ['add_arguments', 'run']

SMOKE = {'hours': 0.02, 'held_out_hours': 0.01, 'sounds': 1}
SMOKE_CHANGES = ('run.steps=2', 'run.batch=2', 'run.save_every=2', 'data.max_chunks=15')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.add_argument('--out', type=Path, required=True,
                        help='folder of the run; give the same one to go on')
    parser.add_argument('--arms', nargs='+', default=[], metavar='ARM',
                        help=f'some of {" ".join(ARMS)} (all)')
    parser.add_argument('--seeds', type=int, help='trainings per arm (3; 1 with --smoke)')
    parser.add_argument('--hours', type=float, default=1.0,
                        help='of streams to learn from (%(default)s)')
    parser.add_argument('--held-out-hours', type=float, default=0.5,
                        help='of streams to measure on (%(default)s)')
    parser.add_argument('--minutes', type=float,
                        help='begin nothing more after so many, and report what is done')
    parser.add_argument('--set', metavar='KEY=VALUE', action='append', default=[], dest='changes',
                        help='replace one value of the recipe, such as run.steps=500')
    parser.add_argument('--workers', type=int,
                        help='processes, 0: this one (a GPU: 1, else one per core)')
    parser.add_argument('--cpu', action='store_true', help='use no GPU')
    parser.add_argument('--smoke', action='store_true',
                        help='two steps on a minute of streams: shows that all of it runs')


def count_workers(options: argparse.Namespace) -> int:
    """Return how many processes train."""
    if options.workers is not None:
        return int(options.workers)
    import torch
    if torch.cuda.is_available() and not options.cpu:
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, 'sched_getaffinity') else 2


def run(options: argparse.Namespace) -> int:
    """Build, train, measure, report."""
    seeds = options.seeds if options.seeds is not None else 1 if options.smoke else 3
    if seeds < 1:
        raise ConfigurationError(f'--seeds: expected 1 or more, got {seeds}; correct it')
    from train.ablate.schedule import train_units
    from train.ablate.unit import Unit, read_counts
    arms, out = choose_arms(options.arms), options.out.absolute()
    sizes: dict[str, Any] = SMOKE if options.smoke else {
        'hours': options.hours, 'held_out_hours': options.held_out_hours}
    changes = (*(SMOKE_CHANGES if options.smoke else ()), *options.changes)
    workers = 0 if options.smoke else count_workers(options)
    build_corpora(list_corpora(arms), list_corpora(list(ARMS.values())), out,
                  settings=CorpusSettings(**sizes), workers=workers)
    units = [Unit(run=out, arm=arm, seed=seed, changes=changes, cpu=options.cpu)
             for seed in range(seeds) for arm in arms]
    train_units(units, workers=workers, minutes=options.minutes)
    report(units, options)
    done = sum(read_counts(unit) is not None for unit in units)
    print(f'{done} of {len(units)} trainings are done'
          + ('' if done == len(units) else '; run the same command again'))
    return 0


def report(units: list[Any], options: argparse.Namespace) -> None:
    """Write ablate.json, ablate.md and the pictures of what is done, and print the table."""
    from measure.report import write
    from train.ablate.figures import always_silent, figures_of
    from train.ablate.report import draw, say_table
    from train.ablate.unit import read_counts
    counts: dict[str, dict[int, Any]] = {}
    for unit in units:
        rows = read_counts(unit)
        if rows is not None:
            counts.setdefault(unit.arm.name, {})[unit.seed] = rows
    if not counts:
        return
    counts = {name: counts[name] for name in ARMS if name in counts}
    figures = figures_of(counts)
    silent = always_silent(next(iter(next(iter(counts.values())).values())))
    out = options.out.absolute()
    write(out, 'ablate', options, {'arms': figures, 'never speaks': silent})
    table = say_table(figures, silent)
    (out / 'ablate.md').write_text(table, encoding='utf-8')
    print(table)
    for picture in draw(figures, out):
        print(picture)
