"""
``python -m train sounds --data DATA --out FOLDER``: from clips to the head that ships.

Makes scenes, hears them, trains several heads, calibrates the best and writes
``sounds.safetensors`` and ``curves.json`` into FOLDER. A run that was stopped goes on. With
``--choose RATE`` or ``--table PROFILE`` nothing is trained: the curves of FOLDER are read.
"""

import argparse
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from audio_interaction_ros.alerts.rules import load_rules
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.resources import shipped_path
from train.sound_head.choose import (
    choose_thresholds,
    compare_rules,
    rules_of_alerts,
    say_rules,
    to_yaml,
    weights_of_alerts,
)
from train.sound_head.class_table import say_classes
from train.sound_head.place import LEAD_S

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
    parser.add_argument('--across', action='store_true',
                        help='also train nets that lack whole collections, and print a table of '
                        'shares of the head and its helpers; takes --model')
    parser.add_argument('--model', metavar='FOLDER',
                        help='model whose sound branch helps the head, as YAMNet does; without it '
                        'nobody helps')
    parser.add_argument('--compare', type=Path, nargs='+', metavar='HEAD',
                        help='sounds.safetensors of a finished head: print which form of '
                        'detection (chunks, thresholds that rise with the background) hears most '
                        'at equal rates of false alarms, on what is put aside, and what other '
                        'heads hear there; trains nothing')
    parser.add_argument('--lead', type=float, default=LEAD_S, metavar='SECONDS',
                        help='with --compare: so much longer counts the place of an event before '
                        'it (default: %(default)g; 0: streams as short as they are)')
    parser.add_argument('--choose', type=float, metavar='RATE',
                        help='print thresholds for so many false alarms per hour of ambience and '
                        'of speech (ten times as many of single close sounds)')
    parser.add_argument('--table', metavar='PROFILE',
                        help='print what each class is worth at the thresholds of a profile of '
                        'the rules file that ships')


def run(options: argparse.Namespace) -> int:
    """Do what is not done yet, or tell what curves say."""
    if options.choose is not None or options.table is not None:
        curves = read_curves(options.out / 'curves.json')
        print(choose(curves, options.choose) if options.table is None
              else tell_classes(curves, options.table))
        return 0
    if options.data is None:
        raise ConfigurationError('expected --data, a folder with manifest.jsonl, to train on; '
                                 'give it, or --choose or --table to read curves')
    if options.compare is not None:
        from train.sound_head.aside import compare_aside
        compare_aside(options.data, options.out, options.compare, options.hours, options.workers,
                      tell, options.lead)
        return 0
    from train.sound_head.pipeline import RunPlan, make_head
    make_head(RunPlan(data=options.data, out=options.out, scenes=options.scenes,
                      shaped=options.shaped, hours=options.hours, seeds=options.seeds,
                      epochs=options.epochs, workers=options.workers),
              options.model, options.ablations, tell, options.across)
    return 0


def read_curves(path: Path) -> dict[str, Any]:
    """Return the table of a finished run; ConfigurationError where there is none."""
    if not path.is_file():
        raise ConfigurationError(f'{path}: expected the curves of a finished run, found none; '
                                 'train a head there first')
    table: dict[str, Any] = json.loads(path.read_text(encoding='utf-8'))
    return table


def choose(table: Mapping[str, Any], rate: float) -> str:
    """Return lines of a profile for a rate."""
    rules = {name: rule for name, rule in rules_of_alerts().items()
             if table['classes'].get(name, {}).get('recall')}
    return '\n'.join((to_yaml(choose_thresholds(table, rate, rules, weights_of_alerts())),
                      '    # by other rules of chunks, each class alone with its share:',
                      say_rules(compare_rules(table, rate, tuple(rules)))))


def tell_classes(table: Mapping[str, Any], profile: str) -> str:
    """Return what each class is worth in a profile; ConfigurationError for an unknown one."""
    rules = load_rules(shipped_path('config/alerts.yaml')).rules_of_sounds(profile)
    return say_classes(table, {name: rule.threshold for name, rule in rules.items()})


def tell(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)
