"""
Text for a terminal, a pipe or a log: it may be of any encoding, and its reader may leave.

Owns what is done so that printing never ends a program. Knows nothing of what is printed.
"""

import contextlib
import io
import os
import sys
from typing import Any

__all__ = ['make_printable', 'one_line', 'silence_stream']


def make_printable() -> None:
    """Let stdout and stderr write what their encoding lacks as an escape, instead of raising."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(ValueError, OSError):
                stream.reconfigure(errors='backslashreplace')


def silence_stream(stream: Any) -> None:
    """Send what is still written to a stream to nowhere: its reader (head, jq) has left."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


def one_line(text: str, longest: int = 1000) -> str:
    """
    Return text for one line of a log, without blanks around it, cut where it is too long.

    All that does not print becomes an escape, line ends and marks that turn the direction of
    writing included: text from outside can forge no line.
    """
    plain = ''.join(letter if letter.isprintable() else
                    letter.encode('unicode_escape').decode('ascii')
                    for letter in text[:20 * longest].strip()).strip()
    return plain if len(plain) <= longest else plain[:longest - 1].rstrip() + '…'
