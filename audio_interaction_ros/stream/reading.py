"""
Spans of the stream that are read again: the audio they need, and what was read of them lately.

A transcript and a translation of the same utterance share one reading. Knows neither the model
that reads nor who asks. Audio stays in memory.
"""

import threading
from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.stream.history import AudioHistory

__all__ = ['Reading', 'SpanReader', 'Transcriber']

_SAME = 0.8
_REMEMBERED = 8


class Transcriber(Protocol):
    """What a second pass needs of a model."""

    def transcribe(self, samples: np.ndarray, languages: Collection[str] = ()) -> tuple[str, str]:
        """
        Return text and language (ISO 639-1, '' if unknown) of samples [n] float32 at 16 kHz.

        ``languages``: it is known to be one of these; empty: any.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What was said in a span of the stream."""

    start_ns: int
    end_ns: int
    text: str
    language: str
    any_language: bool
    """True when the language was free, so that it says what was spoken."""

    def covers(self, start_ns: int, end_ns: int) -> bool:
        """Tell whether more than 80 % of the longer span are common to both."""
        common = min(self.end_ns, end_ns) - max(self.start_ns, start_ns)
        return common > _SAME * max(self.end_ns - self.start_ns, end_ns - start_ns)


class SpanReader:
    """Keeps the newest audio and readings; ``hear`` and ``forget`` from any thread."""

    def __init__(self, *, seconds: float) -> None:
        """Hold ``seconds`` of audio at most."""
        self._history = AudioHistory(seconds=seconds)
        self._readings: deque[Reading] = deque(maxlen=_REMEMBERED)
        self._lock = threading.Lock()
        self.reused = 0
        """Times that a reading served again."""

    def hear(self, chunk: AudioChunk) -> None:
        """Remember a chunk."""
        with self._lock:
            self._history.push(chunk)

    def forget(self) -> None:
        """Drop all audio and what was read of it."""
        with self._lock:
            self._history.clear()
            self._readings.clear()

    def read(self, transcriber: Transcriber, start_ns: int, end_ns: int, *,
             languages: Collection[str] = ()) -> Reading | None:
        """
        Return what was said from ``start_ns`` to ``end_ns``; None when that audio is gone.

        A reading of nearly the same span serves again where its language fits. Raises what the
        transcriber raises.
        """
        with self._lock:
            known = self._known(start_ns, end_ns, languages)
            samples = self._history.between(start_ns, end_ns)
        if known is not None:
            self.reused += 1
            return known
        if not len(samples):
            return None
        text, language = (transcriber.transcribe(samples, languages) if languages
                          else transcriber.transcribe(samples))
        reading = Reading(start_ns=start_ns, end_ns=end_ns, text=text.strip(), language=language,
                          any_language=not languages)
        with self._lock:
            self._readings.append(reading)
        return reading

    def _known(self, start_ns: int, end_ns: int, languages: Collection[str]) -> Reading | None:
        for reading in reversed(self._readings):
            fits = reading.language in languages if languages else reading.any_language
            if fits and reading.covers(start_ns, end_ns):
                return reading
        return None
