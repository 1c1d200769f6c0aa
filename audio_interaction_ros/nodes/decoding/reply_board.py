"""
What lanes say, as transcript, translation and reply topics.

Owns which reply is under way, and under which name it ends. Which lane speaks on which topic comes
from its configuration; what is read again waits on the draft board, what answers words on that of
answers.
"""

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from rclpy.callback_groups import CallbackGroup

from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.nodes.decoding.answer_board import AnswerBoard
from audio_interaction_ros.nodes.decoding.chunk_origin import ChunkOrigin
from audio_interaction_ros.nodes.decoding.draft_board import Draft, DraftBoard
from audio_interaction_ros.nodes.decoding.outlets import Outlets
from audio_interaction_ros.nodes.decoding.running_reply import RunningReply
from audio_interaction_ros.nodes.decoding.word_board import WordBoard
from audio_interaction_ros.nodes.io.stamps import stamp_ns
from audio_interaction_ros.nodes.io.text_messages import (
    final_transcript,
    taken_back,
    words_transcript,
)
from audio_interaction_ros.nodes.lifecycle.diagnostics import StatusReport
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.stream.events import (
    Event,
    FinalTranslation,
    ReplyEmotion,
    ReplyFinished,
    ReplyStarted,
    ReplyText,
    ReplyWithheld,
)
from audio_interaction_ros.stream.text_lane import RecognisedSpeech

__all__ = ['ReplyBoard']


