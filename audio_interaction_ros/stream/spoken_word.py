"""A word that was read, with its place in audio time."""

from dataclasses import dataclass

__all__ = ['SpokenWord']


@dataclass(frozen=True, kw_only=True)
class SpokenWord:
    """One word of a transcript."""

    text: str
    """As it stands in the text, with the marks behind it, without spaces around it."""
    start_ns: int
    end_ns: int
    confidence: float
    """How sure the reader was of it, 0 to 1."""
