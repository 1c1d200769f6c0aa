"""
What lanes say, as transcript, translation and reply topics.

Owns the publishers and the revision count of each running reply. Which lane speaks on which topic
comes from its configuration; what is read again waits on the draft board.
"""

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
from audio_interaction_ros.nodes.decoding.chunk_origin import ChunkOrigin
from audio_interaction_ros.nodes.decoding.draft_board import Draft, DraftBoard
from audio_interaction_ros.nodes.decoding.outlets import Outlets
from audio_interaction_ros.nodes.decoding.word_board import WordBoard
from audio_interaction_ros.nodes.io.messages import (
    final_transcript,
    time_message,
    words_transcript,
)
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import StatusReport
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

__all__ = ['ReplyBoard']

_NAN = float('nan')
_REMEMBERED = 64


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


class ReplyBoard:
    """
    Publishes the replies of all lanes.

    ``draft`` has kinds of lanes (transcript, translation) whose finished replies are read again
    (DraftBoard, which ``translate`` is for). With ``answers`` a finished reply is handed over,
    and what is to be published comes back as a FinalReply. All this happens in the callback group
    in which ``publish_event`` is called.
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
        self._drafts = DraftBoard(node=node, kinds=draft, group=group, translate=translate,
                                  finish=self._finish_draft, miss=self._miss_reader)
        self._words_lane = next((lane.name for lane in lanes if lane.kind == 'transcript'), '')
        self._words = (WordBoard(node=node, group=group, publish=self._publish_words)
                       if 'transcript' in draft and self._words_lane else None)

    @property
    def waiting(self) -> int:
        """How much is not published yet: drafts, and replies that wait for words."""
        return self._drafts.waiting + (self._answers.waiting if self._answers is not None else 0)

    def has_reader(self, kind: str) -> bool:
        """Tell whether somebody reads finished replies of a kind again."""
        return self._drafts.has_reader(kind)

    def report(self, report: StatusReport) -> None:
        """Say what waits, what nobody read and what was answered."""
        self._drafts.report(report)
        if self._answers is not None:
            self._answers.report(report)

    def give_up(self) -> None:
        """Publish every draft that waits and every reply under way, as they are."""
        self._drafts.give_up()
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

    def _miss_reader(self, kind: str) -> None:
        if kind == 'transcript':
            self._let_write(True)

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
            self._drafts.take_translation(event)
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
            if event.text and not self.has_reader(kind):
                self._texts[kind].publish(String(data=event.text))
            del self._running[event.lane, event.reply_id]

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
        message.stable_length = 0 if self.has_reader(kind) else len(event.text)
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
        if isinstance(event, ReplyFinished) and self.has_reader(kind):
            message.is_final = False  # it becomes final when it was read again
            self._drafts.put(Draft(kind, message, event, heard, seen=running.shown is not None))
            if kind == 'transcript' and self._answers is not None:
                self._answers.note_reading(event)
        elif kind != 'transcript' or self._is_news(event, running):
            running.shown = message
            self._publishers[kind].publish(message)
        if kind == 'transcript' and not self.has_reader(kind):
            self._let_write(True)  # whoever read is gone

    def _is_news(self, event: ReplyText | ReplyFinished, running: _Running) -> bool:
        """Tell whether a lane's transcript is more than what is shown of those words already."""
        return (self._writes or bool(event.text)) and not (
            self._words is not None and self._words.covers(running.start_ns, event.stamp_ns))

    def _finish_draft(self, draft: Draft, message: Any) -> None:
        """Publish what became of a draft."""
        message.is_final, message.revision = True, draft.message.revision + 1
        message.stable_length = len(message.text)
        message.decode_latency_s = time.monotonic() - draft.heard.arrived_at
        was_final = draft.kind == 'transcript' and self._words is not None and (
            self._words.take_over(message))
        ends_something = draft.seen or message.utterance_id != draft.reply.reply_id
        if ends_something or message.text and not was_final:
            self._publish(draft.kind, message)
        if draft.kind != 'transcript' or self._answers is None:
            return
        if message.text or self._writes:
            self.publish_answers(
                self._answers.on_words(final_transcript(message, draft.reply)),
                draft.heard.frame_id)
        else:  # the lane only decides, so that it is empty does not say that nobody spoke
            self._answers.forget_reading(draft.reply.reply_id)
