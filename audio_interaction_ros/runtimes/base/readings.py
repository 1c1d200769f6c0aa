"""What is read of speech: words with their places, and how far to trust them."""

import math
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ['ReadWord', 'Recognition', 'WindowReading']


@dataclass(frozen=True, kw_only=True)
class ReadWord:
    """One word that was read, and where in the audio it is."""

    text: str
    """As it stands in the text, with the space before it, without the marks behind it."""
    mark: str = ''
    """Punctuation right behind it, which the words to come may still change."""
    start_s: float
    end_s: float
    """Seconds from the start of the audio that was read."""
    confidence: float = 1.0
    """Geometric mean of the probabilities of its tokens, 0 to 1."""
    ids: tuple[int, ...] = ()
    """What the reading model calls it; the marks behind it are ``mark_ids``."""
    mark_ids: tuple[int, ...] = ()

    @property
    def written(self) -> str:
        """Return the word and its marks."""
        return self.text + self.mark

    @property
    def ends_sentence(self) -> bool:
        """Tell whether a sentence ends behind it, by its mark."""
        return self.mark.endswith(tuple('.?!。？！'))


@dataclass(frozen=True, kw_only=True)
class WindowReading:
    """What a model read in a window of speech that goes on."""

    words: tuple[ReadWord, ...]
    """They begin with those that were agreed on before."""
    language: str
    """ISO 639-1."""
    doubt: str = ''
    """Why it is not to be believed; empty if it is."""
    growing: int = 0
    """So many of the last words may still grow, as a name of which half was said."""


MOST_COMPRESSION = 2.4
"""Text that zlib makes smaller by more says the same again, as in Whisper's own transcribe.py."""


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """What a model read in a piece of audio, and its own signs of how far to trust that."""

    text: str
    language: str
    """ISO 639-1; '' if unknown."""
    no_speech: float = 0.0
    """Probability that nobody speaks in it."""
    mean_log_prob: float = 0.0
    """Mean log-probability of the tokens of the text."""
    compression_ratio: float = 1.0
    """How many times smaller zlib makes the text."""
    loops: bool = False
    """True where it was stopped, for it said the same four times in a row."""
    broken: bool = False
    """True where some of it was no whole character, and is left out."""
    span_s: tuple[float, float] | None = None
    """Where in the audio the speech is, in seconds; None where nobody looked or spoke."""
    write_english: Callable[[], str] | None = None
    """Makes the model write it in English, without listening again; None where it cannot."""
    words: tuple[ReadWord, ...] = ()
    """Those of the text with their places in the audio; none where the model tells no places."""

    @property
    def confidence(self) -> float:
        """How sure the model is of its words, 0 to 1."""
        return math.exp(self.mean_log_prob)
