"""
What stands in the slots of a phrase: things, listed values, numbers, durations and times.

Owns which tokens a slot takes in and what value they mean. A number that is not clearly one is
none.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from audio_interaction_ros.intents.intents_file import SlotRule
from audio_interaction_ros.intents.words import (
    is_chinese,
    is_negation,
    join_tokens,
    parse_number,
    tokenise,
)

__all__ = ['SlotReader', 'SlotValue', 'mirror']

LONGEST_TOKENS = 8
"""So many tokens a slot takes in at most."""
UNKNOWN_WORTH = 0.6
"""What a word counts in a slot that takes in any."""
_DETERMINERS = frozenset(('the', 'a', 'an', 'some', 'my', 'your', 'our', 'his', 'her', 'their',
                          'this', 'that', 'another', 'these', 'those'))
_LEFT_OUT = frozenset(('the', 'a', 'an', 'some'))
_FUNCTION_WORDS = """
    and or but that who which what from to into in on onto off up down out at with for by about
    when where if because than as is are was were be been am do does did will would could should
    can may might must not me you i he she they we us him them eyes mouth please now robot here
    there again so then have has had said says it its"""
_NO_NOUN = frozenset(_FUNCTION_WORDS.split())
_NO_CHINESE_NOUN = frozenset('我你您他她它们吗呢吧了不没别请去来和在是着过让把给到')
_UNITS_EN = {'second': 's', 'sec': 's', 'minute': 'min', 'min': 'min', 'hour': 'h', 'hr': 'h',
             'metre': 'm', 'meter': 'm'}
_UNITS_ZH = {('秒',): 's', ('秒', '钟'): 's', ('分', '钟'): 'min', ('分',): 'min',
             ('小', '时'): 'h', ('个', '小', '时'): 'h'}
_TIMES = frozenset(('noon', 'midnight'))
_MIRROR = {'my': 'your', 'your': 'my', 'me': 'you', 'our': 'your'}


@dataclass(frozen=True)
class SlotValue:
    """What was said in a slot."""

    value: str
    """What it means: a listed value, a number in digits, a thing without its article."""
    said: tuple[str, ...]
    """The tokens that were heard."""
    worth: float = 1.0
    """What each of them counts: words of which nothing is known say less."""


def mirror(tokens: Sequence[str]) -> str:
    """Return what was said as an answer repeats it: "my keys" as "your keys"."""
    return join_tokens([_MIRROR.get(token, token) for token in tokens])


class SlotReader:
    """Reads slots after a file's rules."""

    def __init__(self, rules: Mapping[str, SlotRule]) -> None:
        self._rules = rules
        self._listed = {name: {tuple(tokenise(words)): value for value, said in rule.values.items()
                               for words in said} for name, rule in rules.items()}

    def read(self, slot: str, tokens: Sequence[str]) -> Iterator[SlotValue]:
        """Yield what the slot may take in at the start of some tokens, the longest first."""
        for length in range(min(len(tokens), LONGEST_TOKENS), 0, -1):
            said = tuple(tokens[:length])
            value = self._value_of(slot, said)
            if value is not None:
                heard = _capitalise(said) if value.istitle() else said
                yield SlotValue(value, heard, self._worth_of(slot))

    def _worth_of(self, slot: str) -> float:
        return UNKNOWN_WORTH if self._rules[slot].kind == 'words' else 1.0

    def _value_of(self, slot: str, said: tuple[str, ...]) -> str | None:
        rule, listed = self._rules[slot], self._listed[slot]
        bare = said[1:] if said[0] in _LEFT_OUT else said
        for tokens in (said, bare):
            if tokens in listed:
                return listed[tokens]
        match rule.kind:
            case 'noun':
                return _name_thing(said)
            case 'name':
                return _name_thing(said) or _name_person(said)
            case 'words':
                return None if any(map(is_negation, said)) else join_tokens(list(said))
            case 'number':
                return _write_number(said)
            case 'duration':
                return _write_duration(said)
            case 'time':
                return _write_time(said)
        return None


def _name_thing(said: tuple[str, ...]) -> str | None:
    """Return a thing without its article; None for what is none."""
    if any(is_negation(token) for token in said):
        return None
    if all(map(is_chinese, said)):
        whole = not _NO_CHINESE_NOUN.intersection(said) and '的' not in (said[0], said[-1])
        return join_tokens(list(said)) if whole and len(said) <= 6 else None
    return _name_english(said)


def _name_person(said: tuple[str, ...]) -> str | None:
    fits = len(said) <= 2 and not any(map(is_negation, said)) and _NO_NOUN.isdisjoint(said)
    if not fits or 'back' in said or not all(token.isalpha() for token in said):
        return None
    return join_tokens(list(_capitalise(said)))


def _capitalise(tokens: Sequence[str]) -> tuple[str, ...]:
    return tuple(token[:1].upper() + token[1:] for token in tokens)


def _name_english(said: tuple[str, ...]) -> str | None:
    numbered = len(said) == 2 and said[0] == 'room'
    counted = len(said) > 1 and parse_number([said[0]]) is not None
    if not numbered and not counted and said[0] not in _DETERMINERS:
        return None
    rest = said[1:]
    head, _, tail = (part.split() for part in ' '.join(rest).partition(' of '))
    if tail and tail[0] in _DETERMINERS:
        tail = tail[1:] or ['of']
    fits = 1 <= len(head) <= 3 and len(tail) <= 2 and _NO_NOUN.isdisjoint(head + tail)
    if not fits or _DETERMINERS.intersection(head + tail) or any(map(is_chinese, said)):
        return None
    return ' '.join(rest if said[0] in _LEFT_OUT else said)


def _write_number(said: Sequence[str]) -> str | None:
    value = parse_number(list(said))
    return None if value is None else f'{value:.12g}'


def _write_duration(said: tuple[str, ...]) -> str | None:
    """Return "5 min" for five minutes; "0.5 h" for half an hour."""
    for count in range(1, len(said)):
        unit = _unit_of(said[count:])
        words = list(said[:count])
        number = 1.0 if words in (['a'], ['an']) else parse_number(words)
        if unit and number is not None:
            return f'{number:.12g} {unit}'
    return None


def _unit_of(tokens: tuple[str, ...]) -> str:
    if tokens in _UNITS_ZH:
        return _UNITS_ZH[tokens]
    return _UNITS_EN.get(tokens[0].removesuffix('s'), '') if len(tokens) == 1 else ''


def _write_time(said: tuple[str, ...]) -> str | None:
    """Return a time of day in the words it was said in, numbers in digits."""
    words = [token for token in said if token not in ('half', 'past', 'quarter', 'to', 'clock',
                                                      "o'clock", 'am', 'pm', 'a', 'p', 'm', 'o')]
    if len(said) == 1 and said[0] in _TIMES:
        return said[0]
    if re.fullmatch('[0-9]{1,2}[:.][0-9]{2}', words[0] if len(words) == 1 else ''):
        return join_tokens(list(said))
    parts = [_write_number([word]) for word in words]
    if not words or len(words) > 3 or None in parts:
        return None
    return join_tokens([_write_number([token]) or token if token in words else token
                        for token in said])
