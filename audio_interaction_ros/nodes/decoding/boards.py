"""
The boards of a decoder node, put together: what is heard, said and answered as topics.

Owns which part of an output goes to which board. What each publishes, and when, is its own matter;
how a session comes to its events is the worker's.
"""

from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup

from audio_interaction_ros.assembly import build_answers, read_sound_rules
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.nodes.decoding.alert_board import AlertBoard
from audio_interaction_ros.nodes.decoding.answer_board import AnswerBoard
from audio_interaction_ros.nodes.decoding.answer_gate import AnswerGate
from audio_interaction_ros.nodes.decoding.chunk_origin import ChunkOrigin
from audio_interaction_ros.nodes.decoding.decoder_task import ChunkHeard
from audio_interaction_ros.nodes.decoding.direction_input import DirectionInput
from audio_interaction_ros.nodes.decoding.outlets import Outlets
from audio_interaction_ros.nodes.decoding.reply_board import ReplyBoard
from audio_interaction_ros.nodes.decoding.session_commands import SessionCommands
from audio_interaction_ros.nodes.decoding.sound_board import SoundBoard
from audio_interaction_ros.nodes.decoding.text_board import TextBoard
from audio_interaction_ros.nodes.lifecycle.diagnostics import StatusReport
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.runtimes.base import Runtime
from audio_interaction_ros.stream.events import (
    Event,
    FinalReply,
    ReplyFinished,
    SoundEnded,
    SoundStarted,
)
from audio_interaction_ros.stream.sound_events import SoundEvent

__all__ = ['Boards']

_LOOK_S = 1.0


class Boards:
    """All boards of one configuration of a decoder node."""

    def __init__(self, *, node: ManagedNode, config: AssistantConfig, group: CallbackGroup,
                 commands: SessionCommands, load_text_model: Any, hearing: Callable[[], bool],
                 before: 'Boards | None') -> None:
        """
        Create what publishes; ``before`` are the boards of an earlier configuration.

        ``hearing`` tells whether a model is there. Raises ConfigurationError for rules or
        thresholds that cannot be read.
        """
        self._node, self._config, self._group, self._commands = node, config, group, commands
        self.gate = AnswerGate(node=node, topic=config.reply.active_topic, group=group)
        self.directions = DirectionInput(node=node, settings=config.direction, group=group)
        self._outlets = Outlets(node=node, gate=self.gate, directions=self.directions)
        self.texts = TextBoard(
            node=node, config=config, group=group, load=load_text_model,
            publish=self._outlets.publish) if config.uses_text else None
        self.answers = self._make_answers()
        self.replies = self._make_replies()
        self.alerts: AlertBoard = AlertBoard(
            node=node, settings=config.alerts, group=group, lanes=config.lanes, hearing=hearing,
            directions=self.directions, before=None if before is None else before.alerts)
        self._sound_rules = read_sound_rules(config.alerts, self.alerts.rules)
        self.sounds = SoundBoard(
            node=node, alerts=config.alerts, sounds=config.sounds, rules=self._sound_rules,
            directions=self.directions)
        node.managed_timer(_LOOK_S, self._look, callback_group=group)

    def _make_answers(self) -> AnswerBoard | None:
        config = self._config
        answers = build_answers(config, reads='transcript' in config.second_passes)
        return None if answers is None else AnswerBoard(
            node=self._node, answers=answers, config=config, group=self._group,
            publish=self._outlets.publish, cancel=self._commands.cancel_replies,
            alert=self._note_answer, texts=self.texts)

    def _make_replies(self) -> ReplyBoard:
        config, commands = self._config, self._commands
        return ReplyBoard(
            node=self._node, lanes=config.lanes, draft=config.drafted, group=self._group,
            outlets=self._outlets, answers=self.answers, hear=self._hear_transcript,
            translate=commands.translate, let_write=commands.let_write)

    @property
    def idle(self) -> bool:
        """True when everything that was said is published."""
        return not self.replies.waiting and (
            self.answers is None or not self.answers.waiting) and (
            self.texts is None or self.texts.idle)

    def adopt(self, runtime: Runtime) -> None:
        """Take the model that listens: texts are translated by it, too."""
        if self.texts is not None:
            self.texts.adopt(runtime)

    def apply(self, config: AssistantConfig) -> None:
        """Take other settings of alerts and sounds; raises ConfigurationError, and takes none."""
        rules = read_sound_rules(config.alerts, self.alerts.rules)
        self.alerts.apply(config.alerts)
        self.sounds.apply(config.alerts, config.sounds, rules)
        if rules != self._sound_rules:  # also where the file of the same name has others now
            self._commands.adjust_sounds(rules)
        self._sound_rules, self._config = rules, config

    def give_up(self) -> None:
        """Make final what is open: nothing more will be heard."""
        if self.texts is not None:
            self.texts.cut_short()
        self.replies.give_up()
        if self.texts is not None:
            self.texts.give_up()
        self._end_sounds()

    def _look(self) -> None:
        """End what sounded where an encoder node is gone; the audio has a gap there anyway."""
        encoded = self._node.resolve_topic_name('encoded')  # it may be remapped
        if self.sounds.on and not self._node.count_publishers(encoded):
            self._commands.end_sounds()
            self._end_sounds()

    def _end_sounds(self) -> None:
        for ended, frame_id in self.sounds.list_ends():
            self._publish_sound(ended, frame_id)

    def close(self) -> None:
        """Stop what has a thread. Idempotent."""
        if self.texts is not None:
            self.texts.close()
        self.alerts.close()

    def tick(self, now_ns: int) -> None:
        """Let pass what waits for audio time."""
        self.alerts.tick(now_ns)
        if self.answers is not None:
            self.answers.tick(now_ns)

    def hear_chunk(self, heard: ChunkHeard) -> None:
        """Tell what a chunk sounds like; no pass of the model is waited for."""
        self.alerts.note_classes(heard.chunk.sounds.names)
        for event, origin in heard.sounds:
            self._publish_sound(event, origin.frame_id)
        self.sounds.on_chunk(heard.chunk, heard.thresholds, heard.heard.frame_id)

    def publish_event(self, event: Event, heard: ChunkOrigin) -> None:
        """Tell what a session came to on a chunk."""
        if isinstance(event, (SoundStarted, SoundEnded)):
            self._publish_sound(event, heard.frame_id)
        self.replies.publish_event(event, heard)
        if isinstance(event, ReplyFinished):
            self.alerts.on_reply(event, heard.frame_id)

    def report_inputs(self, report: StatusReport) -> None:
        """Say what comes in beside audio: whether to answer, and directions."""
        self.gate.report(report)
        self.directions.report(report)

    def report_texts(self, report: StatusReport) -> None:
        """Say what waits for its text, and what was answered."""
        for board in (self.replies, self.answers, self.texts):
            if board is not None:
                board.report(report)

    def _publish_sound(self, event: SoundEvent, frame_id: str) -> None:
        self.alerts.on_sound(event, frame_id)
        self.sounds.on_event(event, frame_id)

    def _note_answer(self, answer: FinalReply, frame_id: str) -> None:
        self.alerts.on_answer(answer, frame_id)

    def _hear_transcript(self, message: Any) -> None:
        if self.texts is not None:
            self.texts.hear(message)
