"""
What lanes say, as transcript, translation and reply topics.

Owns the publishers and the revision count of each running reply. Which lane speaks on which
topic comes from its configuration.
"""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from audio_interaction_msgs.msg import Reply, Transcript, Translation
from std_msgs.msg import String

from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.nodes import qos
from audio_interaction_ros.nodes.managed import ManagedNode
from audio_interaction_ros.nodes.messages import time_message
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.stream.events import (
    Event,
    ReplyEmotion,
    ReplyFinished,
    ReplyStarted,
    ReplyText,
    ReplyWithheld,
)

__all__ = ['Heard', 'ReplyBoard']

_NAN = float('nan')


@dataclass(frozen=True, kw_only=True)
class Heard:
    """What is known of the chunk that an event belongs to."""

    frame_id: str = ''
    arrived_at: float = _NAN
    """Steady second at which the decoder got it."""
    encode_latency_s: float = _NAN
    """From the end of its audio to its arrival, by the ROS clock; NaN for replayed audio."""

    def latency_s(self) -> float:
        """Return seconds since the end of its audio; of replayed audio, since its arrival."""
        waited = time.monotonic() - self.arrived_at
        return waited if math.isnan(self.encode_latency_s) else self.encode_latency_s + waited


@dataclass
class _Running:
    start_ns: int
    p_respond: float
    decided_at: float
    emotion: Emotion = Emotion.NORMAL
    revision: int = 0
    first_text_s: float = _NAN


class ReplyBoard:
    """
    Publishes the replies of all lanes.

    ``draft``: finished transcripts go to ``transcript/draft`` for a second pass, as long as
    somebody listens there.
    """

    def __init__(self, *, node: ManagedNode, lanes: Sequence[LaneConfig], draft: bool) -> None:
        """Create the publishers."""
        self._kinds = {lane.name: lane.kind for lane in lanes}
        self._running: dict[tuple[str, str], _Running] = {}
        self._last_transcript_id = ''
        self._publishers: dict[str, Any] = {}
        self._texts: dict[str, Any] = {}
        types = {'transcript': Transcript, 'translation': Translation, 'reply': Reply}
        for kind, message_type in types.items():
            self._publishers[kind] = node.managed_publisher(message_type, kind, qos.EVENTS)
            self._texts[kind] = node.managed_publisher(String, f'{kind}/text', qos.FINAL_TEXT)
        self._draft = node.managed_publisher(
            Transcript, 'transcript/draft', qos.EVENTS) if draft else None

    def show(self, event: Event, heard: Heard) -> None:
        """Publish what an event of a reply means; other events are nothing to show."""
        if isinstance(event, ReplyStarted):
            self._running[event.lane, event.reply_id] = _Running(
                event.start_ns, event.p_respond, time.monotonic())
        elif isinstance(event, ReplyWithheld):
            self._running.pop((event.lane, event.reply_id), None)
        elif isinstance(event, (ReplyEmotion, ReplyText, ReplyFinished)):
            running = self._running.setdefault(
                (event.lane, event.reply_id), _Running(event.stamp_ns, _NAN, _NAN))
            self._advance(event, running, heard)

    def _advance(self, event: ReplyEmotion | ReplyText | ReplyFinished, running: _Running,
                 heard: Heard) -> None:
        if isinstance(event, ReplyEmotion):
            running.emotion = event.emotion
            return
        if isinstance(event, ReplyText) and running.first_text_s != running.first_text_s:
            running.first_text_s = time.monotonic() - running.decided_at
        kind = self._kinds[event.lane]
        if kind == 'reply':
            self._publishers[kind].publish(self._reply(event, running, heard))
        else:
            self._transcribe(kind, event, running, heard)
        running.revision += 1
        if isinstance(event, ReplyFinished):
            if event.text and not (kind == 'transcript' and self._drafting):
                self._texts[kind].publish(String(data=event.text))
            del self._running[event.lane, event.reply_id]

    @property
    def _drafting(self) -> bool:
        return self._draft is not None and self._draft.get_subscription_count() > 0

    def _reply(self, event: ReplyText | ReplyFinished, running: _Running,
               heard: Heard) -> Reply:
        final = isinstance(event, ReplyFinished)
        message = Reply(
            reply_id=event.reply_id, revision=running.revision, text=event.text,
            delta=event.delta if isinstance(event, ReplyText) else '', is_final=final,
            emotion=int(event.emotion if isinstance(event, ReplyFinished) else running.emotion),
            finish_reason=event.reason if isinstance(event, ReplyFinished) else '',
            first_text_latency_s=running.first_text_s)
        message.header.stamp = time_message(event.stamp_ns)
        message.header.frame_id = heard.frame_id
        return message

    def _transcribe(self, kind: str, event: ReplyText | ReplyFinished, running: _Running,
                    heard: Heard) -> None:
        final = isinstance(event, ReplyFinished)
        message = Transcript() if kind == 'transcript' else Translation()
        message.header.stamp = message.start = time_message(running.start_ns)
        message.header.frame_id = heard.frame_id
        message.utterance_id, message.revision = event.reply_id, running.revision
        message.text, message.is_final = event.text, final
        message.stable_length = 0 if kind == 'transcript' and self._drafting else len(event.text)
        message.confidence = running.p_respond
        message.end = time_message(
            event.end_ns if isinstance(event, ReplyFinished) else event.stamp_ns)
        message.encode_latency_s = heard.encode_latency_s
        message.decode_latency_s = time.monotonic() - heard.arrived_at
        if kind == 'translation':
            message.transcript_utterance_id = self._last_transcript_id
        else:
            self._last_transcript_id = event.reply_id
        if final and kind == 'transcript' and self._draft is not None and self._drafting:
            message.is_final = False  # it becomes final when it was read again
            self._draft.publish(message)
        else:
            self._publishers[kind].publish(message)
