"""
Utterances of the third mixture of speech: near misses, emergencies, orders that were cut off.

Owns what is drawn from the tables of ``near_misses`` and ``urgent``. What is answered to it, and
what the second mixture draws, says ``train.edge.dialogue``; it knows no voice.
"""

import random
from collections.abc import Iterator

from train.edge.dialogue import CATALOGUE, UNKNOWN, URGENT, cast, drawn, known, reply_to, sentence
from train.edge.near_misses import MORE

__all__ = ['known_texts', 'near_miss_texts', 'urgent_texts']


def known_texts(rng: random.Random) -> Iterator[str]:
    """Yield orders, questions and greetings of the catalogue for ever."""
    while True:
        yield known(rng)


def near_miss_texts(rng: random.Random) -> Iterator[str]:
    """Yield for ever what shares words with orders and gets no answer."""
    while True:
        yield sentence(cast(rng.choice(MORE), rng), '')


def _emergency(rng: random.Random) -> str:
    body = drawn(rng.choice(rng.choice(URGENT[:-1]).phrases), rng)
    form = rng.choice(['{}', '{}', '{}', '{}', 'robot, {}', '{}, robot'])
    return sentence(form.format(body), '?' if body.startswith('can ') else rng.choice('.!'))


def _unfinished(rng: random.Random) -> str:
    start = rng.choice(['', '', '', 'robot, ', 'please ', 'hey robot, '])
    return sentence(start + drawn(rng.choice(URGENT[-1].phrases), rng), '')


def _garbled(rng: random.Random) -> str:
    words = drawn(rng.choice(rng.choice(CATALOGUE).phrases), rng).split()
    return sentence('robot, ' + ' '.join(rng.sample(words, len(words))))


def urgent_texts(rng: random.Random) -> Iterator[str]:
    """
    Yield for ever: 50 % emergencies, 38 % orders that were cut off, 12 % with their words mixed.

    What was cut off has no full stop.
    """
    while True:
        kind = rng.choices((_emergency, _unfinished, _garbled), (50, 38, 12))[0]
        text = kind(rng)
        if kind is _emergency or reply_to(text) == UNKNOWN:
            yield text
