"""
The words of a text that was read, as they are compared: without case, commas and short forms.

Owns sentences, tokens, numbers, negations and how alike two words are. English words are tokens,
and so is each Chinese character. Knows no phrase and no intent.
"""

import re
import unicodedata

__all__ = ['ARTICLES', 'FILLERS', 'NEGATIONS', 'are_alike', 'has_other_words', 'is_chinese',
           'is_negation', 'join_tokens', 'parse_number', 'split_sentences', 'tokenise']

_CHINESE = r'[\u3400-\u9fff\uf900-\ufaff]'
_TOKEN = re.compile(rf"{_CHINESE}|[0-9]+(?:[.:][0-9]+)*|(?:(?!{_CHINESE})[^\W\d_])+"
                    rf"(?:'(?:(?!{_CHINESE})[^\W\d_])+)*")
_SENTENCE_END = re.compile(r'(?<![0-9])[.?!;]+|[.?!;]+(?![0-9])|[。？！；…\n]+')
_HALF_DAY = re.compile(r'\b([apAP])\.\s?[mM]\b\.?(\s+(?=[A-Z]))?')
_AMOUNT = r'\s?([0-9]+(?:\.[0-9]+)?)'
_SHORT_FORMS = (
    (r"\bwon't\b", 'will not'), (r"\bcan't\b|\bcannot\b", 'can not'), (r"\bain't\b", 'is not'),
    (r"n't\b", ' not'), (r'\b(dont|doesnt|didnt)\b', 'do not'), (r"\bi'm\b", 'i am'),
    (r"\blet's\b", 'let us'), (r"'re\b", ' are'), (r"'ve\b", ' have'), (r"'ll\b", ' will'),
    (r"\b(what|who|where|how|it|that|there|here|he|she)'s\b", r'\1 is'), (r"'d\b", ' would'),
    (r'\b(o\.k\.|ok)(?!\w)', 'okay'),
    (rf'\${_AMOUNT}', r'\1 dollars'), (f'€{_AMOUNT}', r'\1 euros'), (f'£{_AMOUNT}', r'\1 pounds'),
    ('(?<=[0-9]) ?°', ' degrees '), ('(?<=[0-9]) ?%', ' percent '), (r'\bper cent\b', 'percent'))
ARTICLES = frozenset(('the', 'a', 'an', 'to'))
"""Words that a reader may leave out without taking away any meaning."""
FILLERS = frozenset(('um', 'uh', 'er', 'hmm', 'ah', 'oh', 'please', 'just', 'now', 'okay', 'well',
                     'so', 'then', 'hey', 'hi', 'hello', 'listen', 'thanks', '请', '嗯', '啊',
                     '呃', '吧', '哦', '喂'))
"""Words that mean nothing beside an order."""
NEGATIONS = frozenset(('not', 'never', 'no', 'nobody', 'nothing', 'without', 'neither', 'nor',
                       '不', '别', '没', '未', '勿', '非', '甭'))
"""Words that turn an order round; they are matched where a phrase has them, and nowhere else."""
_TAKES_BACK = re.compile(rf'(?:\b(?:{"|".join(sorted(NEGATIONS))})|不 [要许能可])$')
_UNITS = {word: value for value, word in enumerate((
    'zero', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten',
    'eleven', 'twelve', 'thirteen', 'fourteen', 'fifteen', 'sixteen', 'seventeen', 'eighteen',
    'nineteen'))}
_TENS = {word: 10 * value for value, word in enumerate((
    'twenty', 'thirty', 'forty', 'fifty', 'sixty', 'seventy', 'eighty', 'ninety'), start=2)}
_DIGITS = {sign: value for value, sign in enumerate('零一二三四五六七八九')} | {'两': 2}


def is_chinese(text: str) -> bool:
    """Tell whether a text holds a Chinese character."""
    return re.search(_CHINESE, text) is not None


def is_negation(token: str) -> bool:
    """Tell whether a token turns round what is said."""
    return token in NEGATIONS


def split_sentences(text: str) -> list[str]:
    """
    Return the sentences of a text, in their order, none empty.

    One that ends with "not" or the like is part of the next: "Do not. Stop." is no order to stop.
    """
    sentences: list[str] = []
    for part in _SENTENCE_END.split(_HALF_DAY.sub(_write_half_day, text)):
        tokens = tokenise(part)
        if not tokens:
            continue
        before = tokenise(sentences[-1]) if sentences else []
        if before != ['no'] and _TAKES_BACK.search(' '.join(before)):
            sentences[-1] = f'{sentences[-1]} {part.strip()}'
        else:
            sentences.append(part.strip())
    return sentences


