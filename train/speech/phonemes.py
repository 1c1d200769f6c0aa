"""
How Chinese text is given to a voice that was trained on phonemes.

Knows no voice. The packages are installed on purpose (requirements/voices.txt).
"""

from functools import lru_cache
from typing import Any

from audio_interaction_ros.errors import MissingDependencyError

__all__ = ['ipa_of_chinese', 'words_of_chinese']


def _needed(error: ImportError) -> MissingDependencyError:
    return MissingDependencyError(
        'Mandarin: expected the packages misaki[zh] and jieba, they are not installed; run: '
        f'pip install -r requirements/voices.txt ({error})')


@lru_cache(maxsize=1)
def _jieba() -> Any:
    try:
        import jieba
    except ImportError as error:
        raise _needed(error) from error
    jieba.setLogLevel('WARNING')
    return jieba


@lru_cache(maxsize=1)
def _misaki() -> Any:
    try:
        from misaki.zh import ZHG2P
    except ImportError as error:
        raise _needed(error) from error
    return ZHG2P()


def words_of_chinese(text: str) -> list[str]:
    """Return the words of a text that is written without spaces."""
    return [word for word in _jieba().lcut(text) if word.strip()]


def ipa_of_chinese(text: str) -> str:
    """Return IPA with tone arrows, as misaki writes it; Kokoro was trained on it."""
    _jieba()  # misaki loads it too; here it is told to keep quiet first
    return str(_misaki()(text)[0])
