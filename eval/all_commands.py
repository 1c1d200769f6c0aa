"""
``python -m eval all``: the figures of a model card, one command after the other.

Owns which commands these are and their options. Each runs in a process of its own and leaves its
results in a folder of its own, so one that fails costs no other; given again, all go on with what
they heard before. Knows no figure.
"""

import argparse
import subprocess
import sys
from pathlib import Path

from measure import report

__all__ = ['CARD', 'add_arguments', 'list_commands', 'run']

CARD: dict[str, tuple[str, ...]] = {
    'alerts': ('--evidence', 'model', '--hours', '2', '--validation-hours', '0.6',
               '--pick', '1'),
    'asr': ('--per-kind', '20'),
    'dialogue': ('--per-sort', '40'),
    'translation': ('--per-direction', '60'),
    'long': ('--evidence', 'model', '--count', '1', '--minutes', '30'),
}
"""Commands in their order, with the options that a model card's figures are taken with."""
SHARED = ('model', 'runtime', 'device', 'dtype', 'threads', 'limit')


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    report.add_common_arguments(parser)
    parser.add_argument('--speech', type=Path, required=True, metavar='FOLDER',
                        help='folder with utterances.jsonl, for words and dialogue')
    parser.add_argument('--dialogue', type=Path, metavar='FOLDER',
                        help='another one for dialogue')
    parser.add_argument('--translated', type=Path, nargs='+', default=[], metavar='FOLDER',
                        help='folders with utterances.jsonl, for translation; without them and '
                        '--pairs it is left out')
    parser.add_argument('--pairs', type=Path, metavar='TSV',
                        help='all sentence pairs of the training, columns en and zh')
    parser.add_argument('--tagger', type=Path, metavar='JSONL',
                        help='scores of an AudioSet tagger on the clips')
    parser.add_argument('--only', nargs='+', choices=tuple(CARD), default=list(CARD),
                        metavar='COMMAND', help=f'some of {", ".join(CARD)}')


def list_commands(options: argparse.Namespace, out: Path) -> dict[str, list[str]]:
    """Return the arguments of each command that the options allow."""
    data = ['--data', str(options.data)]
    own = {'alerts': [*data, *(['--tagger', str(options.tagger)] if options.tagger else [])],
           'asr': [*data, '--speech', str(options.speech)],
           'dialogue': [*data, '--speech', str(options.dialogue or options.speech)],
           'long': data}
    if options.translated and options.pairs:
        own['translation'] = ['--speech', *map(str, options.translated),
                              '--pairs', str(options.pairs)]
    shared = [part for name in SHARED for part in (f'--{name}', str(getattr(options, name)))]
    return {name: [*own[name], *CARD[name], *shared, '--out', str(out / name)]
            for name in CARD if name in own and name in options.only}


def run(options: argparse.Namespace) -> int:
    """Run all commands; return 0, or the highest exit code of those that failed."""
    out = report.make_folder(options, 'all')
    todo, codes = list_commands(options, out), dict[str, int]()
    for name, arguments in todo.items():
        print(f'== {name}', flush=True)
        codes[name] = subprocess.call([sys.executable, '-m', 'eval', name, *arguments])
    for name in options.only:
        said = 'left out: give --translated and --pairs' if name not in codes else (
            f'in {out / name}' if not codes[name] else f'ended with {codes[name]}, see above')
        print(f'{name}: {said}')
    return max(codes.values(), default=0)
