"""
What is written of words beside a decoder node: answers of a text model, and translations.

Owns its thread, which gives way to all others and works between no two decisions, the text model
in it, and what becomes of a question that cannot be answered. What is written is ``dialogue``'s.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.callback_groups import CallbackGroup

from audio_interaction_ros.assembly import build_talker, build_word_interpreter
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.dialogue.talker import Talker, make_final
from audio_interaction_ros.dialogue.word_interpreter import WordInterpreter
from audio_interaction_ros.intents.answers import apology
from audio_interaction_ros.nodes.io.text_messages import (
    answer_message,
    partial_transcript,
    translation_message,
    words_transcript,
)
from audio_interaction_ros.nodes.lifecycle.backoff import BackOff
from audio_interaction_ros.nodes.lifecycle.diagnostics import WARN, StatusReport
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.nodes.lifecycle.worker import Emit, Ready, Worker, WorkerFailure
from audio_interaction_ros.runtimes.base import Runtime, TextModel
from audio_interaction_ros.stream.events import (
    AnswerText,
    AnswerWanted,
    FinalReply,
    FinalTranslation,
    PartialTranslation,
)

__all__ = ['TextBoard']

_BACKLOG = 16


@dataclass(frozen=True)
class _Loaded:
    talker: Talker | None
    interpreter: WordInterpreter | None


@dataclass(frozen=True)
class _Question:
    wanted: AnswerWanted
    asked_at: float
    calls: int
    """Calls such as "stop" that were heard before it."""


class TextBoard:
    """What one decoder node writes of words."""

    def __init__(self, *, node: ManagedNode, config: AssistantConfig, group: CallbackGroup,
                 load: Callable[[AssistantConfig], TextModel | None],
                 publish: Callable[[str, Any], object]) -> None:
        """
        Wait for the model that listens.

        ``publish`` takes reply or translation, and a message for that topic; ``load`` brings up
        the text model, None where the configuration names none.
        """
        self._node, self._config, self._group = node, config, group
        self._load, self._publish_message = load, publish
        self._follows = config.translation.source != 'lane'
        self.failure, self.ready = '', False
        self.answered = 0
        self._frame_id = ''
        self._talker: Talker | None = None
        self._asked_at: dict[str, float] = {}
        self._hurry = threading.Event()
        """Something waits for which the translation of a prefix gives way."""
        self._attempts = BackOff()
        self._runtime: Runtime | None = None
        self._worker: Worker | None = None
        node.managed_timer(1.0, self._retry_loading, callback_group=group)

    def adopt(self, runtime: Runtime) -> None:
        """Take the model that listens, which translates too, and load the text model."""
        self._runtime = runtime
        self._worker = self._start_worker()

    @property
    def idle(self) -> bool:
        """True while it neither writes nor has anything to write."""
        return self._worker is None or self._worker.idle

    def close(self) -> None:
        """Stop the thread and let go of the models. Idempotent."""
        self.cut_short()
        if self._worker is not None:
            self._worker.close()
        self._runtime = self._talker = None

    def ask(self, wanted: AnswerWanted) -> None:
        """Have a question answered; with an apology at once where nobody can."""
        self._hurry.set()
        if self._talker is None or not self._put(
                _Question(wanted, time.monotonic(), self._talker.calls)):
            self._publish_reply(make_final(wanted, apology(wanted.text)))

    def note(self, reply: FinalReply) -> None:
        """Remember an answer that came from elsewhere, as part of the conversation."""
        if self._talker is not None:
            self._put(reply)

    def _put(self, item: Any, *, always: bool = False) -> bool:
        """Hand an item to the thread; False where nobody takes it."""
        return self._worker is not None and self.ready and self._worker.put(item, always=always)

    def cut_short(self) -> None:
        """End the answer that is being written, at once, and drop those that wait."""
        if self._talker is not None:
            self._talker.cut_short()

    def hear(self, transcript: Any) -> None:
        """Take a Transcript that was published, partial or final, to be translated."""
        self._frame_id = transcript.header.frame_id
        if self._follows and transcript.source in ('partial', 'second_pass'):
            if transcript.is_final:
                self._hurry.set()
            self._put(transcript, always=transcript.is_final)

    def report(self, report: StatusReport) -> None:
        """Say whether the model works, and how much it has answered."""
        report.values.update({'text_model.ready': self.ready, 'text_model.answers': self.answered})
        if self.failure:
            report.add(WARN, self.failure)

    def _start_worker(self) -> Worker:
        worker = Worker(
            node=self._node, group=self._group, setup=self._set_up, compute=self._compute,
            publish=self._publish, capacity=_BACKLOG, name='text_model', stand_back=True)
        worker.start()
        return worker

    def _retry_loading(self) -> None:
        if self._attempts.is_due(time.monotonic()) and self._worker is not None and (
                self._worker.idle):
            self._attempts.stop_waiting()
            self._worker.close()
            self._worker = self._start_worker()

    def _set_up(self) -> _Loaded | WorkerFailure:
        try:
            runtime, model = self._runtime, self._load(self._config)
            assert runtime is not None, 'the thread starts when there is a model'
            return _Loaded(
                None if model is None else build_talker(self._config, model),
                build_word_interpreter(self._config, model, decoder=runtime.decoder,
                                       tokenizer=runtime.tokenizer, lanes=runtime.config.lanes))
        except Exception as error:  # noqa: BLE001 - the robot listens on without it
            return WorkerFailure(error)

    def _compute(self, loaded: _Loaded, items: list[Any], emit: Emit) -> bool:
        self._hurry.clear()
        heard = []
        for item in items:
            if not isinstance(item, FinalReply | _Question):
                heard.append(item)
            elif loaded.talker is None:
                continue
            elif isinstance(item, FinalReply):
                loaded.talker.note(item)
            elif item.calls == loaded.talker.calls:
                emit(item)
                for event in loaded.talker.answer(item.wanted, item.calls):
                    emit(event)
        if loaded.interpreter is not None:
            self._translate(loaded.interpreter, heard, emit)
        return False

    def _translate(self, interpreter: WordInterpreter, heard: list[Any], emit: Emit) -> None:
        """Translate finals, and of partial ones the newest that nothing came after."""
        for place, transcript in enumerate(heard):
            if transcript.is_final:
                made: Any = interpreter.on_final(words_transcript(transcript, 'transcript'))
            elif place == len(heard) - 1:
                made = interpreter.on_partial(partial_transcript(transcript), self._hurry.is_set)
            else:
                made = None
            if made is not None:
                emit(made)

    def _publish(self, output: Any) -> None:
        """Take what the worker emitted (executor, the board's group)."""
        match output:
            case Ready(WorkerFailure() as failed):
                wait_s = self._attempts.fail(time.monotonic())
                self.failure = (f'words are not translated, and answered only by intent: '
                                f'{failed.error}; next try in {wait_s:.0f} s')
                self._node.get_logger().error(self.failure)
            case Ready(loaded, seconds):
                self._attempts.succeed()
                self._talker, self.failure, self.ready = loaded.talker, '', True
                self._node.get_logger().info(f'ready to write after {seconds:.1f} s')
            case WorkerFailure():
                self.ready = False
                self._attempts.fail(time.monotonic())
                self.failure = f'the text model stopped: {output.error!r}'
                self._node.get_logger().error(self.failure)
            case _Question():
                self._asked_at = {output.wanted.reply_id: output.asked_at}
                self._first_text_s = math.nan
            case AnswerText() | FinalReply():
                self._publish_reply(output)
            case PartialTranslation() | FinalTranslation():
                self._publish_message('translation', translation_message(
                    output, frame_id=self._frame_id))

    def _publish_reply(self, event: AnswerText | FinalReply) -> None:
        asked_at = self._asked_at.get(event.reply_id, math.nan)
        if isinstance(event, AnswerText) and not event.revision:
            self._first_text_s = time.monotonic() - asked_at
        first_text_s = math.nan if math.isnan(asked_at) else self._first_text_s
        if isinstance(event, FinalReply):
            self.answered += 1
        self._publish_message('reply', answer_message(
            event, frame_id=self._frame_id, first_text_s=first_text_s))
