"""
Texts that run in circles: of speech that was cut off in mid-word Whisper often says all again.

Owns where a text begins to be said again. What stands before is right more often than not, so it
is shown while somebody speaks; what is to be final is read once more instead.
"""

from collections.abc import Sequence

from audio_interaction_ros.runtimes.base import ReadWord

__all__ = ['is_said_again', 'say_once']

_TIMES = {1: 4, 2: 3, 3: 3}
"""So often a phrase of so many words must come in a row, for people do repeat themselves; a longer
one, twice."""
_SHORTEST, _LONGEST = 9, 24


def is_said_again(ids: Sequence[int]) -> bool:
    """Tell whether ids end with one phrase of 9 to 24 of them twice."""
    return any(len(ids) >= 2 * length and ids[-length:] == ids[-2 * length:-length]
               for length in range(_SHORTEST, _LONGEST + 1))


def say_once(words: Sequence[ReadWord], kept: int = 0) -> list[ReadWord]:
    """Return words up to where they are only said again, to their end; the first ``kept`` stay."""
    texts = [word.text.strip().casefold() for word in words]
    for start in range(len(texts)):
        for length in range(1, (len(texts) - start) // 2 + 1):
            round_ = texts[start:start + length]
            rest = texts[start + length:]
            again = all(text == round_[place % length] for place, text in enumerate(rest))
            if again and len(rest) >= length * (_TIMES.get(length, 2) - 1):
                return list(words[:max(kept, start + length)])
    return list(words)
