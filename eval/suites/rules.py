"""
The public rules by which answers count, as pure functions.

Owns what is right. Each rule says where it comes from; traps are told in docs/suites.md. Knows no
file and no model.
"""

import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from itertools import groupby
from typing import Any

from audio_interaction_ros.errors import MissingDependencyError

__all__ = ['describe_normaliser', 'has_reference', 'is_mmau_right', 'normalise_english',
           'split_words']

_NORMALISER = 'whisper-normalizer'


def split_words(text: str) -> list[str]:
    """Return the words of a text in lower case, without punctuation."""
    return re.findall(r'\w+', text.lower())


def is_mmau_right(prediction: str, answer: str, choices: Sequence[str]) -> bool:
    """
    Tell whether MMAU counts a prediction (evaluation.py of Sakshi113/MMAU at 110127f).

    Every word of the answer must be in it, and no word that only wrong choices have.
    """
    said, right = set(split_words(prediction)), set(split_words(answer))
    wrong = {word for choice in choices if choice != answer for word in split_words(choice)}
    return bool(said) and right <= said and not said & (wrong - right)


def has_reference(prediction: str, references: Sequence[str]) -> bool:
    """
    Tell whether the tokens of any reference occur in a prediction, one after the other.

    As qa_exact_match.py of OpenBMB/UltraEval-Audio at 9b69da6 has it, but that a reference
    without a token never occurs; there it always does. This is the first of two protocols for
    spoken questions; the other asks a language model, and figures of both must not be mixed.
    """
    said = _tokens(prediction)
    return any(_occurs(_tokens(reference), said) for reference in references)


def _tokens(text: str) -> list[str]:
    """
    Return tokens in lower case: letters, digits and marks side by side, any other sign alone.

    Accents count (NFD makes them marks of their own), and so does punctuation.
    """
    tokens = list[str]()
    for is_word, run in groupby(unicodedata.normalize('NFD', text),
                                lambda sign: unicodedata.category(sign)[0] in 'LNM'):
        signs = [sign.lower() for sign in run if unicodedata.category(sign)[0] not in 'ZC']
        tokens += [''.join(signs)] if is_word else signs
    return tokens


def normalise_english(text: str) -> str:
    """Return a text as OpenAI's Whisper compares English, American spelling included."""
    return str(_normaliser()(text))


def describe_normaliser() -> str:
    """Return what makes words comparable, with its version."""
    return f"Whisper's English normaliser ({_NORMALISER} {version(_NORMALISER)}), jiwer"


@cache
def _normaliser() -> Any:
    try:
        from whisper_normalizer.english import EnglishTextNormalizer
    except ImportError as error:
        raise MissingDependencyError(f'word errors of a benchmark need {_NORMALISER}; run: pip '
                                     'install -r requirements/eval.txt') from error
    return EnglishTextNormalizer()


def _occurs(part: Sequence[str], whole: Sequence[str]) -> bool:
    return bool(part) and any(list(whole[at:at + len(part)]) == list(part)
                              for at in range(len(whole) - len(part) + 1))
