"""Words that were read, with their places in audio time, and what is shown of them."""

from dataclasses import dataclass

__all__ = ['SpokenWord', 'WordsShown']


@dataclass(frozen=True, kw_only=True)
class SpokenWord:
    """One word of a transcript."""

    text: str
    """As it stands in the text, with the marks behind it, without spaces around it."""
    start_ns: int
    end_ns: int
    confidence: float
    """How sure the reader was of it, 0 to 1."""


@dataclass(frozen=True, kw_only=True)
class WordsShown:
    """What was read so far of an utterance that goes on."""

    utterance_id: str
    """Unique in a stream; that of the final that ends it."""
    revision: int
    text: str
    stable_length: int
    """Leading code points of ``text`` that no later revision changes."""
    words: tuple[SpokenWord, ...]
    language: str
    start_ns: int
    end_ns: int
    """Where the speech that was read began, and how far it goes."""
