"""
Utterances drawn from phrases, templates and patterns, each from the random numbers of its own.

Owns how ``[so]``, ``(a|b)`` and ``{slot}`` are drawn, how an order is made polite, cut off or
garbled, and how often what is said. Knows no voice.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from train.edge.dialogue import UNKNOWN, reply_to
from train.edge.numbers_and_names import draw_particular
from train.edge.texts import choose, dialogue_texts, near_misses, particulars

__all__ = ['SOURCES', 'Source', 'draw_phrase', 'fill_template', 'write_sentence']


def draw_phrase(phrase: str, rng: random.Random) -> str:
    """Return one of the texts that a phrase of ``data/dialogue.yaml`` stands for."""
    while re.search(r'[\[(]', phrase):
        phrase = re.sub(r'([\[(])([^\[\]()]*)[\])]', lambda group: (
            '' if group[1] == '[' and rng.random() < 0.5 else choose(group[2].split('|'), rng)),
            phrase)
    slots = dialogue_texts().slots
    text = re.sub(r'\{(\w+)\}', lambda slot: choose(slots[slot[1]], rng), phrase)
    return ' '.join(text.split())


def fill_template(template: str, rng: random.Random) -> str:
    """Return a template of ``data/near_misses.yaml`` with people and slots filled in."""
    people, friends = near_misses().people, near_misses().friends
    template = re.sub(r'\{who\}', lambda _: choose(people, rng), template)
    return draw_phrase(re.sub(r'\{name\}', lambda _: choose(friends, rng), template), rng)


def write_sentence(body: str, end: str = '.') -> str:
    """Return words with a capital letter at the beginning and an end sign."""
    return body[0].upper() + body[1:] + end


def _address(form: str, body: str, rng: random.Random) -> str:
    return choose(dialogue_texts().forms[form], rng).format(body)


def _draw_known(phrase: str, rng: random.Random, *, kind: str) -> str:
    """Return an order, question or greeting, often polite or with the robot's name."""
    body = draw_phrase(phrase, rng)
    question = kind == 'question' and not body.startswith(('tell', 'help', 'I '))
    if kind == 'order' and rng.random() < 0.4:
        polite = choose(dialogue_texts().forms['polite'], rng)
        body, question = polite.format(body), polite.startswith(('could', 'can', 'would'))
    return write_sentence(_address('named', body, rng), '?' if question else '.')


def _draw_emergency(phrase: str, rng: random.Random) -> str:
    body = draw_phrase(phrase, rng)
    return write_sentence(_address('emergency', body, rng),
                          '?' if body.startswith('can ') else choose('.!', rng))


def _draw_unfinished(phrase: str, rng: random.Random) -> str:
    """Return an order that was cut off, without a stop; '' where it is a whole one by chance."""
    text = write_sentence(_address('unfinished', draw_phrase(phrase, rng), rng), '')
    return text if reply_to(text) == UNKNOWN else ''


def _draw_garbled(phrase: str, rng: random.Random) -> str:
    """Return an order to the robot with its words mixed; '' where it can be understood still."""
    words = draw_phrase(phrase, rng).split()
    text = write_sentence('robot, ' + ' '.join(rng.sample(words, len(words))))
    return text if reply_to(text) == UNKNOWN else ''


def _draw_near_miss(template: str, rng: random.Random) -> str:
    return write_sentence(fill_template(template, rng), '')


def _draw_nonsense(template: str, rng: random.Random) -> str:
    return write_sentence(_address('nonsense', fill_template(template, rng), rng))


@dataclass(frozen=True)
class Source:
    """Where utterances of a kind come from."""

    draws: int
    """How often each phrase is said; one with slots three times as often."""
    phrases: Callable[[], Sequence[str]]
    draw: Callable[[str, random.Random], str]
    """From a phrase to an utterance; '' where what was drawn is none of this kind."""

    def draws_of(self, phrase: str) -> int:
        """Return how often a phrase is said."""
        return self.draws * (3 if '{' in phrase else 1)


def _phrases_of(kind: str) -> list[str]:
    return [phrase for one in dialogue_texts().exchanges if one.kind == kind
            for phrase in one.phrases]


def _all_near_misses() -> list[str]:
    return [text for group in near_misses().templates.values() for text in group]


SOURCES = {
    **{kind: Source(26, partial(_phrases_of, kind), partial(_draw_known, kind=kind))
       for kind in ('order', 'question', 'social')},
    'emergency': Source(3, partial(_phrases_of, 'emergency'), _draw_emergency),
    'unfinished': Source(4, partial(_phrases_of, 'unfinished'), _draw_unfinished),
    'garbled': Source(1, partial(_phrases_of, 'order'), _draw_garbled),
    'near-miss': Source(3, _all_near_misses, _draw_near_miss),
    'nonsense': Source(4, lambda: near_misses().nonsense, _draw_nonsense),
    'particular': Source(11, lambda: particulars().patterns, draw_particular),
}
"""What is said beside sentences; of each about as much as the weights that ship have heard."""
