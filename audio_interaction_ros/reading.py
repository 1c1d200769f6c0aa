"""
What a configuration may say of who reads words, and in which languages.

Owns the names of readers, how one is written together with its folder, the codes of languages, and
which scripts put no spaces between words. Knows no reader itself.
"""

from dataclasses import dataclass
from pathlib import Path

from audio_interaction_ros.errors import ConfigurationError

__all__ = ['READERS', 'SPOKEN_LANGUAGES', 'ReaderChoice', 'has_no_spaces']

READERS = ('whisper', 'faster-whisper', 'sherpa-onnx', 'moonshine')
"""Who can read words. Whisper has a default; the others need the folder of a model."""
SPOKEN_LANGUAGES = (
    'af', 'am', 'ar', 'as', 'az', 'ba', 'be', 'bg', 'bn', 'bo', 'br', 'bs', 'ca', 'cs', 'cy',
    'da', 'de', 'el', 'en', 'es', 'et', 'eu', 'fa', 'fi', 'fo', 'fr', 'gl', 'gu', 'ha', 'haw',
    'he', 'hi', 'hr', 'ht', 'hu', 'hy', 'id', 'is', 'it', 'ja', 'jw', 'ka', 'kk', 'km', 'kn',
    'ko', 'la', 'lb', 'ln', 'lo', 'lt', 'lv', 'mg', 'mi', 'mk', 'ml', 'mn', 'mr', 'ms', 'mt',
    'my', 'ne', 'nl', 'nn', 'no', 'oc', 'pa', 'pl', 'ps', 'pt', 'ro', 'ru', 'sa', 'sd', 'si',
    'sk', 'sl', 'sn', 'so', 'sq', 'sr', 'su', 'sv', 'sw', 'ta', 'te', 'tg', 'th', 'tk', 'tl',
    'tr', 'tt', 'uk', 'ur', 'uz', 'vi', 'yi', 'yo', 'yue', 'zh')
"""Codes of the languages that Whisper reads; yue only its size large-v3."""


@dataclass(frozen=True)
class ReaderChoice:
    """A reader, and the folder of its model where it needs one."""

    kind: str
    folder: str = ''

    @classmethod
    def parse(cls, text: str, key: str) -> 'ReaderChoice':
        """
        Return the choice that is written as ``kind`` or ``kind:FOLDER``.

        ConfigurationError, which names the parameter ``key``, for an unknown reader and for one
        that needs a folder and has none. Whether the folder is right, its reader tells.
        """
        kind, _, folder = (part.strip() for part in text.partition(':'))
        if kind not in READERS:
            raise ConfigurationError(f'{key}: expected one of {", ".join(READERS)}, found '
                                     f'{kind!r}; change it in the configuration')
        if kind != 'whisper' and not folder:
            raise ConfigurationError(f'{key}: expected {kind}:FOLDER with the folder of a model, '
                                     f'found {text!r}; change it in the configuration')
        return cls(kind, str(Path(folder).expanduser()) if folder else '')


def has_no_spaces(text: str) -> bool:
    """Tell whether a text is of Chinese or Japanese characters only, between which none stand."""
    return bool(text) and all('\u3040' <= letter <= '\u9fff' for letter in text)
