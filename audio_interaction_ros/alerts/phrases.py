"""
Finding listed phrases in a sentence: longest match, negation respected.

English phrases match whole words, Chinese phrases match as substrings. Knows no labels,
severities or files: a phrase stands for a string key that the caller chose.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

__all__ = ['Negation', 'PhraseMatcher', 'is_chinese', 'words_of']

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")
_CHINESE = re.compile(r'[\u3400-\u9fff\uf900-\ufaff]')
_CLAUSE_END = re.compile(r'[,.;:!?，。；：！？\n]|\b(?:but|however)\b|但|可是|不过')


def _normalise(text: str) -> str:
    folded = unicodedata.normalize('NFKC', text).casefold()
    return folded.replace('\u2019', "'").replace('\u2018', "'")


def is_chinese(phrase: str) -> bool:
    """Tell whether a phrase holds a Chinese character and so matches as a substring."""
    return _CHINESE.search(phrase) is not None


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text as they are compared: folded, without punctuation."""
    return tuple(_WORD.findall(_CHINESE.sub(' ', _normalise(text))))


@dataclass(frozen=True, kw_only=True)
class Negation:
    """Words that take a phrase back: "no fire", "the alarm has stopped"."""

    window_words: int = 3
    """At most this many words may stand between an English cue and the phrase."""
    window_characters: int = 4
    """At most this many characters may stand between a Chinese cue and the phrase."""
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    exceptions: tuple[str, ...] = ()
    """Cues inside one of these do not negate: "not only", "do not ignore"."""


@dataclass(frozen=True)
class _Span:
    start: int
    end: int
    key: str


class _Index:
    """A set of phrases, searched for at once."""

    def __init__(self, phrases: Iterable[tuple[str, str]]) -> None:
        self._words: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        self._chinese: list[tuple[str, str]] = []
        for phrase, key in phrases:
            if is_chinese(phrase):
                self._chinese.append((_normalise(phrase), key))
            else:
                words = words_of(phrase)
                self._words.setdefault(words[0], []).append((words, key))

    def find(self, text: str, words: list[re.Match[str]]) -> list[_Span]:
        """Return every occurrence in normalised text, overlapping ones included."""
        spans = [_Span(match.start(), match.end(), key)
                 for phrase, key in self._chinese
                 for match in re.finditer(re.escape(phrase), text)]
        spelled = [word.group() for word in words]
        for first, word in enumerate(spelled):
            for phrase, key in self._words.get(word, ()):
                last = first + len(phrase)
                if tuple(spelled[first:last]) == phrase:
                    spans.append(_Span(words[first].start(), words[last - 1].end(), key))
        return spans


def _keep_longest(spans: Iterable[_Span]) -> list[_Span]:
    """Keep the longest of overlapping spans (the earliest of equals), in order of the text."""
    kept: list[_Span] = []
    for span in sorted(spans, key=lambda s: (s.start - s.end, s.start)):
        if all(span.end <= other.start or span.start >= other.end for other in kept):
            kept.append(span)
    return sorted(kept, key=lambda s: s.start)


def _is_within(span: _Span, others: Iterable[_Span]) -> bool:
    return any(other.start <= span.start and span.end <= other.end for other in others)


class PhraseMatcher:
    """Finds which keys a sentence speaks of."""

    def __init__(self, *, phrases: Mapping[str, str], ignored: Iterable[str] = (),
                 negation: Negation | None = None) -> None:
        """
        Take phrases, each with the key that it stands for.

        ``ignored`` phrases take part in the choice of the longest match and stand for nothing:
        "fire extinguisher" hides "fire".
        """
        self._negation = negation or Negation()
        self._phrases = _Index([*phrases.items(), *((phrase, '') for phrase in ignored)])
        self._before = _Index((cue, '') for cue in self._negation.before)
        self._after = _Index((cue, '') for cue in self._negation.after)
        self._exceptions = _Index((cue, '') for cue in self._negation.exceptions)

    def find(self, text: str) -> tuple[str, ...]:
        """Return the keys found, each once, in the order of the text."""
        clean = _normalise(text)
        # Chinese characters count as letters; blanks let English stand right beside them.
        words = list(_WORD.finditer(_CHINESE.sub(' ', clean)))
        spans = _keep_longest(self._phrases.find(clean, words))
        if not spans:
            return ()
        exceptions = self._exceptions.find(clean, words)
        before, after = ([cue for cue in cues.find(clean, words)
                          if not _is_within(cue, exceptions) and not _is_within(cue, spans)]
                         for cues in (self._before, self._after))
        keys = [span.key for span in spans if span.key and not (
            any(self._stands_near(clean, cue, span) for cue in before)
            or any(self._stands_near(clean, span, cue) for cue in after))]
        return tuple(dict.fromkeys(keys))

    def _stands_near(self, text: str, left: _Span, right: _Span) -> bool:
        """Tell whether two spans stand close enough, in this order, within one clause."""
        if left.end > right.start:
            return False
        between = text[left.end:right.start]
        if _CLAUSE_END.search(between):
            return False
        if len(_CHINESE.findall(between)) > self._negation.window_characters:
            return False
        return len(words_of(between)) <= self._negation.window_words
