"""Numbers of a command line that make sense; argparse names the option of one that does not."""

import argparse
import math
from collections.abc import Callable

__all__ = ['above_zero', 'at_least_one', 'share']


def above_zero(text: str, wanted: str = 'a number above 0') -> float:
    """Return a number above 0 that is finite; ``wanted`` is what an error calls it."""
    return _check(text, float, lambda value: 0 < value < math.inf, wanted)


def at_least_one(text: str) -> int:
    """Return a whole number from 1 on."""
    return int(_check(text, int, lambda value: value >= 1, 'a whole number from 1 on'))


def share(text: str) -> float:
    """Return a number from 0 to 1."""
    return _check(text, float, lambda value: 0 <= value <= 1, 'a number from 0 to 1')


def _check(text: str, read: Callable[[str], float], is_right: Callable[[float], bool],
           wanted: str) -> float:
    try:
        value = read(text)
    except ValueError:
        value = math.nan
    if not is_right(value):
        raise argparse.ArgumentTypeError(f'expected {wanted}, got {text!r}')
    return value
