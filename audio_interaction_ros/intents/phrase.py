"""
Phrases as people write them: words, [what may be missing], (this|that) and {slot}.

Owns the grammar and what a phrase can be written out to. Knows no text that was heard.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.intents.words import tokenise

__all__ = ['MOST_FORMS', 'Element', 'Gap', 'write_out']

MOST_FORMS = 2_000
"""So many forms one phrase may have; more would make every match slow."""
_PIECE = re.compile(r'\{([^{}]*)\}|([\[\]()|])|([^\[\](){}|]+)')
_NAME = re.compile(r'[A-Za-z][A-Za-z0-9_]*')


@dataclass(frozen=True)
class Gap:
    """Where a slot stands in a phrase."""

    slot: str


Element = str | Gap
"""A token, or the place of a slot."""
_Form = tuple[Element, ...]


def write_out(phrase: str) -> list[tuple[Element, ...]]:
    """
    Return every form of a phrase as tokens and gaps, each once, none empty.

    Raises ConfigurationError for a bracket without its other half, a bad name of a slot, a phrase
    that may be nothing at all and one with more than MOST_FORMS forms.
    """
    pieces = list(_split(phrase))
    forms, rest = _read_choice(phrase, pieces, 0)
    if rest < len(pieces):
        raise _make_error(phrase, 'an opening bracket before each closing one')
    unlike = list(dict.fromkeys(forms))
    if () in unlike:
        raise _make_error(phrase, 'at least one word that is always said')
    return unlike


def _make_error(phrase: str, expected: str) -> ConfigurationError:
    return ConfigurationError(f'phrase {phrase!r}: expected {expected}; change it')


def _split(phrase: str) -> Iterator[str | Gap]:
    """Yield signs, tokens and gaps."""
    place = 0
    for piece in _PIECE.finditer(phrase):
        if piece.start() != place:
            raise _make_error(phrase, 'a closing brace after each opening one')
        place = piece.end()
        slot, sign, words = piece.groups()
        if sign:
            yield sign
        elif slot is not None:
            if not _NAME.fullmatch(slot):
                raise _make_error(phrase, f'the name of a slot, one word, not {slot!r}')
            yield Gap(slot)
        else:
            yield from tokenise(words)
    if place != len(phrase):
        raise _make_error(phrase, 'a closing brace after each opening one')


def _read_choice(phrase: str, pieces: list[str | Gap], at: int) -> tuple[list[_Form], int]:
    """Read alternatives up to the bracket that closes them; return their forms and its place."""
    forms, row = list[_Form](), [()]  # type: list[_Form], list[_Form]
    while at < len(pieces) and pieces[at] not in (')', ']'):
        piece = pieces[at]
        if piece == '|':
            forms, row = forms + row, [()]
        elif piece in ('(', '['):
            inner, at = _read_choice(phrase, pieces, at + 1)
            if at >= len(pieces) or pieces[at] != {'(': ')', '[': ']'}[str(piece)]:
                raise _make_error(phrase, 'a closing bracket of its kind after each opening one')
            row = _multiply(phrase, row, inner + [()] * (piece == '['))
        else:
            row = _multiply(phrase, row, [(piece,)])
        at += 1
    return forms + row, at


def _multiply(phrase: str, heads: list[_Form], tails: list[_Form]) -> list[_Form]:
    if len(heads) * len(tails) > MOST_FORMS:
        raise _make_error(phrase, f'at most {MOST_FORMS} forms of it')
    return [head + tail for head in heads for tail in tails]