class ReplyBoard:
    """
    Publishes the replies of all lanes.

    ``draft`` has kinds of lanes (transcript, translation) whose finished replies are read again
    (DraftBoard, which ``translate`` is for). With ``answers`` a finished reply is handed over, and
    published there. All this happens in the callback group in which ``publish_event`` is called.
    """

    def __init__(self, *, node: ManagedNode, lanes: Sequence[LaneConfig],
                 draft: Collection[str], group: CallbackGroup,
                 translate: Callable[[ReplyFinished, RecognisedSpeech], bool],
                 outlets: Outlets, answers: AnswerBoard | None = None,
                 hear: Callable[[Any], object] = lambda _: None,
                 let_write: Callable[[str, bool], object] = lambda *_: None) -> None:
        """
        Create the boards of drafts and of words; ``answers`` publishes replies, and says when.

        ``hear`` is told of every transcript when it is published. ``let_write`` (lane, whether) is
        asked to let the lane of transcripts write none while somebody reads words while they are
        spoken.
        """
        self._outlets, self._answers, self._hear = outlets, answers, hear
        self._tell_lane, self._writes = let_write, True
        self._kinds = {lane.name: lane.kind for lane in lanes}
        self._running: dict[tuple[str, str], RunningReply] = {}
        self._last_transcript = '', 0  # its id, and up to where it goes
        self._drafts = DraftBoard(node=node, kinds=draft, group=group, translate=translate,
                                  finish=self._finish_draft, miss=self._miss_reader)
        self._words_lane = next((lane.name for lane in lanes if lane.kind == 'transcript'), '')
        self._words = (WordBoard(node=node, group=group, publish=self._publish_words)
                       if 'transcript' in draft and self._words_lane else None)

    @property
    def waiting(self) -> int:
        """How many drafts are not published yet."""
        return self._drafts.waiting

    def has_reader(self, kind: str) -> bool:
        """Tell whether somebody reads finished replies of a kind again."""
        return self._drafts.has_reader(kind)

    def report(self, report: StatusReport) -> None:
        """Say what nobody read."""
        self._drafts.report(report)

    def give_up(self) -> None:
        """Publish every draft that waits and every reply under way, as they are."""
        self._drafts.give_up()
        for (lane, _), running in self._running.items():
            if running.shown is not None:
                self._publish_last(self._kinds[lane], running.shown)
        self._running.clear()
        if self._answers is not None:
            self._answers.give_up()
        if self._words is not None:
            self._words.give_up()

    def publish_event(self, event: Event, heard: ChunkOrigin) -> None:
        """
        Publish what an event of a reply means; other events are nothing to show.

        Nor is a reply to the robot's own voice.
        """
        if isinstance(event, (ReplyStarted, ReplyFinished)) and event.robot_speaking:
            return
        if isinstance(event, ReplyStarted):
            self._running[event.lane, event.reply_id] = RunningReply(
                event.start_ns, event.p_respond, time.monotonic())
        elif isinstance(event, FinalTranslation):
            self._drafts.take_translation(event)
        elif self._answers is not None and self._kinds.get(event.lane) == 'reply':
            self._hand_over(event, heard, self._answers)
        elif isinstance(event, ReplyWithheld):
            self._running.pop((event.lane, event.reply_id), None)
        elif isinstance(event, (ReplyEmotion, ReplyText, ReplyFinished)):
            running = self._running.get((event.lane, event.reply_id))
            if running is not None:  # else it was given up
                self._publish_progress(event, running, heard)

    def _hand_over(self, event: Event, heard: ChunkOrigin, answers: AnswerBoard) -> None:
        """Let a reply wait for the words that it answers; what needs none is published."""
        if isinstance(event, (ReplyWithheld, ReplyFinished)):
            running = self._running.pop((event.lane, event.reply_id), None)
            if running is not None:
                answers.expect(event.reply_id, running.decided_at, heard.frame_id)
        if isinstance(event, ReplyFinished):
            answers.on_reply(event, heard.frame_id)

    def _publish_progress(self, event: ReplyEmotion | ReplyText | ReplyFinished,
                          running: RunningReply, heard: ChunkOrigin) -> None:
        running.take(event)
        if isinstance(event, ReplyEmotion):
            return
        kind = self._kinds[event.lane]
        if kind == 'reply':
            self._show(kind, running.make_reply(event, heard), running)
        elif kind == 'translation':
            self._publish_translation(event, running, heard)
        else:
            self._publish_transcript(event, running, heard)
        if isinstance(event, ReplyFinished):
            del self._running[event.lane, event.reply_id]

    def _publish_translation(self, event: ReplyText | ReplyFinished, running: RunningReply,
                             heard: ChunkOrigin) -> None:
        message = running.make_translation(event, heard)
        name, reaches_ns = self._last_transcript
        if 2 * reaches_ns > running.start_ns + event.stamp_ns:  # else of an earlier utterance
            message.transcript_utterance_id = name
        if not self._put_draft('translation', event, message, running, heard):
            self._show('translation', message, running)

    def _publish_transcript(self, event: ReplyText | ReplyFinished, running: RunningReply,
                            heard: ChunkOrigin) -> None:
        message = running.make_transcript(event, heard)
        self._last_transcript = event.reply_id, event.stamp_ns
        if self._put_draft('transcript', event, message, running, heard):
            return
        if self._is_news(event, running):
            self._show('transcript', message, running)
        elif isinstance(event, ReplyFinished):
            self._take_back(running.shown)
        if not self.has_reader('transcript'):
            self._let_write(True)  # whoever read is gone

    def _put_draft(self, kind: str, event: ReplyText | ReplyFinished, message: Any,
                   running: RunningReply, heard: ChunkOrigin) -> bool:
        """Have a finished text read again; False where it goes on, or nobody reads."""
        if not self.has_reader(kind):
            return False
        message.stable_length, message.is_final = 0, False  # it is final when it was read again
        if not isinstance(event, ReplyFinished):
            return False
        self._drafts.put(Draft(kind, message, event, heard, shown=running.shown))
        if kind == 'transcript' and self._answers is not None:
            self._answers.note_reading(event.reply_id, event.start_ns, event.end_ns)
        return True

    def _is_news(self, event: ReplyText | ReplyFinished, running: RunningReply) -> bool:
        """Tell whether a lane's transcript is more than what is shown of those words already."""
        return (self._writes or bool(event.text)) and not (
            self._words is not None and self._words.covers(running.start_ns, event.stamp_ns))

    def _show(self, kind: str, message: Any, running: RunningReply) -> None:
        running.shown = message
        self._publish(kind, message)

    def _publish(self, kind: str, message: Any) -> None:
        self._outlets.publish(kind, message)
        if kind == 'transcript':
            self._hear(message)

    def _publish_last(self, kind: str, message: Any) -> None:
        """Publish a message of a reply that goes on no more once again, as final."""
        message.is_final, message.revision = True, message.revision + 1
        if kind == 'reply':
            message.delta, message.finish_reason = '', 'cancel'
        else:
            message.stable_length = len(message.text)
        self._publish(kind, message)

    def _publish_words(self, message: Any) -> None:
        """Publish what was read of speech that goes on, or the final of what silence ended."""
        self._let_write(False)
        self._publish('transcript', message)
        if self._answers is not None and message.is_final:
            self._answers.on_words(words_transcript(message, self._words_lane),
                                   message.header.frame_id)
        elif self._answers is not None:
            self._answers.note_reading(message.utterance_id, stamp_ns(message.start),
                                       stamp_ns(message.end))
            self._answers.hear_partial(message.text)

    def _finish_draft(self, draft: Draft, message: Any) -> None:
        """Publish what became of a draft."""
        message.is_final = True
        message.decode_latency_s = time.monotonic() - draft.heard.arrived_at
        was_final = draft.kind == 'transcript' and self._words is not None and (
            self._words.take_over(message))
        message.stable_length = len(message.text)
        is_renamed = message.utterance_id != draft.reply.reply_id
        if is_renamed:
            self._take_back(draft.shown)
        if is_renamed or draft.shown is not None or message.text and not was_final:
            self._publish(draft.kind, message)
        if draft.kind == 'transcript' and self._answers is not None:
            self._answer_draft(draft, message, self._answers)

    def _take_back(self, shown: Any) -> None:
        """End what was shown of a transcript whose words are final under another name."""
        if shown is not None:
            self._publish('transcript', taken_back(shown))

    def _answer_draft(self, draft: Draft, message: Any, answers: AnswerBoard) -> None:
        answers.forget_reading(message.utterance_id)  # the name under which it was shown meanwhile
        if message.text or self._writes:
            answers.on_words(final_transcript(message, draft.reply), draft.heard.frame_id)
        else:  # the lane only decides, so that it is empty does not say that nobody spoke
            answers.forget_reading(draft.reply.reply_id)

    def _let_write(self, writes: bool) -> None:
        """Let the lane of transcripts write its texts, or leave them to who reads."""
        if writes != self._writes:
            self._writes = writes
            self._tell_lane(self._words_lane, writes)

    def _miss_reader(self, kind: str) -> None:
        if kind == 'transcript':
            self._let_write(True)
