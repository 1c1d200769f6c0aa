"""
What was read of an utterance, as soon as it became silent or while somebody spoke.

Where a reading of all of it is sure, its text is final and nobody need read again. Owns when it
is good enough for that. Knows no audio.
"""

import math
from dataclasses import dataclass

from audio_interaction_ros.runtimes.base import ReadWord
from audio_interaction_ros.stream.agreement import write
from audio_interaction_ros.stream.final_text import DOUBT_LOG_PROB, FinalText
from audio_interaction_ros.stream.spoken_word import SpokenWord

__all__ = ['ClosedReading']

NS = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class ClosedReading:
    """One reading, with its words' places in seconds from the start of the utterance."""

    words: tuple[ReadWord, ...]
    language: str
    start_ns: int

    @property
    def text(self) -> str:
        """All that was said."""
        return write(self.words)

    @property
    def confidence(self) -> float:
        """How sure who read it was of its words: their geometric mean; 0 without any."""
        if not self.words:
            return 0.0
        logs = [math.log(max(word.confidence, 1e-6)) for word in self.words]
        return math.exp(sum(logs) / len(logs))

    @property
    def is_sure(self) -> bool:
        """False where the audio must be read once more, with care."""
        return self.confidence >= math.exp(DOUBT_LOG_PROB)

    def as_final(self, end_ns: int) -> FinalText | None:
        """Return what becomes final of an utterance that ends then; None where it is not sure."""
        return self.place(end_ns) if self.is_sure else None

    def place(self, end_ns: int) -> FinalText:
        """Return it as the last word on an utterance that ends then, however sure it is."""
        return FinalText(
            text=self.text, language=self.language, source='second_pass',
            confidence=self.confidence, start_ns=self.start_ns, end_ns=end_ns,
            words=tuple(place_word(word, self.start_ns) for word in self.words))


def place_word(word: ReadWord, start_ns: int) -> SpokenWord:
    """Return a word with its place in the stream, of one in an utterance that begins then."""
    return SpokenWord(text=word.written.strip(), start_ns=start_ns + round(word.start_s * NS),
                      end_ns=start_ns + round(word.end_s * NS), confidence=word.confidence)
