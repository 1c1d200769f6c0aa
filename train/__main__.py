"""The commands of SoundFlow: ``python -m train COMMAND …``."""

import sys
from collections.abc import Sequence

from audio_interaction_ros.cli.commands import run_command

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
    'measure': ('train.trainer.command_measure', 'take real steps; memory beside the plan'),
    'sounds': ('train.sound_head.command', 'train the head that tells sounds apart'),
    'edge': ('train.edge.command', 'make the edge model, from clips to its folder'),
    'fit': ('train.trainer.command_fit', 'train one stage of a recipe'),
    'ablate': ('train.ablate.command', 'train a tiny model without parts of the recipe'),
    'listen': ('train.trainer.command_listen', 'stream a built stream through the runtime'),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; 2 for an error that a person can correct."""
    return run_command('python -m train', COMMANDS, arguments)


if __name__ == '__main__':
    sys.exit(main())
