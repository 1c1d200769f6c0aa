"""
Words: how texts are made comparable, word errors with intervals, and how often shown words change.

Owns the normalisation (Whisper's English one, as transformers ships it: numbers, contractions,
titles; its list of British spellings is left out) and the measures. Knows no model.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np

from audio_interaction_ros.errors import MissingDependencyError
from eval.intervals import Estimate, quotients

__all__ = ['Utterance', 'erased', 'errors', 'erasure', 'normal', 'ratio', 'wer', 'word_times']


@cache
def _normaliser() -> Any:
    try:
        from transformers.models.whisper.english_normalizer import EnglishTextNormalizer
    except ImportError as error:
        raise MissingDependencyError('comparing words needs transformers; run: pip install -r '
                                     'requirements/eval.txt') from error
    return EnglishTextNormalizer({})


def normal(text: str) -> str:
    """Return a text as words that can be compared: lower case, single digits, bare."""
    words = re.sub(r'[^\w$%£€ ]', ' ', _normaliser()(text))
    words = re.sub(r'\bone\b', '1', words)  # it writes a lone 1 as a word
    # Digit by digit, or "1, 2, 5" would be three errors against "125".
    return ' '.join(re.sub(r'(?<=\d)(?=\d)', ' ', words).split())


@dataclass(frozen=True)
class Utterance:
    """A reference, what was understood, and who was drawn independently."""

    reference: str
    hypothesis: str
    group: str


def errors(reference: str, hypothesis: str) -> tuple[int, int]:
    """Return wrong words (substituted, left out, put in) and words of the reference."""
    import jiwer
    said, heard = normal(reference), normal(hypothesis)
    words = len(said.split())
    if not said or not heard:
        return max(words, len(heard.split())), words
    counts = jiwer.process_words(said, heard)
    return counts.substitutions + counts.deletions + counts.insertions, words


def _pooled(utterances: Sequence[Utterance]) -> dict[str, tuple[int, int]]:
    groups: dict[str, tuple[int, int]] = {}
    for one in utterances:
        wrong, words = errors(one.reference, one.hypothesis)
        before = groups.get(one.group, (0, 0))
        groups[one.group] = (before[0] + wrong, before[1] + words)
    return groups


def wer(utterances: Sequence[Utterance]) -> Estimate:
    """Return wrong words per word of the reference, with a bootstrap over groups."""
    counts = np.array(list(_pooled(utterances).values())).reshape(-1, 2)
    return quotients(counts[:, 0], counts[:, 1])


def ratio(mine: Sequence[Utterance], other: Sequence[Utterance]) -> Estimate:
    """Return the word error rate over that of somebody else on the same utterances, paired."""
    a, b = _pooled(mine), _pooled(other)
    return quotients([a[group][0] for group in a], [b[group][0] for group in a])


def erased(before: str, after: str) -> int:
    """Return how many shown words a new text takes back: those after the common beginning."""
    old, new = before.split(), after.split()
    same = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b),
                min(len(old), len(new)))
    return len(old) - same


def erasure(shown: Sequence[str]) -> tuple[int, int]:
    """
    Return words taken back over all updates, and words of the last text.

    Their quotient is the normalised erasure of Arivazhagan et al., Re-translation versus
    Streaming for Simultaneous Translation (2020): 0 means that nothing shown ever changes.
    """
    taken = sum(erased(a, b) for a, b in pairwise(shown))
    return taken, len(shown[-1].split()) if shown else 0


def word_times(text: str, start: float, end: float) -> list[float]:
    """Return when each word ends if all letters take equally long: an estimate."""
    words = text.split()
    letters, total, times = 0, max(1, sum(map(len, words))), []
    for word in words:
        letters += len(word)
        times.append(start + (end - start) * letters / total)
    return times
