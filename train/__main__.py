"""
The commands of SoundFlow: ``python -m train COMMAND …``.

Owns the list of commands and how an error reaches a person. Knows nothing of what a command does:
its module is loaded only when it is asked for, and has ``add_arguments(parser)`` and
``run(options) -> int``.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

from audio_interaction_ros.errors import AudioInteractionError

__all__ = ['COMMANDS', 'main']

COMMANDS = {
    'corpora': ('train.corpora.command', 'read corpora into clips, check the recipe, attribute'),
    'tfjp': ('train.tfjp.command', 'clean clips: silence, noise, core, boundaries'),
    'curate': ('train.curation.command', 'turn scenarios into verified sounds'),
    'speech': ('train.speech.command', 'speak texts, and check what was spoken'),
    'build': ('train.compose.command', 'compose streams from clips'),
    'tokens': ('train.tokens', 'lay out streams as tokens'),
    'demo': ('train.demo.command', 'build about an hour of streams of all seven abilities'),
    'plan': ('train.trainer.command_plan', 'what a recipe trains, and what it needs'),
    'fit': ('train.trainer.command_fit', 'train one stage of a recipe'),
    'listen': ('train.trainer.command_listen', 'stream a built stream through the runtime'),
}
"""Command -> its module and what it does."""


def usage() -> str:
    lines = [f'  {name:9s}{about}' for name, (_, about) in COMMANDS.items()]
    return '\n'.join(['usage: python -m train COMMAND …', '', *lines, '',
                      'python -m train COMMAND --help says more'])


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
        parser = argparse.ArgumentParser(prog=f'python -m train {name}', description=about)
        module.add_arguments(parser)
        return module.run(parser.parse_args(rest)) or 0
    except AudioInteractionError as error:
        print(f'error: {error}', file=sys.stderr)
        return 2


if __name__ == '__main__':
    sys.exit(main())
