"""Entry point of `audio-interaction`: picks a command and turns our errors into one line."""

import argparse
import sys
from collections.abc import Sequence

from audio_interaction_ros import __version__
from audio_interaction_ros.cli import (
    calibrate,
    intent,
    model,
    parity,
    replay,
    report,
    say,
    sounds,
    stream,
    teach,
)
from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.process_memory import keep_memory_small
from audio_interaction_ros.terminal import make_printable, silence_stream

__all__ = ['main']


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog='audio-interaction',
        description='A robot\'s always-on ears: audio in, transcripts, replies and alerts out.')
    parser.add_argument('--version', action='version', version=__version__)
    commands = parser.add_subparsers(dest='command', required=True)
    for command in (stream, sounds, teach, calibrate, replay, report, intent, say, model,
                    parity):
        command.add_parser(commands)
    return parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    make_printable()
    keep_memory_small()
    options = _make_parser().parse_args(arguments)
    try:
        return options.run(options)
    except AudioInteractionError as error:
        print(f'audio-interaction: {error}', file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        silence_stream(sys.stdout)  # or the interpreter complains about it again
        return 0


if __name__ == '__main__':
    sys.exit(main())
