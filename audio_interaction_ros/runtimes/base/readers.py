"""Who reads speech: a second pass, a window again and again, a stream; who hears a voice."""

from collections.abc import Collection, Sequence
from typing import Protocol, runtime_checkable

import numpy as np

from audio_interaction_ros.runtimes.base.readings import ReadWord, Recognition, WindowReading

__all__ = ['ClosingReader', 'ContinuingReader', 'StreamReader', 'Transcriber', 'VoiceListener',
           'WindowReader', 'WordStream']


class Transcriber(Protocol):
    """A second pass: reads a finished utterance as a whole."""

    def transcribe(self, samples: np.ndarray, languages: Collection[str] = ()) -> Recognition:
        """
        Return what samples [n] float32 at 16 kHz say.

        ``languages`` (ISO 639-1): it is known to be one of these; empty: any.
        """
        ...


class VoiceListener(Protocol):
    """Hears in a stream how likely somebody speaks; holds its state."""

    step_s: float
    """Seconds that one probability stands for."""

    def push(self, samples: np.ndarray) -> np.ndarray:
        """Return the probabilities of the whole pieces in what came, samples [n] at 16 kHz."""
        ...

    def reset(self) -> None:
        """Forget what was heard."""
        ...


class WindowReader(Protocol):
    """Reads speech that goes on: the same window again and again as it grows."""

    def read_window(self, samples: np.ndarray, *, agreed: Sequence[ReadWord] = (),
                    before: Sequence[ReadWord] = (), language: str = '') -> WindowReading:
        """
        Return what samples [n] float32 at 16 kHz say so far, at most 30 s.

        The text begins with ``agreed``, whatever else the model would like; ``before`` was said
        before the window. ``language`` (ISO 639-1) is detected when empty.
        """
        ...

    def open_voice(self) -> VoiceListener | None:
        """Return what hears when speech begins and ends; None where nobody can."""
        ...


@runtime_checkable
class ClosingReader(Protocol):
    """Reads a window also as a second pass would, so that nothing is left to read at its end."""

    def read_closed(self, samples: np.ndarray, *, before: Sequence[ReadWord] = (),
                    language: str = '') -> WindowReading:
        """
        Return what samples [n] float32 at 16 kHz say, at most 30 s, if nobody speaks on.

        ``before`` was said before the window. ``language`` is detected when empty.
        """
        ...


@runtime_checkable
class ContinuingReader(Protocol):
    """A ClosingReader that can also go on from what is final already."""

    def read_after(self, samples: np.ndarray, *, after: Sequence[ReadWord],
                   language: str) -> WindowReading:
        """
        Return what samples [n] float32 at 16 kHz say behind the words that they begin with.

        Those, ``after``, are of the same reader and are not among the words that are returned,
        whose places are in all of the samples.
        """
        ...


class WordStream(Protocol):
    """One utterance to a reader that hears each sample once."""

    over: bool
    """True once the reader takes the utterance to be over; one that never tells: False."""

    def push(self, samples: np.ndarray) -> None:
        """Hear samples [n] float32 at 16 kHz that follow those before."""
        ...

    def read(self, agreed: Sequence[ReadWord] = ()) -> WindowReading:
        """Return what was said so far; it begins with ``agreed``, whatever was read since."""
        ...


@runtime_checkable
class StreamReader(Protocol):
    """Reads speech as it comes: instead of a WindowReader, for models that are made for that."""

    def open_stream(self) -> WordStream:
        """Begin an utterance."""
        ...

    def open_voice(self) -> VoiceListener | None:
        """Return what hears when speech begins and ends; None where nobody can."""
        ...
