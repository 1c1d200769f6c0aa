"""
Words that two readings of growing speech agree on, which are never taken back.

Local agreement: what two readings in a row begin with alike is stable (Liu et al., Low-Latency
Sequence-to-Sequence Speech Recognition and Translation by Partial Hypothesis Selection, 2020).
Owns which words are stable, which are shown, and which have left the window that is read. Knows
neither audio nor models.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

from audio_interaction_ros.reading import has_no_spaces
from audio_interaction_ros.runtimes.base import ReadWord

__all__ = ['Agreement']


class Agreement:
    """
    One utterance as it grows, of readings that may contradict each other.

    ``stable_text`` only ever gets longer. Of the last stable word the punctuation stays open, for
    what a pause looks like the end of often goes on.
    """

    def __init__(self) -> None:
        """Begin with nothing."""
        self.past: list[ReadWord] = []
        """Stable words that have left the window."""
        self.stable: list[ReadWord] = []
        """Stable words of the window, which the next reading must begin with."""
        self._newest: list[ReadWord] = []

    def push(self, read: Sequence[ReadWord], *, growing: int = 0) -> bool:
        """
        Take a reading of the window in; True where more words are stable now.

        One that does not begin with the stable words is left out, and nothing changes; where only
        marks and capitals differ, theirs stay. The last ``growing`` words are shown and not
        stable, whatever the reading before said.
        """
        going_on = self._go_on(read)
        if going_on is None:
            return False
        newest, self._newest = self._newest, going_on
        agreed = min(_count_agreed(newest, self._newest), len(self._newest) - growing)
        if agreed <= len(self.stable):
            return False
        self.stable = [*self._newest[:agreed - 1], _without_mark(self._newest[agreed - 1])]
        return True

    def cut(self, count: int) -> None:
        """Let the first ``count`` words of the window, all of them stable, leave it."""
        assert 0 <= count <= len(self.stable), 'only stable words leave the window'
        self.past += self.stable[:count]
        self.stable, self._newest = self.stable[count:], self._newest[count:]

    def has_read(self, words: Sequence[ReadWord]) -> bool:
        """Tell whether the words are these, however they are written and cut into pieces."""
        return _letters(self.words) == _letters(words)

    def keep_all(self) -> None:
        """Let all words of the newest reading be stable and leave the window."""
        self.past, self.stable, self._newest = self.words, [], []

    @property
    def words(self) -> list[ReadWord]:
        """All words, the newest reading's that are not stable among them."""
        return [*self.past, *(self._newest or self.stable)]

    @property
    def text(self) -> str:
        """All that is shown."""
        return write(self.words)

    @property
    def stable_text(self) -> str:
        """What ``text`` begins with and will go on beginning with."""
        return write([*self.past, *self.stable])

    def _go_on(self, read: Sequence[ReadWord]) -> list[ReadWord] | None:
        """Return a reading with the stable words as they are; None where it has others."""
        stable = self.stable
        if not stable:
            return list(read)
        begun = read[:len(stable)]
        if [word.text.casefold() for word in begun] != [word.text.casefold() for word in stable]:
            return None
        last = replace(stable[-1], mark=begun[-1].mark, mark_ids=begun[-1].mark_ids)
        return [*stable[:-1], last, *read[len(stable):]]


def write(words: Sequence[ReadWord]) -> str:
    """Return words as a text."""
    return ''.join(word.written for word in words).lstrip()


def _letters(words: Sequence[ReadWord]) -> str:
    return ''.join(filter(str.isalnum, write(words).casefold()))


def _count_agreed(one: Sequence[ReadWord], other: Sequence[ReadWord]) -> int:
    """
    Return how many words of the other both begin with, whatever their marks and capitals.

    Where words have no spaces between them, as in Chinese, one reading may hold in one piece what
    the other has in two; there each character counts by itself.
    """
    known = ''.join(word.text.casefold() for word in one)
    ends = set(accumulate(len(word.text.casefold()) for word in one))
    at = count = 0
    for place, word in enumerate(other, start=1):
        text = word.text.casefold()
        at += len(text)
        if known[at - len(text):at] != text:
            break
        if at in ends or has_no_spaces(known[at - 1:at + 1]):
            count = place
    return count


def _without_mark(word: ReadWord) -> ReadWord:
    return replace(word, mark='', mark_ids=())
