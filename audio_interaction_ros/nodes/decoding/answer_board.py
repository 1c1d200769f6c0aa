"""
Answers from words, in the decoder node: what wakes it, what cuts a reply short, what it counts.

Owns the topic ``wake``, the audio time at which answers are decided, and how long each took. What
is answered to which words is ``intents.answers``'; what a text model shall answer goes to the text
board. Everything happens in one callback group.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

from rclpy.callback_groups import CallbackGroup
from std_msgs.msg import Empty

from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.intents.answers import Answer, Answers
from audio_interaction_ros.nodes.decoding.text_board import TextBoard
from audio_interaction_ros.nodes.io.text_messages import answer_message
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

_PERIOD_S = 1.0
_REMEMBERED = 64


class AnswerBoard:
    """What stands between the lanes of one decoder node and their answers."""

    def __init__(self, *, node: ManagedNode, answers: Answers, config: AssistantConfig,
                 group: CallbackGroup, publish: Callable[[str, Any], object],
                 cancel: Callable[[], object],
                 alert: Callable[[FinalReply, str], object] = lambda *_: None,
                 texts: TextBoard | None = None) -> None:
        """
        Subscribe to what wakes the robot; ``cancel`` ends every reply that is being written.

        ``publish`` takes reply, and the message. ``alert`` is told of every answer to words before
        it is published, with the microphone. ``texts`` answers what no intent explains.
        """
        self._publish, self._alert, self._texts = publish, alert, texts
        self._answers, self._cancel = answers, cancel
        self._expected: OrderedDict[str, tuple[float, str]] = OrderedDict()
        # Of replies that wait for words: when each was decided, and the microphone.
        self._now_ns, self._since = 0, time.monotonic()
        self._woken_at: float | None = None  # steady second, where no audio had come by then
        self._is_patient = False
        node.managed_timer(_PERIOD_S, self._tick_without_audio, callback_group=group)
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

    def tick(self, now_ns: int) -> None:
        """Take the newest audio time that is decided; publish replies that wait no more."""
        if now_ns > self._now_ns:
            self._now_ns, self._since = now_ns, time.monotonic()
        if self._woken_at is not None:
            self._answers.wake(now_ns - round((self._since - self._woken_at) * 1e9))
            self._woken_at = None
        self._publish_all(self._answers.tick(now_ns))

    def _tick_without_audio(self) -> None:
        """Let time pass also where no audio comes."""
        if not self._is_patient:
            self._publish_all(self._answers.tick(self._guess_now_ns()))

    def be_patient(self) -> None:
        """Let replies wait until audio or its end says otherwise: a replay may be slow."""
        self._is_patient = True

    def give_up(self) -> None:
        """Publish every reply that waits, and forget all else: no audio comes any more."""
        waiting = self._answers.give_up()
        self._answers.reset()
        self._now_ns, self._woken_at = 0, None
        self._publish_all(waiting)

    @property
    def waiting(self) -> int:
        """How many replies wait for words."""
        return self._answers.waiting

    def note_reading(self, name: str, start_ns: int, end_ns: int) -> None:
        """Take it that speech is being read: what a lane replied to it waits for its words."""
        self._answers.note_reading(name, start_ns, end_ns)

    def forget_reading(self, name: str) -> None:
        """Take it that no words come of a reading."""
        self._answers.forget_reading(name)

    def expect(self, reply_id: str, decided_at: float, frame_id: str) -> None:
        """Take it that a reply was decided on, at a steady second, of what a microphone heard."""
        self._expected[reply_id] = decided_at, frame_id
        while len(self._expected) > _REMEMBERED:  # some are never answered
            self._expected.popitem(last=False)

    def on_reply(self, reply: ReplyFinished, frame_id: str) -> None:
        """Take a finished reply; publish what need not wait for words."""
        self._hand_on(self._answers.on_reply(reply), frame_id)

    def on_words(self, heard: FinalTranscript, frame_id: str) -> None:
        """Take the final text of an utterance; publish the answers to it."""
        self.hear_partial(heard.text)
        self._hand_on(self._answers.on_words(heard), frame_id)

    def _hand_on(self, answers: Iterable[Answer], frame_id: str) -> None:
        """Let the text model answer what it shall; publish what is answered already."""
        for answer in answers:
            if isinstance(answer, AnswerWanted):
                assert self._texts is not None, 'it is asked only where there is one'
                self._texts.ask(answer)
                continue
            self._alert(answer, frame_id)
            self._publish_answer(answer, frame_id)
            if self._texts is not None:
                self._texts.note(answer)

    def _publish_all(self, answers: Iterable[FinalReply]) -> None:
        for answer in answers:
            self._publish_answer(answer)

    def _publish_answer(self, answer: FinalReply, frame_id: str = '') -> None:
        """Publish an answer; ``frame_id`` is the microphone where no lane has spoken."""
        decided_at, frame_id = self._expected.pop(answer.reply_id, (math.nan, frame_id))
        self._publish('reply', answer_message(
            answer, frame_id=frame_id,
            first_text_s=time.monotonic() - decided_at if answer.text else math.nan))

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
