"""The commands of export: ``python -m export COMMAND …``."""

import sys
from collections.abc import Sequence

from audio_interaction_ros.cli.commands import run_command

__all__ = ['COMMANDS', 'main']

COMMANDS = {
    'onnx': ('audio_interaction_ros.cli.model_export', 'write the graphs of a model as ONNX'),
    'tensorrt': ('export.command_tensorrt', 'build engines of written graphs for the GPU here'),
    'verify': ('export.command_verify', 'compare written graphs with torch; exit code 1: too far'),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code; 2 for an error that a person can correct."""
    return run_command('python -m export', COMMANDS, arguments)


if __name__ == '__main__':
    sys.exit(main())
