"""
What lanes say, as transcript, translation and reply topics.

Owns the publishers, the revision count of each running reply and the drafts that wait for their
second pass. Which lane speaks on which topic comes from its configuration.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rclpy.callback_groups import CallbackGroup
from std_msgs.msg import String

from audio_interaction_msgs.msg import Reply, Transcript, Translation
from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.nodes.decoding.answer_board import AnswerBoard
from audio_interaction_ros.nodes.decoding.outlets import Outlets
from audio_interaction_ros.nodes.decoding.word_board import WordBoard
from audio_interaction_ros.nodes.io.messages import (
    final_transcript,
    recognised_of,
    time_message,
    words_transcript,
)
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import WARN, StatusReport
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.stream.events import (
    Event,
    FinalReply,
    FinalTranslation,
    ReplyEmotion,
    ReplyFinished,
    ReplyStarted,
    ReplyText,
    ReplyWithheld,
)
from audio_interaction_ros.stream.text_lane import RecognisedSpeech

__all__ = ['ChunkOrigin', 'ReplyBoard']

_NAN = float('nan')
_PATIENCE_S = 30.0
"""A draft that is not answered for so long becomes final as it is: nobody listens any more."""
_REMEMBERED = 64


@dataclass(frozen=True, kw_only=True)
class ChunkOrigin:
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
    shown: Any = None
    """The newest message of it; None: there is none."""


@dataclass
class _Draft:
    kind: str
    message: Any
    reply: ReplyFinished
    heard: ChunkOrigin
    until: float
    """Steady second up to which somebody may still read it; infinite when that was done."""
    seen: bool
    """Revisions of it were published, which must come to an end."""


class ReplyBoard:
    """
    Publishes the replies of all lanes.

    ``draft`` has kinds of lanes (transcript, translation) whose finished replies go to
    ``KIND/draft`` for a second pass, as long as somebody listens there, and come back on
    ``KIND/read``. A transcript is final then; a translation goes to ``translate`` (reply, what
    was said), which a FinalTranslation must answer; where it returns False nobody will, and the
    streamed text is final. So it is where nobody listens any more, or no answer came for half a
    minute. With ``answers`` a finished reply is handed over, and what is to be published comes
    back as a FinalReply. All this happens in the callback group in which ``publish_event`` is
    called.
    """

    def __init__(self, *, node: ManagedNode, lanes: Sequence[LaneConfig],
                 draft: Collection[str], group: CallbackGroup,
                 translate: Callable[[ReplyFinished, RecognisedSpeech], bool],
                 outlets: Outlets, answers: AnswerBoard | None = None,
                 hear: Callable[[Any], object] = lambda _: None,
                 let_write: Callable[[str, bool], object] = lambda *_: None) -> None:
        """
        Create the publishers; ``answers`` decides which replies are published, and when.

        ``hear`` is told of every transcript that was read, when it is published; ``outlets``
        stand before the publishers. ``let_write`` (lane, whether) is asked to let the lane of
        transcripts write none while somebody reads words while they are spoken.
        """
        self._answers, self._hear, self._tell_lane = answers, hear, let_write
        self._writes = True
        self._waiting: OrderedDict[str, tuple[float, str]] = OrderedDict()
        # Of replies that wait for words: when each was decided, and the microphone.
        self._kinds = {lane.name: lane.kind for lane in lanes}
        self._running: dict[tuple[str, str], _Running] = {}
        self._last_transcript = '', 0  # its id, and up to where it goes
        self._publishers: dict[str, Any] = {}
        self._texts: dict[str, Any] = {}
        types = {'transcript': Transcript, 'translation': Translation, 'reply': Reply}
        for kind, message_type in types.items():
            self._publishers[kind], self._texts[kind] = outlets.wrap(
                kind, node.managed_publisher(message_type, kind, qos.EVENTS),
                node.managed_publisher(String, f'{kind}/text', qos.FINAL_TEXT))
        self._drafts = {kind: node.managed_publisher(types[kind], f'{kind}/draft', qos.EVENTS)
                        for kind in draft}
        self._awaited: dict[str, _Draft] = {}
        self._unread, self._unread_why, self._unread_at = 0, '', -math.inf
        self._translate = translate
        self._words_lane = next((lane.name for lane in lanes if lane.kind == 'transcript'), '')
        self._words = (WordBoard(node=node, group=group, publish=self._publish_words)
                       if 'transcript' in draft and self._words_lane else None)
        for kind in draft:
            node.managed_subscription(types[kind], f'{kind}/read', self._on_read, qos.EVENTS,
                                      callback_group=group)
        if draft:
            node.managed_timer(_PATIENCE_S / 30, self._finish_unread, callback_group=group)

    @property
    def waiting_drafts(self) -> int:
        """How many drafts wait for their second pass."""
        return len(self._awaited)

    @property
    def waiting(self) -> int:
        """How much is not published yet: drafts, and replies that wait for words."""
        return len(self._awaited) + (self._answers.waiting if self._answers is not None else 0)

    def report(self, report: StatusReport) -> None:
        """Say how many drafts nobody read, and for a while why."""
        report.values['unread'] = self._unread
        if time.monotonic() - self._unread_at < 10.0:
            report.add(WARN, f'final as it was streamed, for nobody read it again: '
                             f'{self._unread_why}')
        if self._answers is not None:
            self._answers.report(report)

    def _on_read(self, message: Any) -> None:
        draft = self._awaited.get(message.utterance_id)
        if draft is None:  # it is final already
            return
        if draft.kind == 'transcript':
            if message.source == 'streamed':
                self._let_write(True)  # who reads could not
            self._finish_draft(draft, message)
        else:
            self._settle_draft(draft, recognised_of(message))

    def _finish_unread(self) -> None:
        """Let drafts become final that nobody will read."""
        now = time.monotonic()
        for draft in [awaited for awaited in self._awaited.values() if awaited.until < math.inf]:
            gone = not self._has_second_pass(draft.kind)
            if gone or draft.until < now:
                self._unread += 1
                self._unread_at = now
                self._unread_why = (f'no encoder listens on {draft.kind}/draft' if gone else
                                    f'no answer on {draft.kind}/read in {_PATIENCE_S:g} s')
                self._settle_draft(draft, RecognisedSpeech())

    def _settle_draft(self, draft: _Draft, said: RecognisedSpeech) -> None:
        draft.until = math.inf
        if draft.kind == 'transcript':
            self._let_write(True)
        if draft.kind == 'transcript' or not self._translate(draft.reply, said):
            self._finish_draft(draft, draft.message)

    def give_up(self) -> None:
        """Publish every draft that waits and every reply under way, as they are."""
        for draft in list(self._awaited.values()):
            self._finish_draft(draft, draft.message)
        for (lane, _), running in self._running.items():
            if running.shown is not None:
                self._publish_last(self._kinds[lane], running.shown)
        self._running.clear()
        if self._answers is not None:
            self.publish_answers(self._answers.give_up())
        if self._words is not None:
            self._words.give_up()

    def _let_write(self, writes: bool) -> None:
        """Let the lane of transcripts write its texts, or leave them to who reads."""
        if writes != self._writes:
            self._writes = writes
            self._tell_lane(self._words_lane, writes)

    def _publish_words(self, message: Any) -> None:
        """Publish what was read of speech that goes on, or the final of what silence ended."""
        self._let_write(False)
        self._publish('transcript', message)
        if self._answers is not None and message.is_final:
            self.publish_answers(
                self._answers.on_words(words_transcript(message, self._words_lane)),
                message.header.frame_id)
        elif self._answers is not None:
            self._answers.hear_partial(message.text)

    def publish(self, kind: str, message: Any) -> None:
        """Publish a message that somebody else made of words."""
        self._publish(kind, message)

    def _publish(self, kind: str, message: Any) -> None:
        """Publish a message, and a final that says something as plain text too."""
        self._publishers[kind].publish(message)
        if message.is_final and message.text:
            self._texts[kind].publish(String(data=message.text))
        if kind == 'transcript':
            self._hear(message)

    def _publish_last(self, kind: str, message: Any) -> None:
        """Publish a message of a reply that goes on no more once again, as final."""
        message.is_final, message.revision = True, message.revision + 1
        if kind == 'reply':
            message.delta, message.finish_reason = '', 'cancel'
        else:
            message.stable_length = len(message.text)
        self._publishers[kind].publish(message)
        self._texts[kind].publish(String(data=message.text))

    def publish_event(self, event: Event, heard: ChunkOrigin) -> None:
        """
        Publish what an event of a reply means; other events are nothing to show.

        Nor is a reply to the robot's own voice.
        """
        if isinstance(event, (ReplyStarted, ReplyFinished)) and event.robot_speaking:
            return
        if isinstance(event, ReplyStarted):
            self._running[event.lane, event.reply_id] = _Running(
                event.start_ns, event.p_respond, time.monotonic())
        elif isinstance(event, FinalTranslation):
            self._publish_final(event)
        elif isinstance(event, FinalReply):
            self._publish_answer(event, heard.frame_id)
        elif self._answers is not None and self._kinds.get(event.lane) == 'reply':
            self._hand_over(event, heard)
        elif isinstance(event, ReplyWithheld):
            self._running.pop((event.lane, event.reply_id), None)
        elif isinstance(event, (ReplyEmotion, ReplyText, ReplyFinished)):
            running = self._running.get((event.lane, event.reply_id))
            if running is not None:  # else it was given up
                self._publish_progress(event, running, heard)

    def _hand_over(self, event: Event, heard: ChunkOrigin) -> None:
        """Let a reply wait for the words that it answers; publish what needs none."""
        assert self._answers is not None, 'only replies that wait are handed over'
        if isinstance(event, (ReplyWithheld, ReplyFinished)):
            running = self._running.pop((event.lane, event.reply_id), None)
            if running is not None:
                self._waiting[event.reply_id] = running.decided_at, heard.frame_id
            while len(self._waiting) > _REMEMBERED:  # some are never answered
                self._waiting.popitem(last=False)
        if isinstance(event, ReplyFinished):
            self.publish_answers(self._answers.on_reply(event), heard.frame_id)

    def publish_answers(self, answers: Iterable[FinalReply], frame_id: str = '') -> None:
        """Publish answers; ``frame_id`` is the microphone where no lane has spoken."""
        for answer in answers:
            self._publish_answer(answer, frame_id)

    def _publish_answer(self, event: FinalReply, frame_id: str) -> None:
        """Publish an answer as a whole, with what it answers and what is wanted."""
        decided_at, frame_id = self._waiting.pop(event.reply_id, (_NAN, frame_id))
        message = Reply(
            reply_id=event.reply_id, text=event.text, delta=event.text, is_final=True,
            emotion=int(event.emotion), finish_reason='end',
            first_text_latency_s=time.monotonic() - decided_at if event.text else _NAN,
            source_text=event.source_text, transcript_utterance_id=event.transcript_id,
            intent=event.intent, intent_confidence=event.intent_confidence,
            slot_names=list(event.slots), slot_values=list(event.slots.values()))
        message.header.stamp = time_message(event.stamp_ns)
        message.header.frame_id = frame_id
        self._publish('reply', message)

    def _publish_progress(self, event: ReplyEmotion | ReplyText | ReplyFinished, running: _Running,
                          heard: ChunkOrigin) -> None:
        if isinstance(event, ReplyEmotion):
            running.emotion = event.emotion
            return
        if isinstance(event, ReplyText) and running.first_text_s != running.first_text_s:
            running.first_text_s = time.monotonic() - running.decided_at
        kind = self._kinds[event.lane]
        if kind == 'reply':
            running.shown = self._make_reply(event, running, heard)
            self._publishers[kind].publish(running.shown)
        else:
            self._publish_transcript(kind, event, running, heard)
        running.revision += 1
        if isinstance(event, ReplyFinished):
            if event.text and not self._has_second_pass(kind):
                self._texts[kind].publish(String(data=event.text))
            del self._running[event.lane, event.reply_id]

    def _has_second_pass(self, kind: str) -> bool:
        return kind in self._drafts and self._drafts[kind].get_subscription_count() > 0

    def _make_reply(self, event: ReplyText | ReplyFinished, running: _Running,
                    heard: ChunkOrigin) -> Reply:
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

    def _publish_transcript(self, kind: str, event: ReplyText | ReplyFinished, running: _Running,
                            heard: ChunkOrigin) -> None:
        final = isinstance(event, ReplyFinished)
        message = (Transcript(bearing=_NAN, ended_by='model' if final else '')
                   if kind == 'transcript' else Translation())
        message.header.stamp = message.start = time_message(running.start_ns)
        message.header.frame_id = heard.frame_id
        message.utterance_id, message.revision = event.reply_id, running.revision
        message.text, message.is_final = event.text, final
        message.stable_length = 0 if self._has_second_pass(kind) else len(event.text)
        message.confidence = running.p_respond
        message.source = 'streamed'
        message.word_confidence = (
            event.confidence if isinstance(event, ReplyFinished) and event.text else _NAN)
        message.end = time_message(
            event.end_ns if isinstance(event, ReplyFinished) else event.stamp_ns)
        message.encode_latency_s = heard.encode_latency_s
        message.decode_latency_s = time.monotonic() - heard.arrived_at
        if kind == 'translation':
            name, reaches_ns = self._last_transcript
            if 2 * reaches_ns > running.start_ns + event.stamp_ns:  # else of an earlier utterance
                message.transcript_utterance_id = name
        else:
            self._last_transcript = event.reply_id, event.stamp_ns
        if isinstance(event, ReplyFinished) and self._has_second_pass(kind):
            message.is_final = False  # it becomes final when it was read again
            self._awaited[event.reply_id] = _Draft(
                kind, message, event, heard, time.monotonic() + _PATIENCE_S,
                seen=running.shown is not None)
            self._drafts[kind].publish(message)
            if kind == 'transcript' and self._answers is not None:
                self._answers.note_reading(event)
        elif kind != 'transcript' or self._is_news(event, running):
            running.shown = message
            self._publishers[kind].publish(message)
        if kind == 'transcript' and not self._has_second_pass(kind):
            self._let_write(True)  # whoever read is gone

    def _is_news(self, event: ReplyText | ReplyFinished, running: _Running) -> bool:
        """Tell whether a lane's transcript is more than what is shown of those words already."""
        return (self._writes or bool(event.text)) and not (
            self._words is not None and self._words.covers(running.start_ns, event.stamp_ns))

    def _publish_final(self, event: FinalTranslation) -> None:
        draft = self._awaited.get(event.reply_id)
        if draft is None:  # it became final before
            return
        message = draft.message
        message.text, message.language = event.text, event.language
        message.source_text, message.source_language = event.source_text, event.source_language
        message.source, message.word_confidence = event.source, event.confidence
        message.header.stamp = message.start = time_message(event.start_ns)
        message.end = time_message(event.end_ns)
        self._finish_draft(draft, message)

    def _finish_draft(self, draft: _Draft, message: Any) -> None:
        """Publish what became of a draft, once."""
        del self._awaited[draft.reply.reply_id]
        message.is_final, message.revision = True, draft.message.revision + 1
        message.stable_length = len(message.text)
        message.decode_latency_s = time.monotonic() - draft.heard.arrived_at
        was_final = draft.kind == 'transcript' and self._words is not None and (
            self._words.take_over(message))
        ends_something = draft.seen or message.utterance_id != draft.reply.reply_id
        if ends_something or message.text and not was_final:
            self._publish(draft.kind, message)
        if draft.kind == 'transcript' and self._answers is not None:
            self.publish_answers(
                self._answers.on_words(final_transcript(message, draft.reply)),
                draft.heard.frame_id)
