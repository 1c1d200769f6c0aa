"""
Answers from words, in the decoder node: what wakes it, what cuts a reply short, what it counts.

Owns the topic ``wake`` and the audio time at which answers are decided. What is answered to which
words is ``intents.answers``'; what a text model shall answer goes to the text board; who publishes
the rest is the reply board. Everything happens in the callback group of the board.
"""

import time
from collections.abc import Callable, Iterable

from rclpy.callback_groups import CallbackGroup
from std_msgs.msg import Empty

from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.intents.answers import Answer, Answers
from audio_interaction_ros.nodes.decoding.text_board import TextBoard
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import StatusReport
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.stream.events import (
    AnswerWanted,
    FinalReply,
    FinalTranscript,
    ReplyFinished,
)

__all__ = ['AnswerBoard']


class AnswerBoard:
    """What stands between the lanes of one decoder node and their answers."""

    def __init__(self, *, node: ManagedNode, answers: Answers, config: AssistantConfig,
                 group: CallbackGroup, cancel: Callable[[], object],
                 texts: TextBoard | None = None) -> None:
        """
        Subscribe to what wakes the robot; ``cancel`` ends every reply that is being written.

        ``texts`` answers what no intent explains.
        """
        self._texts = texts
        self._answers, self._cancel = answers, cancel
        self._now_ns, self._since = 0, time.monotonic()
        self._woken_at: float | None = None  # steady second, where no audio had come by then
        self._is_patient = False
        if config.assistant.address == 'after_wake':
            node.managed_subscription(Empty, 'wake', self._on_wake, qos.EVENTS,
                                      callback_group=group)

    def _on_wake(self, _message: Empty) -> None:
        if self._now_ns:
            self._answers.wake(self._guess_now_ns())
        else:  # of no audio yet: that which is heard first says what time it was
            self._woken_at = time.monotonic()

    def _guess_now_ns(self) -> int:
        """Return the audio time of now, also where none has come for a while."""
        return self._now_ns + round((time.monotonic() - self._since) * 1e9)

    def tick(self, now_ns: int) -> list[FinalReply]:
        """Take the newest audio time that is decided; return replies that wait no more."""
        if now_ns > self._now_ns:
            self._now_ns, self._since = now_ns, time.monotonic()
        if self._woken_at is not None:
            self._answers.wake(now_ns - round((self._since - self._woken_at) * 1e9))
            self._woken_at = None
        return self._answers.tick(now_ns)

    def tick_without_audio(self) -> list[FinalReply]:
        """Let time pass also where no audio comes; return replies that wait no more."""
        return [] if self._is_patient else self._answers.tick(self._guess_now_ns())

    def be_patient(self) -> None:
        """Let replies wait until audio or its end says otherwise: a replay may be slow."""
        self._is_patient = True

    def give_up(self) -> list[FinalReply]:
        """Return every reply that waits, and forget all else: no audio comes any more."""
        waiting = self._answers.give_up()
        self._answers.reset()
        self._now_ns, self._woken_at = 0, None
        return waiting

    @property
    def waiting(self) -> int:
        """How many replies wait for words."""
        return self._answers.waiting

    def note_reading(self, draft: ReplyFinished) -> None:
        """Take it that a transcript is being read again."""
        self._answers.note_reading(draft)

    def forget_reading(self, draft_id: str) -> None:
        """Take it that no words come of a transcript."""
        self._answers.forget_reading(draft_id)

    def on_reply(self, reply: ReplyFinished) -> list[FinalReply]:
        """Take a finished reply; return what is to be published at once."""
        return self._hand_on(self._answers.on_reply(reply))

    def on_words(self, heard: FinalTranscript) -> list[FinalReply]:
        """Take the final text of an utterance; return the answers to it."""
        self.hear_partial(heard.text)
        return self._hand_on(self._answers.on_words(heard))

    def _hand_on(self, answers: Iterable[Answer]) -> list[FinalReply]:
        """Let the text model answer what it shall; return what is answered already."""
        ready = []
        for answer in answers:
            if isinstance(answer, AnswerWanted):
                assert self._texts is not None, 'it is asked only where there is one'
                self._texts.ask(answer)
                continue
            ready.append(answer)
            if self._texts is not None:
                self._texts.note(answer)
        return ready

    def hear_partial(self, text: str) -> bool:
        """
        End every reply at once where a text, partial or final, is a word such as "stop".

        For whoever has words before they are final; True where something was ended.
        """
        called = self._answers.is_cut_short(text)
        if called:
            self._cancel()
            if self._texts is not None:
                self._texts.cut_short()
        return called

    def report(self, report: StatusReport) -> None:
        """Say how many answers came from where."""
        report.values.update({f'answers.{name}': count
                              for name, count in vars(self._answers.stats).items()})
