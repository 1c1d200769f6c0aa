"""
Who answers what was read: the intents, and the text model where none of them explains it.

Owns when a reply is cut short by a word such as "stop". Where nobody answers, nothing comes.
"""

from collections.abc import Callable, Iterable, Iterator

from audio_interaction_ros.alerts.alert import AlertChange
from audio_interaction_ros.dialogue.talker import Talker
from audio_interaction_ros.intents.answers import Answer, Answers
from audio_interaction_ros.stream.events import (
    AnswerWanted,
    Event,
    FinalReply,
    FinalTranscript,
    ReplyFinished,
)

__all__ = ['Answering']


class Answering:
    """The answers of one stream."""

    def __init__(self, answers: Answers | None, talker: Talker | None, *,
                 cancel: Callable[[], object],
                 alerts_of: Callable[[FinalReply], Iterable[AlertChange]]) -> None:
        """
        Take who answers, None for nobody.

        ``cancel`` ends every reply at once; ``alerts_of`` returns what an answer raises.
        """
        self.answers, self._talker = answers, talker
        self._cancel, self._alerts_of = cancel, alerts_of

    def on_words(self, heard: FinalTranscript) -> Iterator[Event | AlertChange]:
        """Yield what is answered to words; replies that they cut short end before."""
        self.cut_short(heard.text)
        if self.answers is not None:
            yield from self._say(self.answers.on_words(heard))

    def on_reply(self, reply: ReplyFinished) -> Iterator[Event | AlertChange]:
        """Yield what a reply of the model becomes by what was read."""
        if self.answers is not None:
            yield from self._say(self.answers.on_reply(reply))

    def tick(self, now_ns: int) -> Iterator[Event | AlertChange]:
        """Yield replies that have waited long enough for their words."""
        if self.answers is not None:
            yield from self._say(self.answers.tick(now_ns))

    def give_up(self) -> Iterator[Event | AlertChange]:
        """Yield all replies that still wait."""
        if self.answers is not None:
            yield from self._say(self.answers.give_up())

    def cut_short(self, text: str) -> None:
        """End every reply at once where a text is a word such as "stop"."""
        if self.answers is not None and self.answers.is_cut_short(text):
            self._cancel()

    def _say(self, answers: Iterable[Answer]) -> Iterator[Event | AlertChange]:
        """Yield answers, alerts of them first; the text model answers what no intent explains."""
        for answer in answers:
            if isinstance(answer, AnswerWanted) and self._talker is not None:
                yield from self._talker.answer(answer)
                continue
            if isinstance(answer, FinalReply):
                yield from self._alerts_of(answer)
                if self._talker is not None:
                    self._talker.note(answer)
            yield answer
