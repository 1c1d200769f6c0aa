"""`audio-interaction parity PREFIX`: hold our model against reference outputs."""

import argparse

__all__ = ['add_parser']


def add_parser(commands: argparse._SubParsersAction) -> None:
    """Add the command's options."""
    parser = commands.add_parser(
        'parity', help='compare with reference outputs of the released code',
        description='Rebuild the reference\'s weights, run them through loader, front end, tower '
                    'and decoder, print the largest difference per array; exit 1 past tolerance.')
    parser.add_argument('prefix', metavar='PREFIX',
                        help='path of a reference without .json and .npz')
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from audio_interaction_ros.parity import main  # torch is loaded only when needed
    return main(options.prefix)
