"""
The commands of the evaluation: ``python -m eval COMMAND …``.

Owns the list of commands and how an error reaches a person. A command's module is loaded only
when it is asked for; it has ``add_arguments(parser)`` and ``run(options) -> int``.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

from audio_interaction_ros.errors import AudioInteractionError

__all__ = ['COMMANDS', 'main']

COMMANDS = {
    'alerts': ('eval.alerts', 'recall per sound, false alarms per hour, delay, calibration'),
    'asr': ('eval.asr', 'word errors, stability of what is shown, latency per word'),
    'translation': ('eval.translation', 'BLEU and chrF of the translation lane'),
    'long': ('eval.long', 'half an hour with sparse events: does it keep listening?'),
    'psb': ('eval.psb', 'ProactiveSound-Bench, Single and Multiple'),
}
"""Command -> its module and what it measures."""


def usage() -> str:
    lines = [f'  {name:12s}{about}' for name, (_, about) in COMMANDS.items()]
    return '\n'.join(['usage: python -m eval COMMAND …', '', *lines, '',
                      'python -m eval COMMAND --help says more'])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; 2 for an error that a person can correct."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    if not words or words[0] in ('-h', '--help'):
        print(usage())
        return 0 if words else 2
    name, *rest = words
    if name not in COMMANDS:
        print(f'expected a command, got {name!r}\n\n{usage()}', file=sys.stderr)
        return 2
    module_name, about = COMMANDS[name]
    try:
        module = importlib.import_module(module_name)
        parser = argparse.ArgumentParser(prog=f'python -m eval {name}', description=about)
        module.add_arguments(parser)
        return module.run(parser.parse_args(rest))
    except AudioInteractionError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2


if __name__ == '__main__':
    sys.exit(main())
