"""
Is what was spoken what was written? A recogniser listens, and the word error rate decides.

Owns the comparison, the retries and the verdict (arXiv 2606.05121: WER at most 0.10, two retries,
else dropped). Knows no engine and no file.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

import jiwer
import numpy as np

from train.speech.protocol import Recogniser, SpeechError
from train.speech.style import to_spoken

__all__ = ['HIGHEST_WER', 'RETRIES', 'Dropped', 'Take', 'speak_checked', 'to_comparable',
           'error_rate']

HIGHEST_WER = 0.10
RETRIES = 2
# Spellings in which a recogniser may differ from the writer without having misheard.
SAME = {'ok': 'okay', 'oh': 'zero', 'colour': 'color', 'favourite': 'favorite', 'litre': 'liter',
        'litres': 'liters', 'metre': 'meter', 'metres': 'meters', 'grey': 'gray',
        'neighbour': 'neighbor', 'centre': 'center', 'kilometre': 'kilometer',
        'kilometres': 'kilometers', 'theatre': 'theater', 'doctor': 'dr', 'mister': 'mr'}


@dataclass(frozen=True, kw_only=True)
class Take:
    """Speech that passed, and how it was heard."""

    samples: np.ndarray
    """float32 [n], 16 kHz."""
    heard: str
    wer: float
    takes: int
    """1 to 3."""


class Dropped(SpeechError):  # noqa: N818 - what happens to the text, not a fault of the program
    """No take was understood; the text is left out and counted."""


def to_comparable(text: str, language: str) -> str:
    """Return a text as it is compared: in spoken words, lower case, without punctuation."""
    said = re.sub(r"[^\w\s']", ' ', to_spoken(text, language).text.lower().replace('-', ' '))
    if language == 'zh':
        return ' '.join(re.sub(r'\s', '', said))  # characters stand for words
    return ' '.join(SAME.get(word, word) for word in said.split())


def measure_distance(reference: str, hypothesis: str) -> float:
    if not reference or not hypothesis:
        return 0.0 if reference == hypothesis else 1.0
    together = reference.replace(' ', '') == hypothesis.replace(' ', '')
    return 0.0 if together else float(jiwer.wer(reference, hypothesis))  # "earth quake" is heard


def error_rate(text: str, heard: str, language: str = 'en') -> float:
    """Return the word error rate; of characters for Chinese; 1.0 if only one of them is empty."""
    # "725" is heard for a number, and for "seven, two, five"
    digits = re.sub(r'(?<=\d)[,.:]?(?=\d)', ' ', heard)
    return min(measure_distance(to_comparable(text, language),
                                to_comparable(spoken_text, language))
               for spoken_text in {heard, digits})


def speak_checked(text: str, language: str, say: Callable[[int], np.ndarray],
                  recogniser: Recogniser | None, *, highest: float = HIGHEST_WER,
                  retries: int = RETRIES) -> Take:
    """
    Return the first take that is understood.

    ``say(attempt)`` returns samples [n] at 16 kHz for attempt 0, 1, ... and may raise
    SpeechError, which costs an attempt. Without a recogniser the first take is taken, with a
    WER of -1. Raises Dropped with the best rate when none is understood.
    """
    best, why = 2.0, ''
    for attempt in range(retries + 1):
        try:
            samples = say(attempt)
        except SpeechError as error:
            why = str(error)
            continue
        if recogniser is None:
            return Take(samples=samples, heard='', wer=-1.0, takes=attempt + 1)
        heard = recogniser.transcribe(samples).text
        wer = error_rate(text, heard, language)
        if wer <= highest:
            return Take(samples=samples, heard=heard, wer=wer, takes=attempt + 1)
        if wer < best:
            best, why = wer, f'heard {heard!r}, WER {wer:.2f}'
    raise Dropped(f'{text!r}: not understood in {retries + 1} takes ({why}); the text is left out')
