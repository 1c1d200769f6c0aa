"""
Whether what was read so far sounds as if more were to come.

Whisper ends a sentence that is over with a mark; a number may always get another digit, and some
words never end a sentence. Knows nothing of time.
"""

import re

__all__ = ['ends_with_number', 'is_unfinished', 'lacks_mark', 'leads_on']

_ENDS = tuple('.?!…。？！')
_MANY_WORDS = 3
_NUMBER = re.compile(
    r'(?:\d|[零一二三四五六七八九十百千万两]|\b(?:zero|one|two|three|four|five|six|seven|eight|nine|'
    r'ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|'
    r'(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundred|thousand|million|point|oh|double))\W*$',
    re.IGNORECASE)
_SPELLED = re.compile(r'(?:\b[A-Za-z]\b\W*){2,}$')
_OPEN_MARK = re.compile(r'(?:[,;:，；：、-]|\.\.\.|…)["\'”’]?$')
_OPEN_WORD = re.compile(
    r"\b(?:and|or|but|nor|because|although|unless|whether|if|than|the|a|an|my|your|his|its|their|"
    r"our|of|to|from|with|into|between|would|could|should|um|uh)\W*$|"
    r"\b(?:i|i'm|we|he|she|they|is|are|was|were)$|"
    r"(?:和|跟|或者|还是|但是|因为|如果|把|给|的话)\W*$", re.IGNORECASE)


def is_unfinished(text: str) -> bool:
    """Tell whether a text has no end yet, or ends with a number; an empty one is not."""
    text = text.strip()
    return bool(text) and (not text.endswith(_ENDS) or ends_with_number(text))


def ends_with_number(text: str) -> bool:
    """Tell whether another digit could still belong to a text, or a letter of what is spelled."""
    text = text.strip()
    return _NUMBER.search(text) is not None or _SPELLED.search(text) is not None


def lacks_mark(text: str) -> bool:
    """Tell whether three words or more have no mark at their end, as Whisper writes one."""
    return len(text.split()) >= _MANY_WORDS and not text.rstrip('"\'”’ ').endswith(_ENDS)


def leads_on(text: str) -> bool:
    """
    Tell whether a text stops where no sentence ends: at a comma, at dots, at "and" or "the".

    That it lacks a full stop is no sign here: Whisper often writes none behind one or two words.
    """
    text = text.strip()
    return _OPEN_MARK.search(text) is not None or _OPEN_WORD.search(text) is not None
