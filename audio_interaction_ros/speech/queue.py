"""
What waits to be said: bounded, the most urgent first, and nothing goes without a word.

Owns the order, what is dropped and which alerts were said already. Knows no clock: whoever asks
says what time it is (steady seconds).
"""

from dataclasses import dataclass
from enum import IntEnum

__all__ = ['Dropped', 'Priority', 'SpeechQueue', 'Utterance']

_REMEMBERED = 64


class Priority(IntEnum):
    """How urgent a text is; the values of the action Say."""

    LOW = 0
    NORMAL = 1
    HIGH = 2
    CRITICAL = 3


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """A text to be said."""

    number: int
    """Of its own: 1, 2, …"""
    text: str
    language: str = ''
    """BCP-47 tag; empty: guessed from the text."""
    priority: Priority = Priority.NORMAL
    alert: str = ''
    """Label of the alert that it tells of; empty: of none."""
    severity: int = 0
    """Of that alert."""
    origin: str = 'say'
    """Who wanted it: say, reply, alert or action."""


@dataclass(frozen=True)
class Dropped:
    """A text that will not be said, and why."""

    utterance: Utterance
    reason: str


class SpeechQueue:
    """Texts that wait; the most urgent come first, those alike in their order."""

    def __init__(self, *, capacity: int, repeat_s: float) -> None:
        """Hold up to ``capacity``; an alert is not said again within ``repeat_s``."""
        self._capacity, self._repeat_s = capacity, repeat_s
        self._waiting: list[Utterance] = []
        self._said: dict[str, tuple[int, float]] = {}  # label or text -> severity, when
        self.dropped = 0

    def __len__(self) -> int:
        """Return how many texts wait."""
        return len(self._waiting)

    def offer(self, utterance: Utterance, now: float) -> list[Dropped]:
        """Take a text; return what will not be said: perhaps that text, perhaps another."""
        if self._is_repeated(utterance, now):
            return self._count([Dropped(utterance, 'the same alert was told already')])
        if utterance.alert:
            self._remember(utterance, now)
        self._waiting.append(utterance)
        self._waiting.sort(key=lambda item: -item.priority)  # stable: those alike in order
        lost = []
        if len(self._waiting) > self._capacity:
            lost.append(Dropped(self._waiting.pop(), f'{self._capacity} texts wait already '
                                                     f'(speech.queue), none less urgent'))
        return self._count(lost)

    def take(self) -> Utterance | None:
        """Remove and return what is to be said next; None where nothing waits."""
        return self._waiting.pop(0) if self._waiting else None

    def withdraw(self, number: int) -> bool:
        """Remove a text that waits; False where it does not."""
        before = len(self._waiting)
        self._waiting = [item for item in self._waiting if item.number != number]
        return len(self._waiting) < before

    def clear(self, reason: str, *, below: Priority | None = None) -> list[Dropped]:
        """Drop all that waits, or what is less urgent than ``below``."""
        goes = [item for item in self._waiting if below is None or item.priority < below]
        self._waiting = [item for item in self._waiting if item not in goes]
        return self._count([Dropped(item, reason) for item in goes])

    def _is_repeated(self, utterance: Utterance, now: float) -> bool:
        """Tell whether an alert, or a reply in the same words, was told a short while ago."""
        if utterance.origin not in ('alert', 'reply'):
            return False
        severity, at = self._said.get(utterance.alert or _plain(utterance.text), (-1, 0.0))
        worse = bool(utterance.alert) and utterance.severity > severity
        return severity >= 0 and not worse and now - at < self._repeat_s

    def _remember(self, utterance: Utterance, now: float) -> None:
        for key in (utterance.alert, _plain(utterance.text)):
            self._said.pop(key, None)
            self._said[key] = (utterance.severity, now)
        while len(self._said) > _REMEMBERED:
            self._said.pop(next(iter(self._said)))

    def _count(self, lost: list[Dropped]) -> list[Dropped]:
        self.dropped += len(lost)
        return lost


def _plain(text: str) -> str:
    return ' '.join(text.casefold().split())
