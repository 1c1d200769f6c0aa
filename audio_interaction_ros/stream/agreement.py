"""
Words that two readings of growing speech agree on, which are never taken back.

Local agreement: what two readings in a row begin with alike is stable (Liu et al., Low-Latency
Sequence-to-Sequence Speech Recognition and Translation by Partial Hypothesis Selection, 2020).
Owns which words are stable, which are shown, and which have left the window that is read. Knows
neither audio nor models.
"""

from collections.abc import Sequence
from dataclasses import replace

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

    def push(self, read: Sequence[ReadWord]) -> bool:
        """
        Take a reading of the window in; True where more words are stable now.

        One that does not begin with the stable words is left out, and nothing changes.
        """
        if not self._continues(read):
            return False
        newest, self._newest = self._newest, list(read)
        agreed = _count_agreed(newest, self._newest)
        if agreed <= len(self.stable):
            return False
        self.stable = [*self._newest[:agreed - 1], _without_mark(self._newest[agreed - 1])]
        return True

    def cut(self, count: int) -> None:
        """Let the first ``count`` words of the window, all of them stable, leave it."""
        assert 0 <= count <= len(self.stable), 'only stable words leave the window'
        self.past += self.stable[:count]
        self.stable, self._newest = self.stable[count:], self._newest[count:]

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

    def _continues(self, read: Sequence[ReadWord]) -> bool:
        if len(read) < len(self.stable):
            return False
        known = ''.join(word.written for word in self.stable)
        return (''.join(word.written for word in read).startswith(known)
                and all(word.text == old.text for word, old
                        in zip(read, self.stable, strict=False)))


def write(words: Sequence[ReadWord]) -> str:
    """Return words as a text."""
    return ''.join(word.written for word in words).lstrip()


def _count_agreed(one: Sequence[ReadWord], other: Sequence[ReadWord]) -> int:
    """Return how many words both begin with, whatever their marks and capitals."""
    count = 0
    for a, b in zip(one, other, strict=False):
        if a.text.casefold() != b.text.casefold():
            break
        count += 1
    return count


def _without_mark(word: ReadWord) -> ReadWord:
    return replace(word, mark='', mark_ids=())
