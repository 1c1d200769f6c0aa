"""Entry point of `audio-interaction`: picks a command and turns our errors into one line."""

import argparse
import importlib
import sys
from collections.abc import Sequence

from audio_interaction_ros import __version__
from audio_interaction_ros.cli.endings import end_in_good_order

__all__ = ['main']

_COMMANDS = ('stream', 'sounds', 'teach', 'calibrate', 'replay', 'report', 'intent', 'say',
             'model', 'parity')
"""Each is a module of this folder, which is loaded when it is asked for."""


def _make_parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser of the command that is asked for; where none is, of all."""
    parser = argparse.ArgumentParser(
        prog='audio-interaction',
        description='A robot\'s always-on ears: audio in, transcripts, replies and alerts out.')
    parser.add_argument('--version', action='version', version=__version__)
    commands = parser.add_subparsers(dest='command', required=True)
    for name in words[:1] if words[:1] and words[0] in _COMMANDS else _COMMANDS:
        importlib.import_module(f'audio_interaction_ros.cli.{name}').add_parser(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    words = sys.argv[1:] if arguments is None else arguments
    return end_in_good_order('audio-interaction', lambda: _run(words))


def _run(words: Sequence[str]) -> int:
    from audio_interaction_ros.process_memory import keep_memory_small
    keep_memory_small()
    options = _make_parser(words).parse_args(words)
    return int(options.run(options))


if __name__ == '__main__':
    sys.exit(main())
