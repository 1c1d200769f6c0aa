"""
Numbers, names, times and spelled things as people say them: general sentences hold few of them.

Owns number words and the patterns of such utterances. Knows no voice. Numbers are in words, so
that text and sound say the same; a spelled name is written in capitals with spaces ("M A R Y"),
as the real recordings of spelled names are.
"""

import random
from collections.abc import Iterator

__all__ = ['in_words', 'to_ordinal', 'draw_particulars']


def split_list(words: str) -> list[str]:
    return words.split()


_SMALL = split_list(
    'zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen '
    'fifteen sixteen seventeen eighteen nineteen')
_TENS = split_list('- - twenty thirty forty fifty sixty seventy eighty ninety')
_ODD = {'one': 'first', 'two': 'second', 'three': 'third', 'five': 'fifth', 'eight': 'eighth',
        'nine': 'ninth', 'twelve': 'twelfth'}
_FIRST = split_list(
    'Sandra Peter Alina Marcus Priya Omar Grace Daniel Yuki Helen Victor Maria Samuel '
    'Ingrid Carlos Nadia Thomas Rachel Ahmed Louise Patrick Mei Andrew Olivia Ravi '
    'Julia Edward Sophie Hassan Karen Benjamin Fatima George Natalie Kevin Amara '
    'Walter Irene Diego Claire Leon Monica Stephen Teresa Arthur Vivian Hugo Paula '
    'Dennis Emily')
_LAST = split_list(
    'Miller Patel Novak Johnson Chen Garcia Schmidt Okafor Brown Tanaka Wilson Rossi '
    'Kim Anderson Dubois Singh Taylor Kowalski Martinez Wright Nguyen Fischer '
    'Robinson Silva Hughes Ivanov Clark Haddad Young Jensen Murphy Costa Baker Larsen '
    'Foster Mendez Parker Weber Collins Sato Reed Moreau Bennett Khan Price Wagner '
    'Cooper Hill Fraser Quinn')
_DAYS = split_list('Monday Tuesday Wednesday Thursday Friday Saturday Sunday')
_MONTHS = split_list('January February March April May June July August September October '
                     'November '
                     'December')
_MINUTES = ('five past', 'ten past', 'twenty past', 'twenty to', 'ten to')
_STREETS = ('Crystal Lake Drive', 'Main Street', 'Oak Avenue', 'Station Road', 'River Lane',
            'Hill Street', 'Park Avenue', 'Church Road', 'Maple Drive', 'Mill Lane', 'King Street')
_GOODS = ('boxes', 'chairs', 'pages', 'tickets', 'bottles', 'screws', 'parcels', 'rooms', 'people')


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
    return ' '.join(rng.choice(_FIRST + _LAST).upper())


def _draw_fields(rng: random.Random) -> dict[str, str]:
    """Draw everything that a pattern may name."""
    first, last = rng.choice(_FIRST), rng.choice(_LAST)
    return {'digits': _draw_digits(rng), 'more': _draw_digits(rng), 'first': first, 'last': last,
            'small': in_words(rng.randint(2, 99)), 'number': in_words(rng.randint(100, 9999)),
            'hundred': in_words(rng.randint(100, 400)), 'time': _draw_time(rng),
            'then': _draw_time(rng),
            'day': rng.choice(_DAYS), 'date': f'{to_ordinal(rng.randint(1, 31))} of '
            f'{rng.choice(_MONTHS)}', 'spelled': _draw_spelled(rng), 'goods': rng.choice(_GOODS),
            'street': rng.choice(_STREETS), 'cents': in_words(rng.randint(10, 99)),
            'year': f'{rng.choice(("nineteen", "eighteen"))} {in_words(rng.randint(10, 99))}',
            'floor': to_ordinal(rng.randint(1, 20))}


_PATTERNS = (
    'The code is {digits}.', 'My number is {digits} {more}.', 'Please call {digits} {more}.',
    'Room {small} is on the {floor} floor.', '{digits}.', 'It is platform {small}.',
    'My name is {first} {last}.', 'This is {first} {last} speaking.', 'I am {first} {last}.',
    'Is {first} {last} here today?', 'Have you met {first}?', 'Doctor {last} will see you now.',
    'It is {time}.', 'The train leaves at {time}.', 'We open at {time} and close at {then}.',
    'I will be there at {time}.', 'Wake up, it is already {time}.', 'We meet on {day} at {time}.',
    'Today is {day}, the {date}.', 'My birthday is on the {date}.', 'We arrive on the {date}.',
    'She was born in {year}.', 'The house was built in {year}.', 'He is {small} years old.',
    'It weighs {small} kilos.', 'It is {small} degrees outside.', 'That costs {small} dollars.',
    'That is {small} dollars and {cents} cents.', 'The battery is at {small} percent.',
    'There are {number} {goods}.', 'I need {small} {goods} and {cents} {goods}.',
    'The bridge is {number} metres long.', 'I live at {hundred} {street}.',
    'The parcel goes to {small} {street}.', 'It is spelled {spelled}.', 'That is {spelled}.',
    'My first name is {first} and my last name is {last}.', 'Turn to page {hundred}.')


def draw_particulars(rng: random.Random) -> Iterator[str]:
    """Yield such utterances for ever."""
    while True:
        text = rng.choice(_PATTERNS).format(**_draw_fields(rng))
        yield text[0].upper() + text[1:]