def _write_half_day(found: re.Match[str]) -> str:
    """Return "am" for "a.m.", whose points end no sentence unless another one begins."""
    return f'{found[1].lower()}m{". " if found[2] else ""}'


def tokenise(text: str) -> list[str]:
    """
    Return the tokens of a text: folded words and numbers, short forms and signs written out.

    So a phrase matches "twenty dollars" as well as "$20", as Whisper writes it.
    """
    folded = unicodedata.normalize('NFKC', _HALF_DAY.sub(_write_half_day, text)).casefold()
    folded = re.sub('(?<=[0-9]),(?=[0-9]{3}(?![0-9]))', '', folded)  # 1,000
    folded = re.sub('[\u2018\u2019\u02bc`]', "'", folded)
    for short, written_out in _SHORT_FORMS:
        folded = re.sub(short, written_out, folded)
    tokens = _TOKEN.findall(re.sub(r'(?<=[^\W\d_])-(?=[^\W\d_])', ' ', folded))
    return [token[:-2] + 's' if token.endswith("'s") else token for token in tokens]


def join_tokens(tokens: list[str]) -> str:
    """Return tokens as a text: with blanks, but none beside Chinese ones, also "25分钟"."""
    text, close = ' '.join(tokens), rf'(?:{_CHINESE}|[0-9])'
    return re.sub(rf'(?<={close}) (?={_CHINESE})|(?<={_CHINESE}) (?={close})', '', text)


def are_alike(heard: str, wanted: str) -> bool:
    """
    Tell whether a word may be another one that was misread by a letter.

    Both have six letters or more and begin alike, and are neither numbers nor negations: those
    are never guessed.
    """
    if heard == wanted:
        return True
    if min(len(heard), len(wanted)) < 6 or heard[0] != wanted[0]:
        return False
    if any(is_negation(word) or parse_number([word]) is not None for word in (heard, wanted)):
        return False
    return _differ_by_one(heard, wanted)


def _differ_by_one(one: str, other: str) -> bool:
    """Tell whether one letter was changed, added or left out, or two neighbours exchanged."""
    short, long = sorted((one, other), key=len)
    if len(long) - len(short) > 1:
        return False
    start = next((i for i, (a, b) in enumerate(zip(short, long, strict=False)) if a != b),
                 len(short))
    if len(short) < len(long):
        return short[start:] == long[start + 1:]
    swapped = (short[start:start + 2] == long[start:start + 2][::-1]
               and short[start + 2:] == long[start + 2:])
    return swapped or short[start + 1:] == long[start + 1:]


def parse_number(tokens: list[str]) -> float | None:
    """Return the number that all of these tokens say, of 0 to 999; None where they say none."""
    if len(tokens) == 1 and re.fullmatch(r'[0-9]{1,9}(\.[0-9]+)?', tokens[0]):
        return float(tokens[0])
    if tokens and all(token in _DIGITS or token in '十百半' for token in tokens):
        return _parse_chinese(tokens)
    return _parse_english(tokens)


def _parse_english(tokens: list[str]) -> float | None:
    if tokens in (['half'], ['half', 'a'], ['half', 'an'], ['a', 'half']):
        return 0.5
    if 'hundred' in tokens:
        place = tokens.index('hundred')
        head, rest = tokens[:place], tokens[place + 1:]
        hundreds = 1.0 if head in ([], ['a']) else _parse_english(head)
        rest = rest[1:] if rest[:1] == ['and'] else rest
        below = _parse_english(rest) if rest else 0.0
        if hundreds is None or below is None or not 1 <= hundreds <= 9 or below >= 100:
            return None
        return 100 * hundreds + below
    if len(tokens) == 1:
        value = _UNITS.get(tokens[0], _TENS.get(tokens[0]))
        return None if value is None else float(value)
    if len(tokens) == 2 and tokens[0] in _TENS and 1 <= _UNITS.get(tokens[1], 0) <= 9:
        return float(_TENS[tokens[0]] + _UNITS[tokens[1]])
    return None


def _parse_chinese(signs: list[str]) -> float | None:
    if signs == ['半']:
        return 0.5
    said = re.fullmatch('(?:(.)百零?)?(?:(.?)(十))?(.?)', ''.join(signs))
    if said is None or '半' in signs:
        return None
    hundreds, tens, ten, units = said.groups()
    if any(sign and sign not in _DIGITS for sign in (hundreds, tens, units)):
        return None
    value = 100 * _DIGITS[hundreds] if hundreds else 0
    value += 10 * (_DIGITS[tens] if tens else 1) if ten else 0
    return float(value + (_DIGITS[units] if units else 0))


def has_other_words(text: str, *, said: str) -> bool:
    """Tell whether a text that was read while the robot spoke holds words besides its own."""
    return not set(tokenise(text)) <= set(tokenise(said))
