"""
Where listed phrases stand in a text: English ones as whole words, Chinese ones as substrings.

Owns how texts are folded before they are compared. Knows no labels and no meaning: a phrase stands
for a string key that the caller chose.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

__all__ = ['FoldedText', 'PhraseIndex', 'Span', 'chinese_in', 'is_chinese', 'is_within',
           'words_of']

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_CHINESE = re.compile(r'[\u3400-\u9fff\uf900-\ufaff]')


def _normalise(text: str) -> str:
    folded = unicodedata.normalize('NFKC', text).casefold()
    return folded.replace('\u2019', "'").replace('\u2018', "'")


def is_chinese(phrase: str) -> bool:
    """Tell whether a phrase holds a Chinese character and so matches as a substring."""
    return _CHINESE.search(phrase) is not None


def chinese_in(text: str) -> int:
    """Return how many Chinese characters a text has."""
    return len(_CHINESE.findall(text))


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text as they are compared: folded, without punctuation."""
    return tuple(_WORD.findall(_CHINESE.sub(' ', _normalise(text))))


@dataclass(frozen=True)
class FoldedText:
    """A text as it is searched."""

    text: str

    @classmethod
    def of(cls, text: str) -> 'FoldedText':
        """Return a text in one case and one width of letters."""
        return cls(_normalise(text))

    @cached_property
    def words(self) -> list[re.Match[str]]:
        """
        English words with their places.

        Chinese characters count as letters; blanks let English stand right beside them.
        """
        return list(_WORD.finditer(_CHINESE.sub(' ', self.text)))


@dataclass(frozen=True)
class Span:
    """Where a phrase stands, and its key."""

    start: int
    end: int
    key: str


class PhraseIndex:
    """A set of phrases, searched for at once."""

    def __init__(self, phrases: Iterable[tuple[str, str]]) -> None:
        """Take phrases, each with its key."""
        self._words: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        self._chinese: list[tuple[str, str]] = []
        for phrase, key in phrases:
            if is_chinese(phrase):
                self._chinese.append((_normalise(phrase), key))
            else:
                words = words_of(phrase)
                self._words.setdefault(words[0], []).append((words, key))

    def find(self, searched: FoldedText) -> list[Span]:
        """Return every occurrence, overlapping ones included."""
        spans = [Span(match.start(), match.end(), key)
                 for phrase, key in self._chinese
                 for match in re.finditer(re.escape(phrase), searched.text)]
        words = searched.words
        spelled = [word.group() for word in words]
        for first, word in enumerate(spelled):
            for phrase, key in self._words.get(word, ()):
                last = first + len(phrase)
                if tuple(spelled[first:last]) == phrase:
                    spans.append(Span(words[first].start(), words[last - 1].end(), key))
        return spans


def is_within(span: Span, others: Iterable[Span]) -> bool:
    """Tell whether a span lies in another."""
    return any(other.start <= span.start and span.end <= other.end for other in others)
