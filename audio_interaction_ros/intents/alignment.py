"""
One form of a phrase held against one sentence, word by word.

Owns what may be skipped, what may be misread and how much of the sentence that leaves. A number or
a negation is never skipped and never guessed. Knows no intent.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache

from audio_interaction_ros.intents.phrase import Element, Gap
from audio_interaction_ros.intents.slots import SlotReader, SlotValue
from audio_interaction_ros.intents.words import (
    ARTICLES,
    FILLERS,
    are_alike,
    is_negation,
    parse_number,
)

__all__ = ['Alignment', 'Skipper', 'align']

MISREAD_WORTH = 0.5
"""What a word counts that was misread by a letter."""
LEAST_BESIDE_EXTRA = 4
"""So many words of the phrase must be there where one is heard that it does not have."""
_OPENERS = tuple(tuple(words.split()) for words in (
    'can you', 'could you', 'would you', 'will you', 'i want you to', 'i need you to',
    'i would like you to', 'excuse me', 'thank you',
    '你 好', '你 能', '你 能 不 能', '能 不 能', '可 以',
    '麻 烦 你', '帮 我', '能', '可 不 可 以'))
_CLOSERS = tuple(tuple(words.split()) for words in (
    'right now', 'right away', 'quickly', 'thank you', 'for me', 'will you', 'would you',
    'immediately', 'today', '谢 谢', '吗', '好 吗', '一 下', '可 以 吗'))
_OTHER_SENTENCE = """
    i you he she it we they him them who what which whose when where why how if because did does
    do was were had has have should would could might may told said says asked ask only until
    before after unless instead except or stop"""
_NEVER_EXTRA = frozenset(_OTHER_SENTENCE.split())
"""Words beside which an order is part of another sentence."""


@dataclass(frozen=True)
class Alignment:
    """How a phrase fits a sentence."""

    points: float = 0.0
    words: int = 0
    """Words of the sentence that the phrase has."""
    extra: int = 0
    """Those that it does not have; what means nothing is not counted."""
    misread: int = 0
    slots: tuple[tuple[str, SlotValue], ...] = ()

    @property
    def coverage(self) -> float:
        """Return the share of the sentence that the phrase explains, 0 to 1."""
        return self.points / max(1, self.words + self.extra)

    @property
    def worth(self) -> tuple[float, int, int]:
        """Return what better fits are larger in: equal coverage is better with more words."""
        return self.coverage, self.words, -sum(len(value.said) for _, value in self.slots)


class Skipper:
    """Says how much at a place of a sentence means nothing: fillers, politeness, names."""

    def __init__(self, names: Sequence[tuple[str, ...]] = ()) -> None:
        self._names = tuple(name for name in names if name)

    def skip(self, tokens: Sequence[str], at: int) -> Iterator[int]:
        """Yield numbers of tokens that may be skipped from ``at``."""
        if tokens[at] in FILLERS:
            yield 1
        for name in self._names:
            if tuple(tokens[at:at + len(name)]) == name:
                yield len(name)
        for words in _OPENERS:
            if tuple(tokens[at:at + len(words)]) == words and self._is_opening(tokens, at):
                yield len(words)
        for words in _CLOSERS:
            if tuple(tokens[at:at + len(words)]) == words and self._is_closing(
                    tokens, at + len(words)):
                yield len(words)

    def is_nothing(self, tokens: Sequence[str]) -> bool:
        """Tell whether a sentence says no more than a name and what means nothing."""
        return self._is_closing(tokens, 0)

    def _is_opening(self, tokens: Sequence[str], at: int) -> bool:
        """Tell whether only what means nothing comes before."""
        named = {token for name in self._names for token in name}
        return all(token in FILLERS or token in named for token in tokens[:at])

    def _is_closing(self, tokens: Sequence[str], at: int) -> bool:
        named = {token for name in self._names for token in name}
        return all(token in FILLERS or token in named for token in tokens[at:])


def align(form: Sequence[Element], tokens: Sequence[str], reader: SlotReader,
          skipper: Skipper) -> Alignment | None:
    """Return the best way in which a form explains a whole sentence; None where it does not."""
    may_stray = sum(isinstance(part, str) and part not in ARTICLES for part in form) > 1

    @cache
    def best(part: int, at: int, strayed: bool) -> Alignment | None:
        found = [grown for grow in (_take_part, _skip_tokens)
                 for grown in grow(form, tokens, part, at, strayed, best, reader, skipper,
                                   may_stray)]
        if part == len(form) and at == len(tokens):
            found.append(Alignment())
        return max(found, key=lambda alignment: alignment.worth, default=None)
    whole = best(0, 0, False)
    if whole is None or whole.extra and whole.words < LEAST_BESIDE_EXTRA:
        return None
    return whole


_Best = Callable[[int, int, bool], Alignment | None]


def _take_part(form: Sequence[Element], tokens: Sequence[str], part: int, at: int, strayed: bool,
               best: _Best, reader: SlotReader, _skipper: Skipper,
               may_stray: bool) -> Iterator[Alignment]:
    """Yield what follows where the next part of the form is found at a place."""
    if part == len(form):
        return
    wanted = form[part]
    if isinstance(wanted, Gap):
        for value in reader.read(wanted.slot, tokens[at:]) if at < len(tokens) else ():
            rest = best(part + 1, at + len(value.said), strayed)
            if rest is not None:
                yield replace(rest, points=rest.points + value.worth * len(value.said),
                              words=rest.words + len(value.said),
                              slots=((wanted.slot, value), *rest.slots))
        return
    if at < len(tokens) and (tokens[at] == wanted or {tokens[at], wanted} == {'a', 'an'}):
        yield from _add_word(best(part + 1, at + 1, strayed), 1.0, misread=0)
    elif at < len(tokens) and may_stray and not strayed and are_alike(tokens[at], wanted):
        yield from _add_word(best(part + 1, at + 1, True), MISREAD_WORTH, misread=1)
    if wanted in ARTICLES and (rest := best(part + 1, at, strayed)) is not None:
        yield rest


def _add_word(rest: Alignment | None, points: float, *, misread: int) -> Iterator[Alignment]:
    if rest is not None:
        yield replace(rest, points=rest.points + points, words=rest.words + 1,
                      misread=rest.misread + misread)


def _skip_tokens(form: Sequence[Element], tokens: Sequence[str], part: int, at: int, strayed: bool,
                 best: _Best, _reader: SlotReader, skipper: Skipper,
                 may_stray: bool) -> Iterator[Alignment]:
    """Yield what follows where something at a place means nothing, or is one word too many."""
    if at == len(tokens):
        return
    for count in skipper.skip(tokens, at):
        if (rest := best(part, at + count, strayed)) is not None:
            yield rest
    if may_stray and not strayed and _may_be_extra(tokens[at]):
        if (rest := best(part, at + 1, True)) is not None:
            yield replace(rest, extra=rest.extra + 1)


def _may_be_extra(token: str) -> bool:
    return token not in _NEVER_EXTRA and not is_negation(token) and parse_number([token]) is None
