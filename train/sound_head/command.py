"""
``python -m train sounds --data DATA --out FOLDER``: from clips to the head that ships.

Makes scenes, hears them, trains several heads, calibrates the best and writes
``sounds.safetensors`` and ``curves.json`` into FOLDER. A run that was stopped goes on. With
``--choose RATE`` nothing is trained: thresholds are chosen from the curves of FOLDER.
"""

import argparse
import json
from pathlib import Path

from audio_interaction_ros.errors import ConfigurationError
from train.sound_head.choose import (
    choose_thresholds,
    compare_rules,
    rules_of_alerts,
    say_rules,
    to_yaml,
    weights_of_alerts,
)

__all__ = ['add_arguments', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument('--data', type=Path, help='folder with manifest.jsonl')
    parser.add_argument('--out', type=Path, required=True,
                        help='folder of the run; what it holds already is not made again')
    parser.add_argument('--scenes', type=int, default=1000, help='to train on, 12 s each')
    parser.add_argument('--shaped', type=int, default=400,
                        help='more of them in rooms of walls and nearer to their background')
    parser.add_argument('--hours', type=float, default=3.0,
                        help='of composed backgrounds without any alert: mistakes in them are '
                        'learned again, and thresholds are chosen on them')
    parser.add_argument('--seeds', type=int, default=3, help='heads to choose from')
    parser.add_argument('--epochs', type=int, default=8)
    parser.add_argument('--workers', type=int, default=2, help='processes')
    parser.add_argument('--ablations', action='store_true',
                        help='also train heads that lack a part, and print a table')
    parser.add_argument('--model', metavar='FOLDER',
                        help='model whose sound branch helps the head, as YAMNet does; without it '
                        'nobody helps')
    parser.add_argument('--choose', type=float, metavar='RATE',
                        help='print thresholds for so many false alarms per hour of ambience and '
                        'of speech (ten times as many of single close sounds)')


def run(options: argparse.Namespace) -> int:
    """Do what is not done yet, or choose thresholds."""
    if options.choose is not None:
        print(choose(options.out / 'curves.json', options.choose))
        return 0
    if options.data is None:
        raise ConfigurationError('expected --data, a folder with manifest.jsonl, to train on; '
                                 'give it, or --choose to read curves')
    from train.sound_head.pipeline import RunPlan, make_head
    make_head(RunPlan(data=options.data, out=options.out, scenes=options.scenes,
                      shaped=options.shaped, hours=options.hours, seeds=options.seeds,
                      epochs=options.epochs, workers=options.workers),
              options.model, options.ablations, tell)
    return 0


def choose(curves: Path, rate: float) -> str:
    """Return lines of a profile for a rate; ConfigurationError where there are no curves."""
    if not curves.is_file():
        raise ConfigurationError(f'{curves}: expected the curves of a finished run, found none; '
                                 'train a head there first')
    table = json.loads(curves.read_text(encoding='utf-8'))
    rules = {name: rule for name, rule in rules_of_alerts().items()
             if table['classes'].get(name, {}).get('recall')}
    return '\n'.join((to_yaml(choose_thresholds(table, rate, rules, weights_of_alerts())),
                      '    # by other rules of chunks, each class alone with its share:',
                      say_rules(compare_rules(table, rate, tuple(rules)))))


def tell(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)
