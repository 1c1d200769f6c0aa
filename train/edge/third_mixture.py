"""
Utterances of the third mixture of speech: near misses, emergencies, orders that were cut off.

Owns what is drawn from the tables of ``near_misses`` and ``urgent``. What is answered to it, and
what the second mixture draws, says ``train.edge.dialogue``; it knows no voice.
"""

import random
from collections.abc import Iterator

from train.edge.dialogue import (
    CATALOGUE,
    UNKNOWN,
    URGENT,
    draw_known,
    draw_text,
    fill_template,
    reply_to,
    write_sentence,
)
from train.edge.near_misses import MORE

__all__ = ['known_texts', 'near_miss_texts', 'urgent_texts']


def known_texts(rng: random.Random) -> Iterator[str]:
    """Yield orders, questions and greetings of the catalogue for ever."""
    while True:
        yield draw_known(rng)


def near_miss_texts(rng: random.Random) -> Iterator[str]:
    """Yield for ever what shares words with orders and gets no answer."""
    while True:
        yield write_sentence(fill_template(rng.choice(MORE), rng), '')


def _draw_emergency(rng: random.Random) -> str:
    body = draw_text(rng.choice(rng.choice(URGENT[:-1]).phrases), rng)
    form = rng.choice(['{}', '{}', '{}', '{}', 'robot, {}', '{}, robot'])
    return write_sentence(form.format(body), '?' if body.startswith('can ') else rng.choice('.!'))


def _draw_unfinished(rng: random.Random) -> str:
    start = rng.choice(['', '', '', 'robot, ', 'please ', 'hey robot, '])
    return write_sentence(start + draw_text(rng.choice(URGENT[-1].phrases), rng), '')


def _draw_garbled(rng: random.Random) -> str:
    words = draw_text(rng.choice(rng.choice(CATALOGUE).phrases), rng).split()
    return write_sentence('robot, ' + ' '.join(rng.sample(words, len(words))))


def urgent_texts(rng: random.Random) -> Iterator[str]:
    """
    Yield for ever: 50 % emergencies, 38 % orders that were cut off, 12 % with their words mixed.

    What was cut off has no full stop.
    """
    while True:
        kind = rng.choices((_draw_emergency, _draw_unfinished, _draw_garbled), (50, 38, 12))[0]
        text = kind(rng)
        if kind is _draw_emergency or reply_to(text) == UNKNOWN:
            yield text
