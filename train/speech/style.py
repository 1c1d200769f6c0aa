"""
Rewrite text as it is spoken: numbers, abbreviations and symbols in words, no markup, no long code.

Owns the rules and the list of what was changed; text that can be read aloud as it stands comes
back unchanged, byte for byte. The words of numbers are num2words'. A language model may stand in
for these rules: the result has the same form (arXiv 2606.05121, text to speech).
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from num2words import num2words

__all__ = ['Change', 'Rewritten', 'to_spoken']

LONGEST_CODE = 3  # lines

TITLES = {'Dr.': 'Doctor', 'Mr.': 'Mister', 'Mrs.': 'Missus', 'Prof.': 'Professor',
          'St.': 'Saint'}
ABBREVIATIONS = {'e.g.': 'for example', 'i.e.': 'that is', 'etc.': 'and so on', 'vs.': 'versus',
                 'approx.': 'approximately', 'a.m.': 'a m', 'p.m.': 'p m', 'w/o': 'without',
                 'w/': 'with', 'max.': 'maximum', 'min.': 'minimum'}
UNITS = {'km/h': 'kilometre per hour', 'm/s': 'metre per second', 'mph': 'mile per hour',
         'km': 'kilometre', 'cm': 'centimetre', 'mm': 'millimetre', 'm': 'metre',
         'kg': 'kilogram', 'mg': 'milligram', 'g': 'gram', 'ml': 'millilitre', 'l': 'litre',
         'kHz': 'kilohertz', 'Hz': 'hertz', 'kW': 'kilowatt', 'W': 'watt', 'V': 'volt',
         'GB': 'gigabyte', 'MB': 'megabyte', 'kB': 'kilobyte', 'ms': 'millisecond',
         's': 'second', 'h': 'hour', '°C': 'degree Celsius', '°F': 'degree Fahrenheit',
         '°': 'degree'}
CURRENCIES = {'$': ('dollar', 'cent'), '€': ('euro', 'cent'), '£': ('pound', 'penny')}
SYMBOLS = {'&': ' and ', '+': ' plus ', '=': ' equals ', '×': ' times ', '÷': ' divided by ',
           '@': ' at ', '→': ' to ', '≥': ' at least ', '≤': ' at most ', '~': ' about '}
MONTHS = ('January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September',
          'October', 'November', 'December')

NUMBER = r'\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?'
Match = re.Match[str]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One replacement."""

    rule: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True)
class Rewritten:
    """A text in spoken style and what was changed, in order."""

    text: str
    changes: tuple[Change, ...]


def number_in_words(number: str) -> str:
    """Return a written number in words; a plain four-figure one of 1100-1999 as a year."""
    plain = number.replace(',', '')
    if '.' in plain:
        return num2words(plain)
    value = int(plain)
    if ',' not in number and (1100 <= value <= 1999 or 2010 <= value <= 2099):
        return num2words(value, to='year')
    return num2words(value).replace(',', '')


def to_plural(number: str, unit: str) -> str:
    if number.replace(',', '') in ('1', '1.0') or unit.endswith('hertz'):
        return unit
    head, space, rest = unit.partition(' ')
    head = {'penny': 'pence'}.get(head, f'{head}s')
    return head + space + rest


def say_money(match: Match) -> str:
    whole, _, cents = match['amount'].partition('.')
    unit, part = CURRENCIES[match['sign']]
    said = f'{number_in_words(whole)} {to_plural(whole, unit)}'
    if cents and int(cents):
        cents = str(int(cents.ljust(2, '0')[:2]))
        said += f' and {number_in_words(cents)} {to_plural(cents, part)}'
    return said


def say_clock(match: Match) -> str:
    hour, minute = int(match[1]), int(match[2])
    if not minute:
        return f'{num2words(hour)} o\'clock' if hour <= 12 else f'{num2words(hour)} hundred'
    return f'{num2words(hour)} {"oh " if minute < 10 else ""}{num2words(minute)}'


def say_date(match: Match) -> str:
    year, month, day = (int(part) for part in match.groups())
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return match[0]
    return f'{MONTHS[month - 1]} {num2words(day, to="ordinal")}, {num2words(year, to="year")}'


def say_code(match: Match) -> str:
    lines = match[1].strip('\n').splitlines()
    return 'Code omitted.' if len(lines) > LONGEST_CODE else ' '.join(lines)


def any_of(table: dict[str, str]) -> str:
    return '|'.join(re.escape(key) for key in sorted(table, key=len, reverse=True))


