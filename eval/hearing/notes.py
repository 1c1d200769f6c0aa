"""From what the assistant tells of a stream to the record of its hearing, event by event."""

from functools import singledispatchmethod

from audio_interaction_ros.alerts.alert import AlertChange
from audio_interaction_ros.stream.events import (
    FinalTranscript,
    FinalTranslation,
    ReplyFinished,
    ReplyStarted,
    ReplyText,
    ReplyWithheld,
    Silence,
)
from eval.hearing.record import HeardReply, Hearing

__all__ = ['NS', 'HearingNotes']

NS = 1e9


class HearingNotes:
    """Writes down what was heard of one stream; events it knows nothing of change nothing."""

    def __init__(self, hearing: Hearing) -> None:
        self.hearing = hearing
        self._replies: dict[tuple[str, str], HeardReply] = {}

    @singledispatchmethod
    def note(self, event: object, spent_s: float) -> None:
        """Write one event down, told after so many seconds of computing on its chunk."""

    @note.register
    def _note_alert(self, change: AlertChange, spent_s: float) -> None:
        if change.previous is None:
            self.hearing.alerts.append((change.alert.last_seen_ns / NS, change.alert.label))

    @note.register
    def _note_silence(self, event: Silence, spent_s: float) -> None:
        self._note_decision(event)

    @note.register
    def _note_start(self, event: ReplyStarted, spent_s: float) -> None:
        self._note_decision(event)
        reply = HeardReply(lane=event.lane, at=event.stamp_ns / NS, p_respond=event.p_respond)
        self._replies[event.lane, event.reply_id] = reply
        self.hearing.replies.append(reply)

    def _note_decision(self, event: Silence | ReplyStarted) -> None:
        self.hearing.p.setdefault(event.lane, []).append(round(event.p_respond, 5))

    @note.register
    def _note_text(self, event: ReplyText, spent_s: float) -> None:
        reply = self._replies[event.lane, event.reply_id]
        reply.shown.append((round(spent_s, 4), event.text))

    @note.register
    def _note_end(self, event: ReplyFinished, spent_s: float) -> None:
        reply = self._replies[event.lane, event.reply_id]
        reply.text, reply.reason = event.text, event.reason
        reply.urgent = event.emotion.name == 'URGENT'
        reply.start, reply.end = event.start_ns / NS, event.end_ns / NS

    @note.register
    def _note_withheld(self, event: ReplyWithheld, spent_s: float) -> None:
        self.hearing.replies.remove(self._replies.pop((event.lane, event.reply_id)))
        self.hearing.withheld.append((event.lane, event.stamp_ns / NS, event.text,
                                      round(event.confidence, 4)))

    @note.register
    def _note_final_words(self, event: FinalTranscript, spent_s: float) -> None:
        self._reply_of(event).final = event.text

    @note.register
    def _note_final_translation(self, event: FinalTranslation, spent_s: float) -> None:
        reply = self._reply_of(event)
        reply.final, reply.read = event.text, event.source_text
        reply.kept = event.source == 'streamed'

    def _reply_of(self, event: FinalTranscript | FinalTranslation) -> HeardReply:
        """Return the reply of a final; a new one where silence ended it, before any lane did."""
        if reply := self._replies.get((event.lane, event.reply_id)):
            return reply
        reply = HeardReply(lane=event.lane, at=event.stamp_ns / NS, p_respond=0.0,
                           start=event.start_ns / NS, end=event.end_ns / NS, reason='silence')
        self.hearing.replies.append(reply)
        return reply
