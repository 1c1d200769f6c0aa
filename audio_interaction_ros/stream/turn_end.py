"""
How long it must be silent until somebody has finished, by what was said and how.

Owns the three waits and what chooses between them. Knows neither audio nor who judges a voice.
"""

from dataclasses import dataclass

from audio_interaction_ros.stream.unfinished import (
    ends_with_number,
    is_unfinished,
    lacks_mark,
    leads_on,
)

__all__ = ['TurnEnd']

VERY_SURE = 0.9
"""A voice must sound so much like the end where the words could go on."""
LONG_NS = 4_000_000_000
"""Who has spoken for so long tells something, and pauses between two sentences of it."""


@dataclass(frozen=True, kw_only=True)
class TurnEnd:
    """Silences in nanoseconds after which an utterance is over."""

    silence_ns: int
    """The ordinary one."""
    sure_ns: int
    """Where voice and words both say that it is over."""
    unfinished_ns: int
    """Where the words say that more is to come."""
    threshold: float = 0.5
    """From this probability on a voice says that it is over."""

    def wait_ns(self, text: str, over: float | None, spoken_ns: int = 0) -> int:
        """
        Return how long silence must last after ``text``, all that was said, in ``spoken_ns``.

        ``over``: how likely the voice is through, 0 to 1; None: nobody judged it, and words alone
        decide.
        """
        if over is None:
            return self.unfinished_ns if is_unfinished(text) else self.silence_ns
        if leads_on(text):
            return self.unfinished_ns
        if ends_with_number(text) or lacks_mark(text):
            return self.silence_ns if over >= VERY_SURE else self.unfinished_ns
        if not text or over < self.threshold:
            return self.silence_ns
        return self.sure_ns if spoken_ns < LONG_NS else (self.sure_ns + self.silence_ns) // 2
