"""
A conversation with the robot: what it was told of itself, the last few turns, the next question.

Owns the history, which is short in turns and in time: who comes after a pause is somebody else.
"""

from collections import deque
from collections.abc import Callable, Iterator

from audio_interaction_ros.dialogue.text_writer import TokenWriter, Turn, Written

__all__ = ['Chat']

PAUSE_NS = 120_000_000_000
"""After so long nobody means what was said before."""


class Chat:
    """Answers of a model to text, with history."""

    def __init__(self, writer: TokenWriter, *, prompt: str, most_turns: int,
                 most_tokens: int) -> None:
        """
        Take who writes; ``prompt`` tells it what it is.

        It remembers ``most_turns`` questions with their answers, and an answer has at most
        ``most_tokens``.
        """
        self._writer, self._prompt, self._most_tokens = writer, prompt, most_tokens
        self._turns: deque[tuple[str, str]] = deque(maxlen=most_turns)
        self._newest_ns = 0

    def warm_up(self) -> None:
        """Read what every chat begins with, so that the first answer comes sooner."""
        self._writer.read(self._writer.lay_out([Turn('system', self._prompt)])[:-1])

    def forget(self) -> None:
        """Forget every turn."""
        self._turns.clear()

    def note(self, said: str, answer: str, at_ns: int) -> None:
        """Remember a question, of this audio time, that was answered, by whomever."""
        self._forget_after_pause(at_ns)
        self._turns.append((said, answer))
        self._newest_ns = at_ns

    def _forget_after_pause(self, at_ns: int) -> None:
        if abs(at_ns - self._newest_ns) > PAUSE_NS:  # also where a recording starts anew
            self.forget()

    def answer(self, said: str, at_ns: int,
               cancelled: Callable[[], bool] = lambda: False) -> Iterator[Written]:
        """
        Yield the answer as it grows, as TextWriter.write does.

        It is remembered unless it was cancelled. ValueError for a question that does not fit.
        """
        self._forget_after_pause(at_ns)
        ids = self._lay_out(said)
        while len(ids) + self._most_tokens > self._writer.slots and self._turns:
            self._turns.popleft()
            ids = self._lay_out(said)
        for written in self._writer.write(ids, most_tokens=self._most_tokens,
                                          cancelled=cancelled):
            if written.reason and written.reason != 'cancel' and written.text.strip():
                self.note(said, written.text, at_ns)
            yield written

    def _lay_out(self, said: str) -> list[int]:
        turns = [Turn('system', self._prompt)]
        for question, answer in self._turns:
            turns += [Turn('user', question), Turn('assistant', answer)]
        return self._writer.lay_out([*turns, Turn('user', said)])
