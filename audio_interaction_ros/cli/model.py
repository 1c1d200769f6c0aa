"""
`audio-interaction model list|fetch|check|export`: the files of models and what is wrong with them.

`list` says what lies on this machine and how large it is, `fetch` gets what a first start would
get, so that a robot then starts without a network, `check` reads every byte and compares hashes,
`export` writes the graphs of a model into a folder.
"""

import argparse
import shlex

from audio_interaction_ros.cli import model_export
from audio_interaction_ros.terminal import print_result

__all__ = ['add_parser']


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command and its own commands."""
    parser = commands.add_parser('model', help='list, fetch, check and export models')
    actions = parser.add_subparsers(dest='action', required=True)
    listing = actions.add_parser('list', help='what lies on this machine, and how large it is')
    listing.set_defaults(run=_print_list)
    for name, run, about in (
            ('fetch', _fetch, 'get what a first start would get'),
            ('check', _check, 'compare every file with its hash; exit code 1 where one differs or '
             'is not here yet')):
        action = actions.add_parser(name, help=about, description=about)
        action.add_argument('model', nargs='?', default='edge', metavar='MODEL',
                            help='folder, name of a shipped model or repository id, or a text '
                                 'model such as qwen2.5-0.5b-instruct (default: edge)')
        action.set_defaults(run=run)
    action = actions.add_parser('export', help='write the graphs of a model as ONNX')
    model_export.add_arguments(action)
    action.set_defaults(run=model_export.run)


def _print_list(_options: argparse.Namespace) -> int:
    from audio_interaction_ros.cli.model_files import list_files

    rows = [('kind', 'name', 'size', 'where'),
            *((item.kind, item.name, f'{item.size / 1e6:.0f} MB', str(item.folder))
              for item in list_files())]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for row in rows:
        print('  '.join([*map(str.ljust, row[:3], widths), row[3]]))
    return 0


def _fetch(options: argparse.Namespace) -> int:
    from audio_interaction_ros.cli.model_files import fetch_all

    for name, folder in fetch_all(options.model):
        print(f'{name}: {folder}')
    print(f'{options.model} is ready and needs no network to start')
    return 0


def _check(options: argparse.Namespace) -> int:
    from audio_interaction_ros.cli.model_files import find_faults, find_missing

    faults = list(find_faults(options.model))
    missing = [] if faults else list(find_missing(options.model))
    for text in (*faults, *(f'{folder}: not here yet' for folder in missing)):
        print_result(text)
    if faults:
        print_result(f'{options.model}: {len(faults)} faults')
    elif missing:
        print_result(
            f'{options.model}: what is here is as it was made, {len(missing)} parts are missing; '
            f'get them: audio-interaction model fetch {shlex.quote(options.model)}')
    else:
        print_result(f'{options.model}: every file is here, and as it was made')
    return 1 if faults or missing else 0
