"""
decoder_node: encoded chunks in; sounds, decisions, transcripts, replies and alerts out.

Owns topics, services and diagnostics. Callbacks convert and enqueue; a worker thread
(nodes.decoding.decoder_task) steps the session, one forward pass at a time, so what arrives
meanwhile is taken between two text tokens.
"""

import time
import uuid
from functools import partial
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from std_srvs.srv import Trigger

from audio_interaction_msgs.msg import Decision, FifoCredit
from audio_interaction_msgs.msg import EncodedChunk as EncodedChunkMessage
from audio_interaction_msgs.srv import Cancel as CancelService
from audio_interaction_msgs.srv import SetPrompt as SetPromptService
from audio_interaction_ros.assembly import build_answers, load_reply_model, read_sound_rules
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.errors import (
    AudioFormatError,
    AudioInteractionError,
    ConfigurationError,
)
from audio_interaction_ros.nodes.decoding.alert_board import AlertBoard
from audio_interaction_ros.nodes.decoding.answer_board import AnswerBoard
from audio_interaction_ros.nodes.decoding.answer_gate import AnswerGate
from audio_interaction_ros.nodes.decoding.chunk_origin import ChunkOrigin
from audio_interaction_ros.nodes.decoding.decoder_health import DecoderHealth
from audio_interaction_ros.nodes.decoding.decoder_task import (
    ChunkHeard,
    ChunkRefused,
    Command,
    DecoderTask,
    IncomingChunk,
    LanesAdjusted,
    Progress,
)
from audio_interaction_ros.nodes.decoding.direction_input import DirectionInput
from audio_interaction_ros.nodes.decoding.listen_action import ListenAction
from audio_interaction_ros.nodes.decoding.outlets import Outlets
from audio_interaction_ros.nodes.decoding.reply_board import ReplyBoard
from audio_interaction_ros.nodes.decoding.sound_board import SoundBoard
from audio_interaction_ros.nodes.decoding.text_board import TextBoard
from audio_interaction_ros.nodes.io.messages import chunk_from_message, decision_message
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import (
    WARN,
    BusyMeter,
    Diagnostics,
    StatusReport,
    Timings,
    model_report,
)
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.nodes.lifecycle.runtime_source import RuntimeSource, load_decoder
from audio_interaction_ros.nodes.lifecycle.spinning import run
from audio_interaction_ros.nodes.lifecycle.worker import Emit, Ready, Worker, WorkerFailure
from audio_interaction_ros.stream.events import (
    Event,
    ReplyFinished,
    ReplyStarted,
    Silence,
    SoundEnded,
    SoundStarted,
)
from audio_interaction_ros.stream.sound_events import SoundEvent
from audio_interaction_ros.stream.text_lane import RecognisedSpeech

__all__ = ['DecoderNode', 'main']

_CREDIT_PERIOD_S = 0.25
_FRESH_CREDIT_S = 0.2  # with the period less than any fifo.credit_timeout_s
_ANSWERS_PERIOD_S = 1.0
_LIVE_LATENCY_S = 30.0  # audio older than this at arrival is a replay


