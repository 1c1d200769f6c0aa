"""
The translation of one utterance while it is spoken: what is stable of it never changes.

Owns which words of the source are translated when, and how much of the target is agreed. A
sentence that is over is translated to its end. Of the one that goes on, what two translations in
a row begin with alike is stable, and the next one is written from there (local agreement, as
``stream.agreement`` has it for words). Only stable words of the source are taken.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from audio_interaction_ros.dialogue.text_writer import Written
from audio_interaction_ros.protocol import TRANSLATION_TARGETS

__all__ = ['GrowingTranslation', 'Interprets', 'Shown', 'count_words']

_SENTENCE = re.compile(r'.+?(?:[.!?]+(?=\s+[^a-z]|\s*$)|[。！？]+)|.+$', re.S)
"""A small letter goes on with a sentence: a reader ends one where somebody paused within it."""
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]|(?:(?![\u3040-\u30ff\u3400-\u9fff])[\w'’])+")
_FEWEST = {'en': 3, 'zh': 5}
"""Words, of Chinese characters, by which the source grows before it is translated again."""
_MOST = {'en': 60, 'zh': 40}
"""As many are translated at once; more ids than these have would not fit (LaneInterpreter)."""
_CLAUSE = re.compile(r'[,;:，；：、]+')
_MARKS = ' \t\n.,;:!?…。，；：！？、'


def count_words(text: str) -> int:
    """Return how many words a text has; each Chinese character is one."""
    return len(_WORD.findall(text))


@dataclass(frozen=True)
class Shown:
    """What is to be seen of a translation."""

    text: str
    stable_length: int
    """Leading code points that no later one changes."""


class Interprets(Protocol):
    """Who translates: a text model (Interpreter) or the model that listens (LaneInterpreter)."""

    def translate(self, text: str, language: str, *, begin: Sequence[int] = (),
                  cancelled: Callable[[], bool] = lambda: False) -> Iterator[Written]:
        """Yield the translation of a text, which begins with the ids ``begin``, as it grows."""
        ...

    def write_out(self, ids: Sequence[int]) -> str:
        """Return the text of ids."""
        ...


class GrowingTranslation:
    """One utterance in one language."""

    def __init__(self, interpreter: Interprets, language: str) -> None:
        """Begin; ValueError for a language (ISO 639-1) that is not translated."""
        if language not in TRANSLATION_TARGETS:
            raise ValueError(f'expected one of {", ".join(TRANSLATION_TARGETS)}, found '
                             f'{language!r}')
        self._interpreter, self._language = interpreter, language
        self.target = TRANSLATION_TARGETS[language]
        self._between = ' ' if self.target == 'en' else ''
        self._closed: list[str] = []
        """Translations of sentences that are over."""
        self._closed_words = self._open_words = 0
        """Of the source: of those sentences, and of the open one when it was last translated."""
        self._newest: Written | None = None
        self._agreed: tuple[int, ...] = ()
        self._agreed_text = ''

    def grow(self, text: str, stable_length: int,
             cancelled: Callable[[], bool] = lambda: False) -> Shown | None:
        """
        Take a reading of speech that goes on; return what is shown now, None for nothing new.

        Where it was cancelled nothing is taken of it, and the next reading makes up for it.
        """
        *over, open_ = self._split(_after(text[:stable_length], self._closed_words)) or ['']
        grown = False
        for sentence in over:
            if not self._close(sentence, cancelled):
                return None
            grown = True
        if count_words(open_) - self._open_words >= _FEWEST[self._language]:
            grown = self._extend(open_, cancelled) or grown
        return self._show() if grown else None

    def finish(self, text: str) -> Shown:
        """Take the final text; return the whole translation, which begins with what is stable."""
        for sentence in self._split(_after(text, self._closed_words)):
            self._close(sentence, lambda: False)
        shown = self._show()
        return Shown(shown.text, len(shown.text))

    @property
    def stable_text(self) -> str:
        """What every translation to come begins with."""
        shown = self._show()
        return shown.text[:shown.stable_length]

    def _split(self, text: str) -> list[str]:
        """Return the sentences of a text; of one that is too long for the model, its parts."""
        return [part for sentence in _sentences(text)
                for part in _cut(sentence, _MOST[self._language])]

    def _close(self, sentence: str, cancelled: Callable[[], bool]) -> bool:
        """
        Translate a sentence to its end; False, and nothing is done, where it was cancelled.

        Of a translation that runs in circles no more is taken than was stable before.
        """
        written = self._translate(sentence, cancelled)
        if written is None:
            return False
        self._closed.append(written.text.strip() if written.reason != 'loop' else
                            self._agreed_text)
        self._closed_words += count_words(sentence)
        self._open_words, self._newest, self._agreed, self._agreed_text = 0, None, (), ''
        return True

    def _extend(self, open_: str, cancelled: Callable[[], bool]) -> bool:
        """Translate the sentence that goes on, and agree with what was written before."""
        written = self._translate(open_, cancelled)
        if written is None or written.reason == 'loop':
            return False
        if self._newest is not None:
            self._agree(self._newest, written)
        self._newest, self._open_words = written, count_words(open_)
        return True

    def _agree(self, one: Written, other: Written) -> None:
        alike = 0
        while alike < min(len(one.ids), len(other.ids)) and one.ids[alike] == other.ids[alike]:
            alike += 1
        for count in range(alike, len(self._agreed), -1):
            text = self._interpreter.write_out(other.ids[:count])
            if '\ufffd' not in text and self._is_whole(text, other.text):
                self._agreed, self._agreed_text = other.ids[:count], text
                return

    def _is_whole(self, text: str, whole: str) -> bool:
        """Tell whether a beginning ends with a word; a mark at its end may not stay."""
        follows = whole[len(text):len(text) + 1]
        return (bool(text) and text[-1] not in _MARKS
                and (self.target == 'zh' or not (text[-1].isalnum() and follows.isalnum())))

    def _translate(self, text: str, cancelled: Callable[[], bool]) -> Written | None:
        *_, last = self._interpreter.translate(text, self._language, begin=self._agreed,
                                               cancelled=cancelled)
        return None if last.reason == 'cancel' else last

    def _show(self) -> Shown:
        closed = self._between.join(filter(None, self._closed))
        open_ = '' if self._newest is None else self._newest.text.strip()
        between = self._between if closed and open_ else ''
        stable = len(closed) + (len(between + self._agreed_text) if self._agreed_text else 0)
        return Shown(closed + between + open_, stable)


def _sentences(text: str) -> list[str]:
    return [part.strip() for part in _SENTENCE.findall(text) if count_words(part)]


def _cut(sentence: str, most: int) -> list[str]:
    """
    Return a sentence in parts of at most so many words, cut behind a mark where there is one.

    Where it is cut follows from the words before, so that more words change nothing.
    """
    parts: list[str] = []
    while count_words(sentence) > most:
        end = list(_WORD.finditer(sentence))[most - 1].end()
        marks = [mark.end() for mark in _CLAUSE.finditer(sentence, 0, end)]
        at = marks[-1] if marks and 2 * marks[-1] > end else end
        parts.append(sentence[:at].strip())
        sentence = sentence[at:].strip()
    return [*parts, sentence] if count_words(sentence) else parts


def _after(text: str, words: int) -> str:
    """Return a text without so many words at its beginning, and the marks behind them."""
    if not words:
        return text
    found = list(_WORD.finditer(text))
    if len(found) <= words:
        return ''
    return text[found[words].start():]
