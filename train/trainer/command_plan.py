"""``python -m train plan RECIPE…``: what stages train and need; fails on a wrong recipe."""

import argparse
import json

from train.trainer.plan import check, make_plan, text_of
from train.trainer.recipe import load_recipe

__all__ = ['add_arguments', 'run']

STAGES = ('stage1', 'stage2', 'stage3', 'stage4')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    parser.add_argument('recipes', metavar='RECIPE', nargs='*', default=STAGES,
                        help='file or name of a shipped recipe (default: the four stages)')
    parser.add_argument('--set', metavar='KEY=VALUE', action='append', default=[], dest='changes',
                        help='replace one value, such as run.gpus=1')
    parser.add_argument('--json', action='store_true', help='one JSON object per stage')


def run(options: argparse.Namespace) -> int:
    """Print the plans, then check each against what its recipe states."""
    plans = [make_plan(*load_recipe(name, options.changes)) for name in options.recipes]
    for plan in plans:
        print(json.dumps({
            'name': plan.recipe.name, 'tower_parameters': plan.tower_parameters,
            'lm_parameters': plan.lm_parameters, 'trainable': plan.trainable,
            'trainable_parameters': plan.trainable_parameters, 'steps': plan.steps,
            'effective_batch': plan.effective_batch,
            'gpu_memory_gib': round(plan.gpu_memory_gib, 2)}) if options.json else text_of(plan))
    for plan in plans:
        check(plan)
    return 0
