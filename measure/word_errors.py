"""
Words: how texts are made comparable, word errors with intervals, and how often shown words change.

Owns the normalisation (Whisper's English one, as transformers ships it: numbers, contractions,
titles; its list of British spellings is left out) and the measures. Knows no model.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from audio_interaction_ros.errors import MissingDependencyError
from measure.intervals import Estimate, quotients

__all__ = ['UnderstoodUtterance', 'count_erased', 'count_errors', 'measure_erasure', 'normalise',
           'error_ratio', 'word_error_rate', 'word_times']


@cache
def _normaliser() -> Any:
    try:
        from transformers.models.whisper.english_normalizer import EnglishTextNormalizer
    except ImportError as error:
        raise MissingDependencyError('comparing words needs transformers; run: pip install -r '
                                     'requirements/eval.txt') from error
    return EnglishTextNormalizer({})


def normalise(text: str) -> str:
    """
    Return a text as words that can be compared: lower case, single digits, bare.

    Each Chinese or Japanese character is a word, so that what is counted there are characters.
    """
    words = re.sub(r'[^\w$%£€ ]', ' ', _normaliser()(text))
    words = re.sub(r'\bone\b', '1', words)  # it writes a lone 1 as a word
    words = re.sub(r'([\u3040-\u30ff\u3400-\u9fff])', r' \1 ', words)
    # Digit by digit, or "1, 2, 5" would be three errors against "125".
    return ' '.join(re.sub(r'(?<=\d)(?=\d)', ' ', words).split())


@dataclass(frozen=True)
class UnderstoodUtterance:
    """A reference, what was understood, and who was drawn independently."""

    reference: str
    hypothesis: str
    group: str


def count_errors(reference: str, hypothesis: str,
                 compared: Callable[[str], str] = normalise) -> tuple[int, int]:
    """
    Return wrong words (substituted, left out, put in) and words of the reference.

    ``compared`` makes texts comparable.
    """
    import jiwer
    said, heard = compared(reference), compared(hypothesis)
    words = len(said.split())
    if not said or not heard:
        return max(words, len(heard.split())), words
    counts = jiwer.process_words(said, heard)
    return counts.substitutions + counts.deletions + counts.insertions, words


def _pool_errors(utterances: Sequence[UnderstoodUtterance],
                 compared: Callable[[str], str] = normalise) -> dict[str, tuple[int, int]]:
    groups: dict[str, tuple[int, int]] = {}
    for utterance in utterances:
        wrong, words = count_errors(utterance.reference, utterance.hypothesis, compared)
        before = groups.get(utterance.group, (0, 0))
        groups[utterance.group] = (before[0] + wrong, before[1] + words)
    return groups


def word_error_rate(utterances: Sequence[UnderstoodUtterance],
                    compared: Callable[[str], str] = normalise) -> Estimate:
    """Return wrong words per word of the reference, with a bootstrap over groups."""
    counts = np.array(list(_pool_errors(utterances, compared).values())).reshape(-1, 2)
    return quotients(counts[:, 0], counts[:, 1])


def error_ratio(mine: Sequence[UnderstoodUtterance],
                other: Sequence[UnderstoodUtterance]) -> Estimate:
    """Return the word error rate over that of somebody else on the same utterances, paired."""
    a, b = _pool_errors(mine), _pool_errors(other)
    return quotients([a[group][0] for group in a], [b[group][0] for group in a])


def count_erased(before: str, after: str) -> int:
    """Return how many shown words a new text takes back: those after the common beginning."""
    old, new = before.split(), after.split()
    same = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b),
                min(len(old), len(new)))
    return len(old) - same


def measure_erasure(shown: Sequence[str]) -> tuple[int, int]:
    """
    Return words taken back over all updates, and words of the last text.

    Their quotient is the normalised erasure of Arivazhagan et al., Re-translation versus
    Streaming for Simultaneous Translation (2020): 0 means that nothing shown ever changes.
    """
    taken = sum(count_erased(a, b) for a, b in pairwise(shown))
    return taken, len(shown[-1].split()) if shown else 0


def word_times(text: str, start: float, end: float) -> list[float]:
    """Return when each word ends if all letters take equally long: an estimate."""
    words = text.split()
    letters, total, times = 0, max(1, sum(map(len, words))), []
    for word in words:
        letters += len(word)
        times.append(start + (end - start) * letters / total)
    return times