MARKUP: list[tuple[str, str, str | Callable[[Match], str]]] = [
    ('code', r'```[^\n]*\n(.*?)```', say_code),
    ('code', r'`([^`\n]+)`', r'\1'),
    ('image', r'!\[([^\]]*)\]\([^)]*\)', r'\1'),
    ('link', r'\[([^\]]+)\]\([^)]*\)', r'\1'),
    ('address', r'https?://(?:www\.)?([\w.-]+)\S*', lambda m: m[1].rstrip('.').replace(
        '.', ' dot ')),
    ('heading', r'(?m)^[ \t]{0,3}#{1,6}[ \t]+(.*?)[ \t#]*$', r'\1.'),
    ('rule', r'(?m)^[ \t]*(?:[-*_][ \t]*){3,}$\n?', ''),
    ('table', r'(?m)^[ \t]*\|?[ \t]*:?-{2,}[-:| \t]*$\n?', ''),
    ('table', r'(?m)^[ \t]*\|(.*)\|[ \t]*$', lambda m: ', '.join(
        cell.strip() for cell in m[1].split('|')) + '.'),
    ('quote', r'(?m)^[ \t]*>[ \t]?', ''),
    ('list', r'(?m)^[ \t]*(?:[-*+]|\d+[.)])[ \t]+(.*?)([.!?]?)[ \t]*$',
     lambda m: m[1] + (m[2] or '.')),
    ('emphasis', r'(\*\*\*|\*\*|\*|__|~~)(?=\S)(.+?)(?<=\S)\1', r'\2'),
]
ENGLISH: list[tuple[str, str, str | Callable[[Match], str]]] = [
    ('date', r'\b(\d{4})-(\d{2})-(\d{2})\b', say_date),
    ('time', r'\b([01]?\d|2[0-3]):([0-5]\d)\b(?!:)', say_clock),
    ('symbol', r'(?<=\d)\s*[-−]\s*(?=\d)', ' to '),
    ('symbol', r'(?<![\w)])[-−](?=\d)', 'minus '),
    ('abbreviation', rf'(?:(?<=\s)|^)(?:{any_of(TITLES)})(?=\s+[A-Z])',
     lambda m: TITLES[m[0]]),
    ('abbreviation', rf'(?<![\w.])(?:{any_of(ABBREVIATIONS)})(?!\w)',
     lambda m: ABBREVIATIONS[m[0]]),
    ('money', rf'(?P<sign>[$€£])\s?(?P<amount>{NUMBER})(?![\d])', say_money),
    ('percent', rf'({NUMBER})\s?%', lambda m: f'{number_in_words(m[1])} percent'),
    ('unit', rf'(?<![\w.])({NUMBER})\s?({any_of(UNITS)})(?![\w/])',
     lambda m: f'{number_in_words(m[1])} {to_plural(m[1], UNITS[m[2]])}'),
    ('ordinal', r'\b(\d+)(?:st|nd|rd|th)\b', lambda m: num2words(int(m[1]), to='ordinal')),
    ('symbol', r'#(?=\d)', 'number '),
    ('symbol', rf'\s*([{re.escape("".join(SYMBOLS))}])\s*', lambda m: SYMBOLS[m[1]]),
    ('number', rf'(?<![\w.])({NUMBER})(?!\w)', lambda m: number_in_words(m[1])),
    ('number', r'\d+', lambda m: f' {num2words(int(m[0]))} '),
]


def apply_rule(text: str, rule: str, pattern: str, after: str | Callable[[Match], str],
               changes: list[Change]) -> str:
    def replace(match: Match) -> str:
        new = after(match) if callable(after) else match.expand(after)
        if new != match[0]:
            changes.append(Change(rule=rule, before=match[0], after=new))
        return new
    return re.sub(pattern, replace, text, flags=re.DOTALL if rule == 'code' else 0)


def to_spoken(text: str, language: str = 'en') -> Rewritten:
    """
    Return a text as it is said aloud, with the list of changes.

    Markup goes in every language; numbers, symbols and abbreviations are written out in English
    only: other voices read their own digits.
    """
    changes: list[Change] = []
    new = text
    for rule, pattern, after in [*MARKUP, *(ENGLISH if language == 'en' else [])]:
        new = apply_rule(new, rule, pattern, after, changes)
    if not changes and '\n' not in text:
        return Rewritten(text=text, changes=())
    tidy = re.sub(r'\s+([,.;!?])', r'\1', re.sub(r'\s+', ' ', new)).strip()
    return Rewritten(text=tidy, changes=tuple(changes))
