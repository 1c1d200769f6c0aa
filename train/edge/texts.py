"""
The texts that the edge model is taught to answer, and those that it is to keep silent about.

Owns how ``data/*.yaml`` is read: strictly, so that a slip of the pen is named with its file and
place before hours of speech are made of it; and how one of several words is chosen. Knows neither
what is matched nor who speaks.
"""

import dataclasses
import random
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.strict_yaml import build, read_yaml

__all__ = ['DATA', 'KINDS', 'DialogueTexts', 'Exchange', 'NearMisses', 'Particulars',
           'choose', 'dialogue_texts', 'near_misses', 'particulars', 'read_texts']

DATA = Path(__file__).parent / 'data'
KINDS = ('emergency', 'question', 'order', 'social', 'unfinished')
_T = TypeVar('_T')


@dataclass(frozen=True)
class Exchange:
    """One answer and the phrases that call for it."""

    answer: str
    kind: str
    """One of KINDS."""
    phrases: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse a kind that nobody ranks."""
        if self.kind not in KINDS:
            raise ConfigurationError(f'kind: expected one of {", ".join(KINDS)}, found '
                                     f'{self.kind!r}; change it')


@dataclass(frozen=True)
class DialogueTexts:
    """What is asked and answered; see the head of ``data/dialogue.yaml``."""

    slots: Mapping[str, tuple[str, ...]]
    forms: Mapping[str, tuple[str, ...]]
    exchanges: tuple[Exchange, ...]

    def __post_init__(self) -> None:
        """Refuse phrases and answers with slots that are not there."""
        check_templates((text for one in self.exchanges for text in (one.answer, *one.phrases)),
                        self.slots)


@dataclass(frozen=True)
class NearMisses:
    """What shares words with orders and is none; see the head of ``data/near_misses.yaml``."""

    people: tuple[str, ...]
    friends: tuple[str, ...]
    templates: Mapping[str, tuple[str, ...]]
    nonsense: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse templates with slots that are not there."""
        check_templates((text for group in (*self.templates.values(), self.nonsense)
                         for text in group), {*dialogue_texts().slots, 'who', 'name'})


@dataclass(frozen=True)
class Particulars:
    """Numbers and names; see the head of ``data/numbers_and_names.yaml``."""

    first_names: tuple[str, ...]
    last_names: tuple[str, ...]
    streets: tuple[str, ...]
    goods: tuple[str, ...]
    patterns: tuple[str, ...]


def check_templates(texts: Iterator[str], slots: Any) -> None:
    """Raise ConfigurationError for an unknown slot or a bracket that is not closed."""
    for text in texts:
        for name in re.findall(r'\{(\w*)\}', text):
            if name not in slots:
                raise ConfigurationError(f'{text!r}: expected a slot of {", ".join(sorted(slots))}'
                                         f', found {{{name}}}; change it')
        for opening, closing in ('()', '[]', '{}'):
            if text.count(opening) != text.count(closing):
                raise ConfigurationError(f'{text!r}: expected as many {opening!r} as {closing!r}, '
                                         f'found {text.count(opening)} and {text.count(closing)}; '
                                         'change it')


def _find_twice(value: Any, place: str) -> Iterator[str]:
    """Yield what stands twice in one list, ``forms`` apart, where that is its weight."""
    if dataclasses.is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        for key, item in value.items():
            if key != 'forms':
                yield from _find_twice(item, f'{place} {key}')
    elif isinstance(value, tuple):
        yield from (f'{place}: {item!r}' for item in {*value} if value.count(item) > 1)
        for item in value:
            yield from _find_twice(item, place)


def read_texts(path: Path, kind: type[_T]) -> _T:
    """Return the texts of a file; ConfigurationError names file and place of what is wrong."""
    read = build(kind, read_yaml(path), str(path))
    if twice := sorted(_find_twice(read, '')):
        raise ConfigurationError(f'{path}:{twice[0]} stands twice; a phrase more often is said '
                                 'more often: leave one out')
    return read


@cache
def dialogue_texts() -> DialogueTexts:
    """Return what is asked and answered."""
    return read_texts(DATA / 'dialogue.yaml', DialogueTexts)


@cache
def near_misses() -> NearMisses:
    """Return what is no order."""
    return read_texts(DATA / 'near_misses.yaml', NearMisses)


@cache
def particulars() -> Particulars:
    """Return numbers and names."""
    return read_texts(DATA / 'numbers_and_names.yaml', Particulars)


def choose(words: Sequence[str], rng: random.Random) -> str:
    """
    Return one of some words, each as likely; one that stands there twice is twice as likely.

    The choice hangs on the words themselves (the one with the highest hash wins), not on their
    places: a word more in a list changes only what then says it.
    """
    drawn, keys = repr(rng.random()).encode(), _number_words(tuple(words))
    return words[max(range(len(keys)), key=lambda place: sha256(drawn + keys[place]).digest())]


@lru_cache(maxsize=256)
def _number_words(words: tuple[str, ...]) -> list[bytes]:
    """Return each word with how often it stood there before."""
    seen, keys = Counter[str](), []
    for word in words:
        keys.append(f' {word} {seen[word]}'.encode())
        seen[word] += 1
    return keys
