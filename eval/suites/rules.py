"""
The public rules by which answers count, as pure functions.

Owns what is right. Each rule says where it comes from; its traps are told in docs/benchmarks of
the suites (docs/suites.md). Knows no file and no model.
"""

import re
import unicodedata
from collections.abc import Sequence

__all__ = ['has_reference', 'is_mmau_right', 'split_words']


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
    Tell whether any reference occurs in a prediction, word after word (UltraEval-Audio).

    Compared without case and accents (NFD). This is the first of two protocols for spoken
    questions; the other asks a language model, and figures of both must not be mixed.
    """
    said = _tokens(prediction)
    return any(_occurs(_tokens(reference), said) for reference in references)


def _tokens(text: str) -> list[str]:
    plain = unicodedata.normalize('NFD', text)
    return split_words(''.join(letter for letter in plain if not unicodedata.combining(letter)))


def _occurs(part: Sequence[str], whole: Sequence[str]) -> bool:
    return bool(part) and any(list(whole[at:at + len(part)]) == list(part)
                              for at in range(len(whole) - len(part) + 1))
