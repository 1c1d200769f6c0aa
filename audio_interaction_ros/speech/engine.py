"""
What a speech engine is, and the parts in which a text is spoken.

Knows no engine and no loudspeaker. Languages are written as en and zh.
"""

import re
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.intents.words import is_chinese

__all__ = ['SpeechEngine', 'SpeechError', 'Spoken', 'guess_language', 'split_text']

_LONGEST_PART = 240
_PARTS = re.compile(r'.+?(?:[.!?;:]+["\')\]]*(?=\s|$)|[。！？；…]+|\n+|$)', re.DOTALL)


class SpeechError(AudioInteractionError):
    """A text could not be spoken; another engine, or another text, may do."""


@dataclass(frozen=True, kw_only=True)
class Spoken:
    """Speech."""

    samples: np.ndarray
    """float32 [n], mono, full scale 1."""
    rate_hz: int


class SpeechEngine(Protocol):
    """Speaks. What it needs is checked when it is made; it is used by one thread at a time."""

    name: str
    languages: tuple[str, ...]
    """Those that it can speak with what was given to it: en, zh."""

    def speak(self, text: str, language: str) -> Spoken:
        """Return a text, a sentence or two, as speech; raises SpeechError."""


def guess_language(text: str, said: str = '') -> str:
    """Return en or zh: what is ``said`` of a text (a BCP-47 tag), else what its letters are."""
    tag = said.lower().partition('-')[0]
    if tag in ('zh', 'cmn', 'yue'):
        return 'zh'
    if tag:
        return tag
    return 'zh' if is_chinese(text) else 'en'


def split_text(text: str) -> list[str]:
    """
    Return the sentences of a text, with their punctuation; a long one in pieces of 240 letters.

    A sentence is spoken as a whole, so the first sound comes sooner and speech can end between.
    """
    parts = []
    for sentence in (match.strip() for match in _PARTS.findall(text)):
        while len(sentence) > _LONGEST_PART:
            cut = max(sentence.rfind(mark, 0, _LONGEST_PART) for mark in (' ', ',', '，', '、'))
            cut = cut if cut > 0 else _LONGEST_PART - 1
            parts.append(sentence[:cut + 1].strip())
            sentence = sentence[cut + 1:].strip()
        parts.append(sentence)
    return [part for part in parts if any(letter.isalnum() for letter in part)]
