"""
Numbers, names, times and spelled things as people say them: general sentences hold few of them.

Owns number words and the fields of the patterns in ``data/numbers_and_names.yaml``. Knows no
voice. Numbers are in words, so that text and sound say the same; a spelled name is written in
capitals with spaces ("M A R Y"), as the real recordings of spelled names are.
"""

import random

from train.edge.texts import choose, particulars

__all__ = ['in_words', 'to_ordinal', 'draw_particular']


def split_list(words: str) -> list[str]:
    return words.split()


_SMALL = split_list(
    'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen '
    'fifteen sixteen seventeen eighteen nineteen')
_TENS = split_list('- - twenty thirty forty fifty sixty seventy eighty ninety')
_ODD = {'one': 'first', 'two': 'second', 'three': 'third', 'five': 'fifth', 'eight': 'eighth',
        'nine': 'ninth', 'twelve': 'twelfth'}
_DAYS = split_list('Monday Tuesday Wednesday Thursday Friday Saturday Sunday')
_MONTHS = split_list('January February March April May June July August September October '
                     'November December')
_MINUTES = ('five past', 'ten past', 'twenty past', 'twenty to', 'ten to')


def in_words(number: int) -> str:
    """Return 0 to 9,999 in words: 4127 is 'four thousand one hundred and twenty-seven'."""
    if number < 20:
        return _SMALL[number]
    if number < 100:
        return _TENS[number // 10] + (f'-{_SMALL[number % 10]}' if number % 10 else '')
    size, name = (100, 'hundred') if number < 1000 else (1000, 'thousand')
    rest = number % size
    joint = ' and ' if 0 < rest < 100 else ' '
    return f'{in_words(number // size)} {name}' + (joint + in_words(rest) if rest else '')


def to_ordinal(number: int) -> str:
    """Return 1 to 99 as an ordinal: 21 is 'twenty-first'."""
    head, dash, last = in_words(number).rpartition('-')
    last = _ODD.get(last) or (f'{last[:-1]}ieth' if last.endswith('y') else
                              f'{last}h' if last.endswith('t') else f'{last}th')
    return head + dash + last


def _draw_digits(rng: random.Random) -> str:
    return ' '.join(rng.choice(_SMALL[:10]) for _ in range(rng.choice((3, 4, 4, 5, 6))))


def _draw_time(rng: random.Random) -> str:
    hour, minute = rng.choice(_SMALL[1:13]), rng.choice((5, 10, 15, 20, 25, 30, 35, 40, 45, 50))
    if minute in (15, 30):
        return f'{"quarter" if minute == 15 else "half"} past {hour}'
    return rng.choice((f'{hour} {in_words(minute) if minute > 9 else "oh five"}',
                       f'{rng.choice(_MINUTES)} {hour}',
                       f"{hour} o'clock", f'{hour} in the {rng.choice(("morning", "evening"))}'))


def _draw_spelled(rng: random.Random) -> str:
    known = particulars()
    return ' '.join(choose(known.first_names + known.last_names, rng).upper())


def _draw_fields(rng: random.Random) -> dict[str, str]:
    """Draw everything that a pattern may name."""
    known = particulars()
    first, last = choose(known.first_names, rng), choose(known.last_names, rng)
    return {'digits': _draw_digits(rng), 'more': _draw_digits(rng), 'first': first, 'last': last,
            'small': in_words(rng.randint(2, 99)), 'number': in_words(rng.randint(100, 9999)),
            'hundred': in_words(rng.randint(100, 400)), 'time': _draw_time(rng),
            'then': _draw_time(rng),
            'day': rng.choice(_DAYS), 'date': f'{to_ordinal(rng.randint(1, 31))} of '
            f'{rng.choice(_MONTHS)}', 'spelled': _draw_spelled(rng),
            'goods': choose(known.goods, rng),
            'street': choose(known.streets, rng), 'cents': in_words(rng.randint(10, 99)),
            'year': f'{rng.choice(("nineteen", "eighteen"))} {in_words(rng.randint(10, 99))}',
            'floor': to_ordinal(rng.randint(1, 20))}


def draw_particular(pattern: str, rng: random.Random) -> str:
    """Return an utterance of a pattern; each of its fields is drawn, also those not named."""
    text = pattern.format(**_draw_fields(rng))
    return text[0].upper() + text[1:]