class DecoderNode(ManagedNode):
    """The deciding and speaking half of the assistant."""

    def __init__(self, *, runtime: RuntimeSource = load_decoder,
                 text_model: Any = load_reply_model, **options: Any) -> None:
        """Declare parameters; ``runtime`` and ``text_model`` (by configuration) load models."""
        super().__init__(
            'decoder_node', lanes=True, groups=(
                'fifo', 'model', 'transcript', 'translation', 'alerts', 'sounds', 'reply',
                'intents', 'assistant', 'direction'), **options)
        self._runtime, self._load_text_model = runtime, text_model
        self._worker: Worker | None = None
        self._texts: TextBoard | None = None
        self._alerts: AlertBoard | None = None
        self._sounds: SoundBoard | None = None
        self._answers: AnswerBoard | None = None
        self._model: DecoderTask | None = None
        self.ready = False
        """True when the model is loaded."""
        self._progress = Progress()
        self._health = DecoderHealth(self.get_logger())
        self.diagnostics = Diagnostics(node=self, tasks={
            'input': self._report_input, 'model': self._report_model,
            'decode': self._report_decode, 'sounds': self._report_sounds,
            'alerts': self._report_alerts}, lock=self.lock)
        self._listen = ListenAction(node=self, refusal=self._why_deaf)

    @property
    def idle(self) -> bool:
        """True when every chunk that came is decided on and published."""
        return self._worker is None or (
            self._worker.idle and not self._board.waiting
            and (self._texts is None or self._texts.idle))

    def set_up(self) -> None:
        """Create topics and services and start loading the model."""
        config = self.config
        self._flow = MutuallyExclusiveCallbackGroup()
        self._timings, self._busy = Timings(), BusyMeter()
        self._credit_at = float('-inf')
        self._configured_at = time.monotonic()
        self._progress = Progress()
        self._decisions = self.managed_publisher(Decision, 'decisions', qos.DECISIONS)
        self._credit = self.managed_publisher(FifoCredit, 'encoded/credit', qos.CREDIT)
        self._texts = TextBoard(
            node=self, config=config, group=self._flow, load=self._load_text_model,
            publish=lambda kind, message: self._board.publish(kind, message),
        ) if config.uses_text else None
        answers = build_answers(config, reads='transcript' in config.second_passes)
        self._answers = None if answers is None else AnswerBoard(
            node=self, answers=answers, config=config, group=self._flow,
            cancel=self._cancel_replies, texts=self._texts)
        self._gate = AnswerGate(node=self, topic=config.reply.active_topic, group=self._flow)
        self._directions = DirectionInput(node=self, settings=config.direction, group=self._flow)
        self._board = ReplyBoard(node=self, lanes=config.lanes,
                                 outlets=Outlets(gate=self._gate, directions=self._directions),
                                 draft=config.second_passes, group=self._flow,
                                 translate=self._translate, answers=self._answers,
                                 hear=self._hear_transcript, let_write=self._let_write)
        if answers is not None:
            self.managed_timer(_ANSWERS_PERIOD_S, self._tick_answers, callback_group=self._flow)
        self._alerts = AlertBoard(node=self, settings=config.alerts, group=self._flow,
                                  lanes=config.lanes, hearing=lambda: self.ready,
                                  directions=self._directions,
                                  before=self._alerts)
        self._sounds = SoundBoard(
            node=self, alerts=config.alerts, sounds=config.sounds,
            rules=read_sound_rules(config.alerts, self._alerts.rules),
            directions=self._directions)
        self._listen.open()
        self.managed_service(Trigger, '~/reset', self._on_reset)
        self.managed_service(SetPromptService, '~/set_prompt', self._on_set_prompt)
        self.managed_service(CancelService, '~/cancel', self._on_cancel)
        self.managed_timer(_CREDIT_PERIOD_S, self._renew_credit, callback_group=self._flow)
        self._worker = Worker(
            node=self, group=self._flow,
            setup=partial(DecoderTask, load=self._runtime, config=config, timings=self._timings,
                          busy=self._busy),
            compute=DecoderTask.compute, publish=self._publish,
            capacity=2 * config.fifo.capacity + 4, name='decoder')
        self._worker.start()
        self.managed_subscription(
            EncodedChunkMessage, 'encoded', self._on_chunk,
            qos.encoded_profile(config.fifo.capacity),
            callback_group=MutuallyExclusiveCallbackGroup())

    def start(self) -> None:
        """Offer credit, as a new consumer: what was sent before is not coming back."""
        self._consumer = uuid.uuid4().hex[:12]

    def stop(self) -> None:
        """Stop hearing; running replies are ended."""
        self._put_command(lambda model, _: model.session.cancel())
        if self._texts is not None:
            self._texts.cut_short()
        self._board.give_up()
        self._listen.give_up('the node was deactivated')

    def apply(self, config: AssistantConfig) -> None:
        """Take the settings that may change while the node works."""
        assert self._alerts is not None, 'only a configured node is asked'
        assert self._sounds is not None, 'it has a board for sounds as well'
        rules = read_sound_rules(config.alerts, self._alerts.rules)
        self._alerts.apply(config.alerts)
        self._sounds.apply(config.alerts, config.sounds, rules)
        if config.alerts != self.config.alerts:
            self._put_command_or_raise(lambda model, _: model.session.adjust_sounds(rules))
        if config.lanes != self.config.lanes:
            self._put_command_or_raise(lambda model, emit: model.adjust(config.lanes, emit))

    def tear_down(self) -> None:
        """Stop the thread and forget the session."""
        self.ready = False
        if self._worker is not None:
            self._worker.close()
        if self._texts is not None:
            self._texts.close()
            self._texts = None
        self._listen.give_up('the node was cleaned up')
        if self._alerts is not None:
            self._alerts.close()
        self._worker = self._model = None

    def leave(self) -> bool:
        """End the goals of ``listen``."""
        return self._listen.leave()

    @property
    def owes_answers(self) -> bool:
        """True while a goal is not told that it has ended."""
        return self._listen.owes_answers

    def destroy_node(self) -> None:
        """Withdraw the action, then release everything."""
        self._listen.close()
        super().destroy_node()

    def _why_deaf(self) -> str:
        """Return why nothing can be heard now; empty while the node decides."""
        if not self.active:
            return f'the node is {self.state}'
        return '' if self.ready else 'the model is being loaded'

    def _publish(self, output: Any) -> None:
        """Take what the worker emitted (executor, flow group)."""
        match output:
            case WorkerFailure():
                self.give_up(f'decoder cannot work: {output.error}', output.error)
            case Ready(model, seconds):
                self.get_logger().info(f'decoder ready after {seconds:.1f} s')
                self._adopt_model(model)
            case LanesAdjusted(lanes):
                self._health.note_lanes(lanes)
            case ChunkRefused(reason):
                self._health.note_refusal(reason)
            case ChunkHeard():
                self._hear_chunk(output)
            case Progress():
                self._progress = output
                for event, heard in output.events:
                    self._publish_event(event, heard)
                if output.newest_end_ns:
                    self._tick(output.newest_end_ns - round(output.oldest_age_s * 1e9))
                self._publish_credit()

    def _tick(self, now_ns: int) -> None:
        """Let pass what waits for audio time."""
        if self._alerts is not None:
            self._alerts.tick(now_ns)
        if self._answers is not None:
            self._board.publish_answers(self._answers.tick(now_ns))

    def _hear_transcript(self, message: Any) -> None:
        if self._texts is not None:
            self._texts.hear(message)

    def _tick_answers(self) -> None:
        if self._answers is not None:
            self._board.publish_answers(self._answers.tick_without_audio())

    def _hear_chunk(self, heard: ChunkHeard) -> None:
        """Tell what a chunk sounds like; no pass of the model is waited for."""
        assert self._alerts is not None and self._sounds is not None, 'a worker has both boards'
        self._alerts.note_classes(heard.chunk.sounds.names)
        for event, origin in heard.sounds:
            self._publish_sound(event, origin)
        self._sounds.on_chunk(heard.chunk, heard.thresholds, heard.heard.frame_id)

    def _publish_sound(self, event: SoundEvent, heard: ChunkOrigin) -> None:
        if self._alerts is not None and self._sounds is not None:
            self._alerts.on_sound(event, heard.frame_id)
            self._sounds.on_event(event, heard.frame_id)

    def _adopt_model(self, model: DecoderTask) -> None:
        self._health.forget_lanes()
        self._health.note_lanes(model.lanes)
        self._model, self.ready = model, True
        self._put_command(lambda model, _: model.session.read_prompts())
        if self._texts is not None:
            self._texts.adopt(model.runtime)
        self._publish_credit()

    def _publish_event(self, event: Event, heard: ChunkOrigin) -> None:
        if isinstance(event, (Silence, ReplyStarted)):
            self._decisions.publish(decision_message(
                event, frame_id=heard.frame_id,
                queue_depth=self._progress.depths.get(event.lane, 0),
                latency_s=heard.latency_s()))
            self.note_success()
        self._health.note_event(event)
        if isinstance(event, (SoundStarted, SoundEnded)):
            self._publish_sound(event, heard)
        self._board.publish_event(event, heard)
        if isinstance(event, ReplyFinished) and self._alerts is not None:
            self._alerts.on_reply(event, heard.frame_id)

    def _renew_credit(self) -> None:
        """Publish credit where none was published lately."""
        if time.monotonic() - self._credit_at > _FRESH_CREDIT_S:
            self._publish_credit()

    def _publish_credit(self) -> None:
        if not self.ready or not self.active:
            return
        progress = self._progress
        message = FifoCredit(
            epoch=progress.epoch, consumed_seq=progress.consumed,
            capacity=self.config.fifo.capacity, depth=progress.depth,
            oldest_age_s=progress.oldest_age_s)
        message.header.stamp = self.get_clock().now().to_msg()
        message.header.frame_id = self._consumer
        self._credit.publish(message)
        self._credit_at = time.monotonic()

    def _on_chunk(self, message: Any) -> None:
        try:
            chunk = chunk_from_message(message)
        except AudioFormatError as error:
            self._health.note_refusal(str(error))
            return
        latency = (self.get_clock().now().nanoseconds - chunk.end_ns) / 1e9
        heard = ChunkOrigin(
            frame_id=message.header.frame_id, arrived_at=time.monotonic(),
            encode_latency_s=latency if 0 <= latency < _LIVE_LATENCY_S else float('nan'))
        if self._worker is not None and not self._worker.put(IncomingChunk(chunk, heard)):
            self._health.note_refusal(
                'more chunks came than the credit allowed; the publisher of encoded must be an '
                'encoder_node')

    def _put_command(self, command: Command) -> bool:
        """Hand in a command; False where the worker has too many of them, or is none."""
        return self._worker is not None and self._worker.put(command, always=True)

    def _translate(self, reply: ReplyFinished, said: RecognisedSpeech) -> bool:
        return self._put_command(lambda model, _: model.session.translate(reply, said))

    def _let_write(self, lane: str, writes: bool) -> None:
        self._put_command(lambda model, _: model.session.let_write(lane, writes))

    def _cancel_replies(self) -> None:
        for name in [lane.name for lane in self.config.lanes if lane.kind == 'reply']:
            self._put_command(partial(_cancel_lane, name))

    def _put_command_or_raise(self, command: Command) -> None:
        """Hand in a command of somebody who waits for the answer; raises where it is not taken."""
        if not self._put_command(command):
            raise AudioInteractionError('too many commands wait for the decoder; try again later')

    def _check_lane(self, name: str) -> None:
        names = [lane.name for lane in self.config.lanes]
        if name not in names:
            raise ConfigurationError(
                f'no lane is called {name!r}; expected one of {", ".join(names)}')

    def _on_reset(self, _request: Any, response: Any) -> Any:
        self._put_command_or_raise(lambda model, _: model.session.reset())
        response.success, response.message = True, 'every lane starts anew'
        return response

    def _on_cancel(self, request: Any, response: Any) -> Any:
        if request.lane:
            self._check_lane(request.lane)
        self._put_command_or_raise(lambda model, _: model.session.cancel(request.lane))
        response.success, response.message = True, 'a running reply is ended'
        return response

    def _on_set_prompt(self, request: Any, response: Any) -> Any:
        """Try the prompt here, which takes a tokenizer and no model, and then have it set."""
        self._check_lane(request.lane)
        if self._model is None:
            raise AudioInteractionError('the model is being loaded; try again when it is ready')
        self._model.session.try_prompt(request.lane, request.prompt)
        self._put_command_or_raise(lambda model,
                                   _: model.session.set_prompt(request.lane, request.prompt))
        response.success, response.message = True, f'lane {request.lane} starts anew'
        return response

    def _report_input(self) -> StatusReport:
        report = StatusReport()
        report.values['state'] = self.state
        if not self.active:
            report.add(WARN, f'not deciding: the node is {self.state}')
        elif not self.get_publishers_info_by_topic(self.resolve_topic_name('encoded')):
            report.add(WARN, f'no encoder on {self.resolve_topic_name("encoded")}')
        self.qos_watch.check(report)
        self._health.report_input(report)
        if self._worker is not None:
            self._gate.report(report)
            self._directions.report(report)
        return report

    def _report_model(self) -> StatusReport:
        report = StatusReport() if self._worker is None else model_report(
            self.config.model, unit='step', loaded=self.ready, since=self._configured_at,
            timings=self._timings, busy=self._busy,
            too_slow='decoding is slower than real time; take a faster device, a smaller model '
                     'or fewer lanes')
        self.report_attempts(report)
        report.values.update(idle=self.idle, failure=self.failure)
        return report

    def _report_decode(self) -> StatusReport:
        report = StatusReport()
        boards = [self._board] if self._worker is not None else []
        self._health.report_decode(report, self._progress, [
            board.report for board in (*boards, self._texts) if board is not None])
        return report

    def _report_sounds(self) -> StatusReport:
        return self._sounds.report() if self._sounds is not None else StatusReport()

    def _report_alerts(self) -> StatusReport:
        return self._alerts.report() if self._alerts is not None else StatusReport()


def _cancel_lane(name: str, model: DecoderTask, _emit: Emit) -> None:
    model.session.cancel(name)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to stop."""
    return run(lambda: [DecoderNode()], args)


if __name__ == '__main__':
    raise SystemExit(main())
