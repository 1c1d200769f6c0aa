"""
Whether what was read so far sounds as if more were to come.

Whisper ends a sentence that is over with a mark; a number may always get another digit. Knows
nothing of time.
"""

import re

__all__ = ['is_unfinished']

_ENDS = tuple('.?!…。？！')
_NUMBER = re.compile(
    r'(?:\d|[零一二三四五六七八九十百千万两]|\b(?:zero|one|two|three|four|five|six|seven|eight|nine|'
    r'ten|eleven|twelve|thirteen|fourteen|fifteen|sixteen|seventeen|eighteen|nineteen|'
    r'(?:twen|thir|for|fif|six|seven|eigh|nine)ty|hundred|thousand|million|point|oh|double))\W*$',
    re.IGNORECASE)


def is_unfinished(text: str) -> bool:
    """Tell whether a text has no end yet, or ends with a number; an empty one is not."""
    text = text.strip()
    return bool(text) and (not text.endswith(_ENDS) or _NUMBER.search(text) is not None)
