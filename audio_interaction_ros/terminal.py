"""
Text for a terminal, a pipe or a log: it may be of any encoding, and its reader may leave.

Owns what is done so that printing never ends a program. Knows nothing of what is printed.
"""

import contextlib
import io
import os
import shutil
import sys
import unicodedata
from typing import Any

__all__ = ['draw_in_place', 'is_live', 'make_printable', 'one_line', 'print_on',
           'print_result', 'silence_stream']


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


def print_on(stream: Any, text: str, end: str = '\n') -> None:
    """
    Print for a program that goes on whatever becomes of its output.

    A reader that left is not written to again. What a full disk or a terminal that is gone does
    not take is kept and tried with the next text. A stream that was closed before the start is
    None, and nothing is printed.
    """
    if stream is None:  # print would take the standard output for it
        return
    try:
        print(text, file=stream, end=end, flush=True)
    except BrokenPipeError:
        silence_stream(stream)
    except OSError:
        pass


def print_result(text: str) -> None:
    """
    Print for a command with more to do than to print: files to write, an exit status that counts.

    Where who reads the output has left, it goes on. Raises OSError where a disk is full.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        silence_stream(sys.stdout)


def is_live(stream: Any) -> bool:
    """Tell whether a stream is a terminal; one that was closed before the start is none."""
    return stream is not None and bool(stream.isatty())


def draw_in_place(start: str, text: str, columns: int | None = None) -> str:
    """
    Return what writes over the present line of a terminal, in one row of it.

    A row that wraps would stay, for only the last can be written over. So where ``text`` is too
    long its newest words stand behind ``start`` and '…'. ``columns`` of None: the terminal's.
    """
    left = (columns or shutil.get_terminal_size().columns) - 1 - sum(map(_columns_of, start))
    line = one_line(text)
    if sum(map(_columns_of, line)) > left:
        first = len(line)
        while first and (left := left - _columns_of(line[first - 1])) >= 1:
            first -= 1
        line = f'…{line[first:]}'
    return f'\r\033[K{start}{line}'


def _columns_of(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in 'WF' else 1
