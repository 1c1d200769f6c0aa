"""
How many words of a text are wrong, as expectations count them.

Words are compared without case, commas and short forms; each Chinese character is a word.
"""

from typing import Any

from audio_interaction_ros.errors import MissingDependencyError
from audio_interaction_ros.intents.words import tokenise

__all__ = ['load_counter', 'word_error_rate']


def word_error_rate(expected: str, heard: str) -> float:
    """
    Return wrong words of ``heard`` per word of ``expected``: put in, left out or another.

    Where nothing is expected: 0 for nothing, else 1. Raises MissingDependencyError where texts
    differ and the package that counts is not there.
    """
    said, understood = tokenise(expected), tokenise(heard)
    if said == understood:
        return 0.0
    if not said or not understood:
        return 1.0
    return float(load_counter().wer(' '.join(said), ' '.join(understood)))


def load_counter() -> Any:
    """Return what counts wrong words (jiwer); raises MissingDependencyError without it."""
    try:
        import jiwer
    except ImportError as error:
        raise MissingDependencyError(
            'Expected the jiwer package, to count wrong words, found none; run: pip install '
            '-r requirements/replay.txt') from error
    return jiwer
