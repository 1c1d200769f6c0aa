"""
What is written of words beside a decoder node: answers of a text model, and translations.

Owns its thread, which gives way to all others and works between no two decisions, the text model
in it, and what becomes of a question that cannot be answered. What is written is ``dialogue``'s,
what is published of translations the translation board's.
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
from audio_interaction_ros.nodes.decoding.translation_board import FinalHeard, TranslationBoard
from audio_interaction_ros.nodes.io.text_messages import (
    answer_message,
    partial_transcript,
    words_transcript,
)
from audio_interaction_ros.nodes.lifecycle.diagnostics import WARN, StatusReport
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.nodes.lifecycle.retried_worker import RetriedWorker
from audio_interaction_ros.nodes.lifecycle.worker import Emit
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
        self.answered = 0
        self._frame_id = ''
        self._ready = False
        self.translations = None if config.translation.source == 'lane' else TranslationBoard(
            node=node, config=config, group=group, put=self._put_words,
            publish=lambda message: publish('translation', message))
        """What is shown of translations; None where lanes translate."""
        self._talker: Talker | None = None
        self._asked_at: dict[str, float] = {}
        self._hurry = threading.Event()
        """Something waits for which the translation of a prefix gives way."""
        self._runtime: Runtime | None = None
        self._worker: RetriedWorker | None = None
        node.managed_timer(1.0, self._look, callback_group=group)

    def adopt(self, runtime: Runtime) -> None:
        """Take the model that listens, which translates too, and load the text model."""
        self._runtime = runtime
        self._worker = RetriedWorker(
            node=self._node, group=self._group, load=self._load_models, compute=self._compute,
            publish=self._publish, adopt=self._adopt_models, capacity=_BACKLOG, name='text_model',
            loss='words are not translated, and answered only by intent')

    @property
    def ready(self) -> bool:
        """True when the models are loaded and work."""
        return self._ready and not self.failure

    @property
    def failure(self) -> str:
        """Why nothing is written of words; empty while it is, or while the model loads."""
        return '' if self._worker is None else self._worker.failure

    @property
    def idle(self) -> bool:
        """True while it neither writes nor has anything to write."""
        waits = self.translations is not None and self.translations.waiting
        return not waits and (self._worker is None or self._worker.idle)

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
        if self.translations is not None:
            self.translations.hear(transcript)

    def _put_words(self, heard: Any) -> str:
        """Hand words over to be translated; return why they were not taken."""
        final = isinstance(heard, FinalHeard)
        if final:
            self._hurry.set()
        if self._put(heard, always=final):
            return ''
        return 'too many wait' if self.ready else 'the model is not loaded'

    def give_up(self) -> None:
        """Let what was shown of translations be final."""
        if self.translations is not None:
            self.translations.give_up()

    def report(self, report: StatusReport) -> None:
        """Say whether the model works, and how much it has answered."""
        report.values.update({'text_model.ready': self.ready, 'text_model.answers': self.answered})
        if self.translations is not None:
            self.translations.report(report)
        if self.failure:
            report.add(WARN, self.failure)

    def _look(self) -> None:
        if self._worker is not None:
            self._worker.look()

    def _load_models(self) -> _Loaded:
        runtime, model = self._runtime, self._load(self._config)
        assert runtime is not None, 'the thread starts when there is a model'
        listener = {'decoder': runtime.decoder, 'tokenizer': runtime.tokenizer,
                    'lanes': runtime.config.lanes}
        return _Loaded(build_talker(self._config, model, **listener),
                       build_word_interpreter(self._config, model, **listener))

    def _adopt_models(self, loaded: _Loaded, seconds: float) -> None:
        self._talker, self._ready = loaded.talker, True
        self._node.get_logger().info(f'ready to write after {seconds:.1f} s')

    def _compute(self, loaded: _Loaded | None, items: list[Any], emit: Emit) -> bool:
        self._hurry.clear()
        if loaded is None:
            return False
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
        for place, item in enumerate(heard):
            if isinstance(item, FinalHeard):
                made: Any = interpreter.on_final(
                    words_transcript(item.transcript, 'transcript'), item.english)
            elif place == len(heard) - 1:
                made = interpreter.on_partial(partial_transcript(item), self._hurry.is_set)
            else:
                made = None
            if made is not None:
                emit(made)

    def _publish(self, output: Any) -> None:
        """Take what the worker emitted (executor, the board's group)."""
        match output:
            case _Question():
                self._asked_at = {output.wanted.reply_id: output.asked_at}
                self._first_text_s = math.nan
            case AnswerText() | FinalReply():
                self._publish_reply(output)
            case PartialTranslation() | FinalTranslation() if self.translations is not None:
                self.translations.publish(output)

    def _publish_reply(self, event: AnswerText | FinalReply) -> None:
        asked_at = self._asked_at.get(event.reply_id, math.nan)
        if isinstance(event, AnswerText) and not event.revision:
            self._first_text_s = time.monotonic() - asked_at
        first_text_s = math.nan if math.isnan(asked_at) else self._first_text_s
        if isinstance(event, FinalReply):
            self.answered += 1
        self._publish_message('reply', answer_message(
            event, frame_id=self._frame_id, first_text_s=first_text_s))
