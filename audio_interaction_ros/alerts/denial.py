"""
What a sentence does not claim: phrases that it takes back, asks for, supposes or answers.

Owns the reach of such words. A negation reaches a few words, within a clause; what makes a clause
an answer, a question or a condition reaches to the clause's end, for none of its phrases tells of
a sound: "I cannot see the fire", "is there a fire?". A comma ends a clause, so that a warning
beside an answer counts: both err on the loud side. Knows no labels.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from audio_interaction_ros.alerts.phrase_index import (
    FoldedText,
    PhraseIndex,
    Span,
    chinese_in,
    is_within,
    words_of,
)

__all__ = ['Answering', 'Denial', 'Negation']

_CLAUSE_END = re.compile(
    r'[,.;:!?\n]|。|\b(?:but|however|because)\b|\band (?=(?:i|there|it|someone|somebody)\b)'
    r'|但|可是|不过|因为')
_ARTICLE = r'(?:(?:a|an|any|the)\s+)?'
_LISTED = re.compile(rf'\s*,\s*{_ARTICLE}')
_LISTED_SURELY = re.compile(
    rf'\s*,?\s*(?:or|nor|and)\s+{_ARTICLE}|\s*(?:、|、?(?:或者?|和|以及))\s*')


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
    """Cues inside one of these do not count: "not only", "do not ignore", "as if"."""


@dataclass(frozen=True, kw_only=True)
class Answering:
    """Words that make a clause an answer, a question or a condition; of no sound it tells then."""

    opens: tuple[str, ...] = ()
    """As the first words of a clause: "is there", "please call"."""
    before: tuple[str, ...] = ()
    """Anywhere before the phrase: "I cannot", "if"."""
    after: tuple[str, ...] = ()
    """Anywhere behind it: 吗."""


class Denial:
    """Finds which phrases of a text are not claimed by it."""

    def __init__(self, negation: Negation, answering: Answering) -> None:
        self._negation = negation
        self._before, self._after, self._opens, self._aside, self._behind, self._exceptions = (
            PhraseIndex((cue, '') for cue in cues) for cues in (
                negation.before, negation.after, answering.opens, answering.before,
                answering.after, negation.exceptions))

    def keep_claimed(self, searched: FoldedText, spans: Sequence[Span]) -> list[Span]:
        """Return those of the spans, in order of the text, that the text claims."""
        exceptions = self._exceptions.find(searched)

        def find(index: PhraseIndex) -> list[Span]:
            return [cue for cue in index.find(searched)
                    if not is_within(cue, exceptions) and not is_within(cue, spans)]
        before, after, opens, aside, behind = map(
            find, (self._before, self._after, self._opens, self._aside, self._behind))
        text = searched.text
        asides = [*aside, *(cue for cue in opens if _opens_clause(text, cue))]
        denied = [
            _is_asked(text, span)
            or any(self._stands_near(text, cue, span) for cue in before)
            or any(self._stands_near(text, span, cue) for cue in after)
            or any(_shares_clause(text, cue, span) for cue in asides)
            or any(_shares_clause(text, span, cue) for cue in behind) for span in spans]
        return [span for span, gone in zip(spans, _spread(text, spans, denied), strict=True)
                if not gone]

    def _stands_near(self, text: str, left: Span, right: Span) -> bool:
        """Tell whether two spans stand close enough, in this order, within one clause."""
        between = text[left.end:right.start]
        return (_shares_clause(text, left, right)
                and chinese_in(between) <= self._negation.window_characters
                and len(words_of(between)) <= self._negation.window_words)


def _shares_clause(text: str, left: Span, right: Span) -> bool:
    """Tell whether two spans stand in this order within one clause."""
    return left.end <= right.start and not _CLAUSE_END.search(text, left.end, right.start)


def _opens_clause(text: str, cue: Span) -> bool:
    """Tell whether no word stands before a cue in its clause."""
    start = max((end.end() for end in _CLAUSE_END.finditer(text, 0, cue.start)), default=0)
    before = text[start:cue.start]
    return not words_of(before) and not chinese_in(before)


def _is_asked(text: str, span: Span) -> bool:
    """Tell whether the clause of a span ends with a question mark."""
    end = _CLAUSE_END.search(text, span.end)
    return end is not None and end.group() == '?'


def _spread(text: str, spans: Sequence[Span], denied: Iterable[bool]) -> list[bool]:
    """Return what is denied where a list goes on: "no fire, smoke alarm or gunshot"."""
    found = list(denied)
    for first, gone in enumerate(list(found)):
        if not gone:
            continue
        for number in range(first + 1, len(spans)):
            gap = text[spans[number - 1].end:spans[number].start]
            if _LISTED_SURELY.fullmatch(gap):
                found[first:number + 1] = [True] * (number + 1 - first)
            elif not _LISTED.fullmatch(gap):
                break  # a list of commas alone may be a warning: "no, fire!"
    return found
