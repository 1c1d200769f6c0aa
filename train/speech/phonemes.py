"""
How Chinese text is given to a voice that was trained on phonemes.

Knows no voice. The packages are installed on purpose (requirements/voices.txt).
"""

from functools import lru_cache
from typing import Any

from audio_interaction_ros.errors import MissingDependencyError

__all__ = ['ipa_of_chinese', 'words_of_chinese']


def _packages_missing(error: ImportError) -> MissingDependencyError:
    return MissingDependencyError(
        'Mandarin: expected the packages misaki[zh] and jieba, they are not installed; run: '
        f'pip install -r requirements/voices.txt ({error})')


@lru_cache(maxsize=1)
def _import_jieba() -> Any:
    try:
        import jieba
    except ImportError as error:
        raise _packages_missing(error) from error
    jieba.setLogLevel('WARNING')
    return jieba


@lru_cache(maxsize=1)
def _make_misaki() -> Any:
    try:
        from misaki.zh import ZHG2P
    except ImportError as error:
        raise _packages_missing(error) from error
    return ZHG2P()


def words_of_chinese(text: str) -> list[str]:
    """Return the words of a text that is written without spaces."""
    return [word for word in _import_jieba().lcut(text) if word.strip()]


def ipa_of_chinese(text: str) -> str:
    """Return IPA with tone arrows, as misaki writes it; Kokoro was trained on it."""
    _import_jieba()  # misaki loads it too; here it is told to keep quiet first
    return str(_make_misaki()(text)[0])
