"""
What was said right before an utterance: audio and words that a reading of it may begin with.

Who tells something pauses between two sentences, and each becomes final by itself. A sentence
that is read alone lacks the one before; heard once more with its words given, that one may put a
word right, and as a prompt without its audio it does not. Owns how much of it is heard again,
where that is worth its time, and which reading is taken. Knows no reader.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from audio_interaction_ros.runtimes.base import ReadWord, WindowReading
from audio_interaction_ros.stream.closed_reading import ClosedReading

__all__ = ['KEPT_NS', 'SaidBefore']

NS = 1_000_000_000
KEPT_NS = 1_200_000_000
"""After so long a pause what is said next has nothing to do with it."""
_AGAIN_S = 8.0
"""So much of it is heard again at most."""
_SHORTEST_NS, _LONGEST_NS = 2 * NS, 20 * NS
"""What is shorter is read alone, for orders are to be quick; longer than this is no audio read."""
_UNSURE = 0.6
"""Confidence of a word below which its sentence is read once more."""
_MOST_WORDS_APART = 1
"""Readings of a sentence differ in a word, not in how many there are; else one says it twice."""


@dataclass(frozen=True, kw_only=True)
class SaidBefore:
    """The end of an utterance that is final; times are nanoseconds of the stream."""

    words: tuple[ReadWord, ...]
    start_ns: int
    """Where the first of them begins."""
    end_ns: int
    """Where the utterance ended."""
    language: str

    @classmethod
    def of(cls, reading: ClosedReading | None, end_ns: int) -> 'SaidBefore | None':
        """Return the last sentences of what was read of an utterance; None where it is unsure."""
        if reading is None or not reading.is_sure:
            return None
        words, since_s = reading.words, (end_ns - reading.start_ns) / NS - _AGAIN_S
        near = [place for place, word in enumerate(words) if word.start_s >= since_s]
        if not near:
            return None
        first = next((place for place in near
                      if not place or words[place - 1].ends_sentence), near[0])
        start_s = (words[first - 1].end_s + words[first].start_s) / 2 if first else 0.0
        return cls(words=words[first:], start_ns=reading.start_ns + round(start_s * NS),
                   end_ns=end_ns, language=reading.language)

    def is_near(self, start_ns: int) -> bool:
        """Tell whether what begins then may go on from it."""
        return start_ns - self.end_ns <= KEPT_NS

    def helps(self, alone: WindowReading, start_ns: int, end_ns: int) -> bool:
        """Tell whether what was read between two times is to be read once more behind it."""
        return (not alone.doubt and alone.language == self.language
                and any(word.confidence < _UNSURE for word in alone.words)
                and end_ns - start_ns >= _SHORTEST_NS and end_ns - self.start_ns <= _LONGEST_NS)

    def choose(self, alone: WindowReading, behind: WindowReading, start_ns: int) -> WindowReading:
        """
        Return the surer of two readings of what began then.

        Places of words of ``behind`` are in audio from ``start_ns`` of this on; in the result
        they are in that of the utterance. How it ends is what was read alone: whether somebody
        is done is decided by it.
        """
        if (behind.doubt or abs(len(behind.words) - len(alone.words)) > _MOST_WORDS_APART
                or _sureness(behind.words) <= _sureness(alone.words)):
            return alone
        early_s = (start_ns - self.start_ns) / NS
        *words, last = (replace(
            word, start_s=max(0.0, word.start_s - early_s), end_s=max(0.0, word.end_s - early_s))
            for word in behind.words)
        end = alone.words[-1]
        return replace(behind, words=(
            *words, replace(last, mark=end.mark, mark_ids=end.mark_ids)))


def _sureness(words: Sequence[ReadWord]) -> float:
    return float(np.mean([word.confidence for word in words])) if words else 0.0
