"""
From which language into which is translated, in one place for all who translate words.

Knows no model.
"""

from audio_interaction_ros.protocol import TRANSLATION_TARGETS

__all__ = ['target_of']


def target_of(language: str) -> str:
    """Return the language that one (ISO 639-1) is translated into; ValueError for others."""
    if language not in TRANSLATION_TARGETS:
        raise ValueError(f'expected one of {", ".join(TRANSLATION_TARGETS)}, found {language!r}')
    return TRANSLATION_TARGETS[language]
