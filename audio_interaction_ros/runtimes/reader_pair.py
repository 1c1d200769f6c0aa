"""
Two readers as one: finished speech is read by the first, speech that goes on by the second.

A small model that shows words early and a larger one that has the last word. Knows neither.
"""

from collections.abc import Collection
from typing import Any

import numpy as np

from audio_interaction_ros.runtimes.base import (
    Recognition,
    StreamReader,
    Transcriber,
    VoiceListener,
    WindowReader,
    WindowReading,
    WordStream,
)

__all__ = ['pair_readers']


def pair_readers(finals: Transcriber, partials: Any) -> Transcriber:
    """
    Return one reader of two; ``partials`` is a WindowReader or a StreamReader.

    The result is of the same kind. Who hears when speech begins is that of ``partials``. It is no
    ClosingReader: words of the first are in other tokens, which the second could not go on from.
    """
    if isinstance(partials, StreamReader):
        return _WithStreams(finals, partials)
    return _WithWindows(finals, partials)


class _Pair:
    def __init__(self, finals: Transcriber, partials: Any) -> None:
        self._finals, self._partials = finals, partials

    def transcribe(self, samples: np.ndarray, languages: Collection[str] = ()) -> Recognition:
        """Return what the first reader reads."""
        return self._finals.transcribe(samples, languages)

    def open_voice(self) -> VoiceListener | None:
        """Return what hears when speech begins and ends."""
        voice: VoiceListener | None = self._partials.open_voice()
        return voice


class _WithWindows(_Pair):
    _partials: WindowReader

    def read_window(self, samples: np.ndarray, **options: Any) -> WindowReading:
        """Return what the second reader reads."""
        return self._partials.read_window(samples, **options)


class _WithStreams(_Pair):
    _partials: StreamReader

    def open_stream(self) -> WordStream:
        """Begin an utterance to the second reader."""
        return self._partials.open_stream()
