"""
A program of several commands, each in a module of its own that is loaded only when asked for.

Owns how commands are listed. A command's module has ``add_arguments(parser)`` and
``run(options) -> int``; what it does is not known here.
"""

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence

from audio_interaction_ros.cli.endings import end_in_good_order

__all__ = ['Commands', 'run_command']

Commands = Mapping[str, tuple[str, str]]
"""Command -> its module and what it does, in a line."""


def _describe_usage(program: str, commands: Commands) -> str:
    width = max(map(len, commands)) + 2
    lines = [f'  {name:{width}s}{about}' for name, (_, about) in commands.items()]
    return '\n'.join([f'usage: {program} COMMAND …', '', *lines, '',
                      f'{program} COMMAND --help says more'])


def run_command(program: str, commands: Commands, arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; 2 for an error that a person can correct."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    return end_in_good_order('error', lambda: _run(program, commands, words))


def _run(program: str, commands: Commands, words: Sequence[str]) -> int:
    if not words or words[0] in ('-h', '--help'):
        print(_describe_usage(program, commands))
        return 0 if words else 2
    name, *rest = words
    if name not in commands:
        print(f'expected a command, got {name!r}\n\n{_describe_usage(program, commands)}',
              file=sys.stderr)
        return 2
    module_name, about = commands[name]
    module = importlib.import_module(module_name)
    parser = argparse.ArgumentParser(prog=f'{program} {name}', description=about)
    module.add_arguments(parser)
    return module.run(parser.parse_args(rest)) or 0
