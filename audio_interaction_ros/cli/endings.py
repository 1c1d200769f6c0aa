"""
How a command ends: with its code, with one sentence for whoever must act, or quietly.

Owns which exception means what. What a command does is not known here.
"""

import sys
from collections.abc import Callable

from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.terminal import make_printable, silence_stream

__all__ = ['end_in_good_order']

INTERRUPTED = 130
"""What a shell calls a program that Ctrl-C ended."""


def end_in_good_order(program: str, run: Callable[[], int]) -> int:
    """
    Run a command and return its exit code, with its name before what went wrong.

    2 for an error of ours and for what the system refuses (a full disk, a path that cannot be
    written), 130 after Ctrl-C. A reader of the output that leaves is no error.
    """
    make_printable()
    try:
        code = run()
        if sys.stdout is not None:  # a full disk shows here, and not when nobody listens any more
            sys.stdout.flush()
        return code
    except AudioInteractionError as error:
        said, code = str(error), 2
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        silence_stream(sys.stdout)  # or the interpreter complains about it again
        return 0
    except OSError as error:
        silence_stream(sys.stdout)
        said, code = (f'expected to read and write what was named, the system refuses: {error}; '
                      'look at the disk, at the path and who may use it'), 2
    print(f'{program}: {said}', file=sys.stderr)
    return code
