"""
A reply while its lane writes it, and the messages that it becomes.

Owns their revisions. Where they are published, and whether they are, is the reply board's matter.
"""

import time
from dataclasses import dataclass
from typing import Any

from audio_interaction_msgs.msg import Reply, Transcript, Translation
from audio_interaction_ros.nodes.decoding.chunk_origin import ChunkOrigin
from audio_interaction_ros.nodes.io.stamps import header_message, time_message
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.stream.events import ReplyEmotion, ReplyFinished, ReplyText

__all__ = ['RunningReply']

_NAN = float('nan')


@dataclass
class RunningReply:
    """What is known of a reply that was begun."""

    start_ns: int
    p_respond: float
    decided_at: float
    """Steady second."""
    emotion: Emotion = Emotion.NORMAL
    revision: int = 0
    first_text_s: float = _NAN
    """From the decision to the first text."""
    shown: Any = None
    """The newest message of it that was published; None: there is none."""

    def take(self, event: ReplyEmotion | ReplyText | ReplyFinished) -> None:
        """Learn what an event says of the reply."""
        if isinstance(event, (ReplyEmotion, ReplyFinished)):
            self.emotion = event.emotion
        elif self.first_text_s != self.first_text_s:
            self.first_text_s = time.monotonic() - self.decided_at

    def make_reply(self, event: ReplyText | ReplyFinished, heard: ChunkOrigin) -> Reply:
        """Return the next revision, of a lane that answers."""
        final = isinstance(event, ReplyFinished)
        return Reply(
            header=header_message(event.stamp_ns, heard.frame_id), reply_id=event.reply_id,
            revision=self._count(), text=event.text,
            delta=event.delta if isinstance(event, ReplyText) else '', is_final=final,
            emotion=int(self.emotion),
            finish_reason=event.reason if isinstance(event, ReplyFinished) else '',
            first_text_latency_s=self.first_text_s)

    def make_transcript(self, event: ReplyText | ReplyFinished, heard: ChunkOrigin) -> Transcript:
        """Return the next revision, of a lane that writes down what is said."""
        message = Transcript(
            bearing=_NAN, ended_by='model' if isinstance(event, ReplyFinished) else '')
        self._put_text(message, event, heard)
        return message

    def make_translation(self, event: ReplyText | ReplyFinished,
                         heard: ChunkOrigin) -> Translation:
        """Return the next revision, of a lane that translates."""
        message = Translation()
        self._put_text(message, event, heard)
        return message

    def _put_text(self, message: Any, event: ReplyText | ReplyFinished,
                  heard: ChunkOrigin) -> None:
        finished = event if isinstance(event, ReplyFinished) else None
        message.header = header_message(self.start_ns, heard.frame_id)
        message.start = time_message(self.start_ns)
        message.end = time_message(event.stamp_ns if finished is None else finished.end_ns)
        message.utterance_id, message.revision = event.reply_id, self._count()
        message.text, message.is_final = event.text, finished is not None
        message.stable_length, message.source = len(event.text), 'streamed'
        message.confidence = self.p_respond
        message.word_confidence = finished.confidence if finished and event.text else _NAN
        message.encode_latency_s = heard.encode_latency_s
        message.decode_latency_s = time.monotonic() - heard.arrived_at

    def _count(self) -> int:
        """Return the number of the next revision."""
        self.revision += 1
        return self.revision - 1
