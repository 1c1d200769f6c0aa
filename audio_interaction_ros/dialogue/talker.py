"""
Answers of a text model as events: growing while they are written, final when they are over.

Owns what is said where the model has nothing to say or fails. Knows no threads but this: whoever
hears a word such as "stop" may end an answer from another one.
"""

import logging
from collections.abc import Iterator
from typing import Any

from audio_interaction_ros.dialogue.chat import Chat
from audio_interaction_ros.intents.answers import apology
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.stream.events import AnswerText, AnswerWanted, FinalReply

__all__ = ['Talker', 'make_final']

_LOG = logging.getLogger(__name__)


class Talker:
    """Answers one question after the other, in one thread."""

    def __init__(self, chat: Chat) -> None:
        """Take the conversation."""
        self._chat = chat
        self.calls = 0
        """How often an answer was to end at once."""

    def cut_short(self) -> None:
        """End the answer that is being written, at once; from any thread."""
        self.calls += 1

    def note(self, reply: FinalReply) -> None:
        """Remember an answer that came from elsewhere, as part of the conversation."""
        if reply.source_text and reply.text:
            self._chat.note(reply.source_text, reply.text, reply.end_ns)

    def answer(self, wanted: AnswerWanted,
               calls: int | None = None) -> Iterator[AnswerText | FinalReply]:
        """
        Yield an answer as it grows, then the final one, which says why it is over.

        ``calls`` were made when it was asked (default: those up to now); one more ends it. An
        apology is final where the model fails, which is logged, or says nothing.
        """
        before = self.calls if calls is None else calls
        shown, revision, reason = '', 0, ''
        try:
            for written in self._chat.answer(wanted.text, wanted.end_ns,
                                             lambda: self.calls != before):
                reason = written.reason
                if written.text != shown:
                    yield AnswerText(
                        **_place(wanted), revision=revision, text=written.text,
                        delta=written.text[len(shown):], source_text=wanted.text,
                        transcript_id=wanted.transcript_id)
                    shown, revision = written.text, revision + 1
        except Exception:  # whatever it is, somebody waits for an answer
            _LOG.exception('the text model cannot answer')
            reason = reason or 'end'
        if reason == 'cancel':
            yield make_final(wanted, shown, revision, reason)
        else:
            yield make_final(wanted, shown.strip() or apology(wanted.text), revision, reason)


def make_final(wanted: AnswerWanted, text: str, revision: int = 0,
               reason: str = 'end') -> FinalReply:
    """Return the last word on a question."""
    return FinalReply(
        **_place(wanted), text=text, revision=revision, reason=reason, emotion=Emotion.NORMAL,
        source='text_model', streamed_text=wanted.streamed_text, source_text=wanted.text,
        transcript_id=wanted.transcript_id, start_ns=wanted.start_ns, end_ns=wanted.end_ns)


def _place(wanted: AnswerWanted) -> dict[str, Any]:
    return {'lane': wanted.lane, 'stamp_ns': wanted.stamp_ns, 'epoch': wanted.epoch,
            'seq': wanted.seq, 'reply_id': wanted.reply_id}
