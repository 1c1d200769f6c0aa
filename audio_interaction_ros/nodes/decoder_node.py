"""
decoder_node: encoded chunks in; decisions, transcripts, replies and alerts out.

Callbacks convert and enqueue; a worker thread steps the session, one forward pass at a time,
so what arrives meanwhile is taken between two text tokens.
"""

import time
import uuid
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from audio_interaction_msgs.msg import Decision, FifoCredit
from audio_interaction_msgs.msg import EncodedChunk as EncodedChunkMessage
from audio_interaction_msgs.srv import Cancel, SetPrompt
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from std_srvs.srv import Trigger

from audio_interaction_ros.config import AssistantConfig, LaneConfig, resolve_lanes
from audio_interaction_ros.errors import AudioFormatError, ConfigurationError, ForeignModelError
from audio_interaction_ros.nodes import qos
from audio_interaction_ros.nodes.alert_board import AlertBoard
from audio_interaction_ros.nodes.diagnostics import (
    ERROR,
    WARN,
    BusyMeter,
    Diagnostics,
    Report,
    Timings,
    Withheld,
    model_report,
)
from audio_interaction_ros.nodes.listen_action import ListenAction
from audio_interaction_ros.nodes.managed import ManagedNode
from audio_interaction_ros.nodes.messages import chunk_from_message, decision_message
from audio_interaction_ros.nodes.reply_board import Heard, ReplyBoard
from audio_interaction_ros.nodes.running import run
from audio_interaction_ros.nodes.runtime_source import RuntimeSource, load_decoder
from audio_interaction_ros.nodes.worker import Emit, Ready, Worker, WorkerFailure
from audio_interaction_ros.protocol import CHUNK_NS
from audio_interaction_ros.runtimes.registry import Runtime
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.events import (
    ContextRolled,
    Event,
    ReplyFinished,
    ReplyStarted,
    ReplyWithheld,
    Silence,
    StreamReset,
)
from audio_interaction_ros.stream.session import Session

__all__ = ['DecoderNode', 'main']

_CREDIT_PERIOD_S = 0.25
_LIVE_LATENCY_S = 30.0  # audio older than this at arrival is a replay
_REMEMBERED_CHUNKS = 4096
_SHOWN_DECISIONS = 75  # half a minute


@dataclass(frozen=True)
class _Chunk:
    chunk: EncodedChunk
    heard: Heard


@dataclass(frozen=True)
class _Command:
    name: str
    arguments: tuple[Any, ...] = ()


@dataclass(frozen=True)
class _Model:
    runtime: Runtime
    """Kept, for a shared one lives only as long as somebody keeps it."""
    session: Session


@dataclass(frozen=True)
class _Adjusted:
    """The lanes have other settings."""


@dataclass(frozen=True)
class _Refused:
    reason: str


@dataclass(frozen=True)
class _Progress:
    """What one forward pass brought."""

    events: tuple[tuple[Event, Heard], ...] = ()
    depths: dict[str, int] = field(default_factory=dict)
    epoch: int = 0
    consumed: int = 0
    """Chunks 0 … consumed - 1 of the epoch are taken by every lane."""
    depth: int = 0
    oldest_age_s: float = 0.0
    newest_end_ns: int = 0


class DecoderNode(ManagedNode):
    """The deciding and speaking half of the assistant."""

    def __init__(self, *, runtime: RuntimeSource = load_decoder, **options: Any) -> None:
        """Declare parameters; ``runtime`` loads the model."""
        super().__init__(
            'decoder_node', groups=('fifo', 'model', 'transcript', 'translation', 'alerts'),
            lanes=True, **options)
        self._runtime = runtime
        self._worker: Worker | None = None
        self._alerts: AlertBoard | None = None
        self._listen: ListenAction | None = None
        self.ready = False
        """True when the model is loaded."""
        self._progress = _Progress()
        self._refusals = self._rolled = self._replies = 0
        self._refusal, self._refused_at = '', float('-inf')
        self._nearest: dict[str, deque[float]] = {}
        self._thresholds: dict[str, float] = {}
        self._unsure: dict[str, Withheld] = {}
        self.diagnostics = Diagnostics(node=self, tasks={
            'input': self._report_input, 'model': self._report_model,
            'decode': self._report_decode, 'alerts': self._report_alerts})

    @property
    def idle(self) -> bool:
        """True when every chunk that came is decided on and published."""
        return self._worker is None or self._worker.idle and not self._board.awaits

    def set_up(self) -> None:
        """Create topics and services and start loading the model."""
        config = self.config
        self._flow = MutuallyExclusiveCallbackGroup()
        self._timings, self._busy = Timings(), BusyMeter()
        self._configured_at = time.monotonic()
        self._progress = _Progress()
        self._model: _Model | None = None
        self._chunks: OrderedDict[tuple[int, int], Heard] = OrderedDict()
        self._joined, self._last_pushed = (0, 0), (0, -1)
        self._newest_end_ns = 0
        self._decisions = self.managed_publisher(Decision, 'decisions', qos.DECISIONS)
        self._credit = self.managed_publisher(FifoCredit, 'encoded/credit', qos.CREDIT)
        self._board = ReplyBoard(node=self, lanes=config.lanes,
                                 draft=config.second_passes, group=self._flow,
                                 translate=partial(self._command, 'translate'))
        self._alerts = AlertBoard(node=self, settings=config.alerts, group=self._flow,
                                  lanes=config.lanes, hearing=lambda: self.ready,
                                  before=self._alerts)
        self._listen = ListenAction(node=self)
        self.managed_service(Trigger, '~/reset', self._on_reset)
        self.managed_service(SetPrompt, '~/set_prompt', self._on_set_prompt)
        self.managed_service(Cancel, '~/cancel', self._on_cancel)
        self.managed_timer(_CREDIT_PERIOD_S, self._publish_credit, callback_group=self._flow)
        self._worker = Worker(
            node=self, group=self._flow, setup=partial(self._load, self.config),
            compute=self._compute,
            publish=self._publish, capacity=2 * config.fifo.capacity + 4, name='decoder')
        self._worker.start()
        self.managed_subscription(
            EncodedChunkMessage, 'encoded', self._on_chunk, qos.encoded(config.fifo.capacity),
            callback_group=MutuallyExclusiveCallbackGroup())

    def start(self) -> None:
        """Offer credit, as a new consumer: what was sent before is not coming back."""
        self._consumer = uuid.uuid4().hex[:12]

    def stop(self) -> None:
        """Stop hearing; running replies are ended."""
        self._command('cancel', '')
        self._board.give_up()
        if self._listen is not None:
            self._listen.give_up('the node was deactivated')

    def apply(self, config: AssistantConfig) -> None:
        """Take the settings that may change while the node works."""
        assert self._alerts is not None, 'only a configured node is asked'
        self._alerts.apply(config.alerts)
        if config.lanes != self.config.lanes:
            self._command('adjust', config.lanes)

    def tear_down(self) -> None:
        """Stop the thread and forget the session."""
        self.ready = False
        if self._worker is not None:
            self._worker.close()
        if self._listen is not None:
            self._listen.close()
        if self._alerts is not None:
            self._alerts.close()
        self._worker = self._listen = self._model = None

    def _load(self, config: AssistantConfig) -> _Model:
        runtime = self._runtime(config.model)
        return _Model(runtime, Session(
            decoder=runtime.decoder, lanes=_resolved(config.lanes, runtime), fifo=config.fifo,
            slots=min(config.model.slots, runtime.decoder.spec.max_positions),
            translate_text='translation' in config.second_passes))

    def _compute(self, model: _Model, items: list[Any], emit: Emit) -> bool:
        """Take in what came and run one forward pass (worker thread)."""
        session = model.session
        for item in items:
            if isinstance(item, _Chunk):
                self._push(session, item, emit)
            elif item.name == 'adjust':
                session.adjust(_resolved(item.arguments[0], model.runtime))
                emit(_Adjusted())
            else:
                self._obey(session, item)
        if not session.busy:
            return False
        before, began = session.fifo.stats.consumed, time.monotonic()
        events = session.step()
        now = time.monotonic()
        self._timings.add(now - began)
        self._busy.add(now, now - began,
                       (session.fifo.stats.consumed - before) * CHUNK_NS / 1e9)
        emit(self._progress_of(session, events))
        return session.busy

    def _push(self, session: Session, item: _Chunk, emit: Emit) -> None:
        chunk = item.chunk
        try:
            session.push(chunk)
        except ForeignModelError as error:
            emit(_Refused(str(error)))
            return
        if chunk.epoch != self._last_pushed[0]:
            self._joined = (chunk.epoch, chunk.seq)
        self._last_pushed = (chunk.epoch, chunk.seq)
        self._newest_end_ns = chunk.stamp_ns + CHUNK_NS
        self._chunks[chunk.epoch, chunk.seq] = item.heard
        while len(self._chunks) > _REMEMBERED_CHUNKS:
            self._chunks.popitem(last=False)

    @staticmethod
    def _obey(session: Session, command: _Command) -> None:
        getattr(session, command.name)(*command.arguments)

    def _progress_of(self, session: Session, events: list[Event]) -> _Progress:
        shown = [(event, self._chunks.get((event.epoch, event.seq), Heard()))
                 for event in events]
        epoch, newest = self._last_pushed
        if not len(session.fifo):
            consumed = newest + 1
        elif session.consumed_seq is not None:
            consumed = session.consumed_seq + 1
        else:
            consumed = self._joined[1] if self._joined[0] == epoch else 0
        oldest = session.fifo.oldest_stamp_ns
        return _Progress(
            events=tuple(shown), epoch=epoch, consumed=consumed, depth=len(session.fifo),
            depths={lane.config.name: session.queue_depth(lane.config.name)
                    for lane in session.lanes},
            oldest_age_s=0.0 if oldest is None else (self._newest_end_ns - oldest) / 1e9,
            newest_end_ns=self._newest_end_ns)

    def _publish(self, output: Any) -> None:
        """Take what the worker emitted (executor, flow group)."""
        if isinstance(output, WorkerFailure):
            self.give_up(f'decoder cannot work: {output.error}')
        elif isinstance(output, Ready):
            self.get_logger().info(f'decoder ready after {output.seconds:.1f} s')
            self._take_over(output.result)
        elif isinstance(output, _Adjusted):
            assert self._model is not None, 'it was adjusted'
            self._note_lanes(self._model.session)
        elif isinstance(output, _Refused):
            self._refuse(output.reason)
        else:
            self._progress = output
            for event, heard in output.events:
                self._show(event, heard)
            if self._alerts is not None and output.newest_end_ns:
                self._alerts.tick(output.newest_end_ns)
            self._publish_credit()

    def _take_over(self, model: _Model) -> None:
        self._unsure = {}
        self._note_lanes(model.session)
        self._model, self.ready = model, True
        self._publish_credit()

    def _note_lanes(self, session: Session) -> None:
        """Learn what diagnostics say of the lanes."""
        lanes = [lane.config for lane in session.lanes]
        self._thresholds = {lane.name: lane.threshold for lane in lanes}
        for lane in lanes:
            if lane.min_confidence > 0 or lane.name in self._unsure:
                self._unsure.setdefault(
                    lane.name, Withheld(lane.min_confidence)).min_confidence = lane.min_confidence

    def _show(self, event: Event, heard: Heard) -> None:
        if isinstance(event, (Silence, ReplyStarted)):
            self._decisions.publish(decision_message(
                event, frame_id=heard.frame_id,
                queue_depth=self._progress.depths.get(event.lane, 0),
                latency_s=heard.latency_s()))
            self._nearest.setdefault(event.lane, deque(maxlen=_SHOWN_DECISIONS)).append(
                event.p_respond)
        self._replies += isinstance(event, ReplyStarted) and not event.robot_speaking
        self._rolled += isinstance(event, ContextRolled)
        if isinstance(event, StreamReset):
            self.get_logger().info(f'lane {event.lane} starts anew')
        if isinstance(event, ReplyWithheld):
            self._unsure[event.lane].note(event)
        self._board.show(event, heard)
        if isinstance(event, ReplyFinished) and self._alerts is not None:
            self._alerts.on_reply(event, heard.frame_id)

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

    def _on_chunk(self, message: Any) -> None:
        try:
            chunk = chunk_from_message(message)
        except AudioFormatError as error:
            self._refuse(str(error))
            return
        latency = (self.get_clock().now().nanoseconds - chunk.stamp_ns - CHUNK_NS) / 1e9
        heard = Heard(
            frame_id=message.header.frame_id, arrived_at=time.monotonic(),
            encode_latency_s=latency if 0 <= latency < _LIVE_LATENCY_S else float('nan'))
        if self._worker is not None and not self._worker.put(_Chunk(chunk, heard)):
            self._refuse('more chunks came than the credit allowed; the publisher of encoded '
                         'must be an encoder_node')

    def _refuse(self, reason: str) -> None:
        self._refusals += 1
        now = time.monotonic()
        if reason != self._refusal or now - self._refused_at > 5.0:
            self.get_logger().error(f'chunk refused: {reason}')
        self._refusal, self._refused_at = reason, now

    def _command(self, name: str, *arguments: Any) -> None:
        if self._worker is not None:
            self._worker.put(_Command(name, arguments), always=True)

    def _check_lane(self, name: str) -> None:
        names = [lane.name for lane in self.config.lanes]
        if name not in names:
            raise ConfigurationError(
                f'no lane is called {name!r}; expected one of {", ".join(names)}')

    def _on_reset(self, _request: Any, response: Any) -> Any:
        self._command('reset')
        response.success, response.message = True, 'every lane starts anew'
        return response

    def _on_cancel(self, request: Any, response: Any) -> Any:
        if request.lane:
            self._check_lane(request.lane)
        self._command('cancel', request.lane)
        response.success, response.message = True, 'a running reply is ended'
        return response

    def _on_set_prompt(self, request: Any, response: Any) -> Any:
        self._check_lane(request.lane)
        self._command('set_prompt', request.lane, request.prompt)
        response.success, response.message = True, f'lane {request.lane} starts anew'
        return response

    def _report_input(self) -> Report:
        report = Report()
        report.values.update(state=self.state, replies=self._replies)
        if not self.active:
            report.add(WARN, f'not deciding: the node is {self.state}')
        elif not self.get_publishers_info_by_topic(self.resolve_topic_name('encoded')):
            report.add(WARN, f'no encoder on {self.resolve_topic_name("encoded")}')
        self.qos_watch.check(report)
        for name, lane in self._nearest.items():
            report.values[f'{name}.p_respond_max'] = max(lane, default=float('nan'))
            report.values[f'{name}.threshold'] = self._thresholds.get(name, float('nan'))
        for name, unsure in self._unsure.items():
            unsure.check(name, report)
        return report

    def _report_model(self) -> Report:
        report = Report() if self._worker is None else model_report(
            self.config.model, unit='step', loaded=self.ready, since=self._configured_at,
            timings=self._timings, busy=self._busy,
            too_slow='decoding is slower than real time; take a faster device, a smaller model '
                     'or fewer lanes')
        report.values.update(idle=self.idle, failure=self.failure)
        if self.failure:
            report.add(ERROR, self.failure)
        return report

    def _report_decode(self) -> Report:
        report = Report()
        model, progress = self._model, self._progress
        report.values.update(
            lag_s=progress.oldest_age_s, depth=progress.depth, refused=self._refusals,
            context_rolled=self._rolled)
        if model is not None:
            report.values.update(vars(model.session.stats))
            report.values['dropped'] = model.session.fifo.stats.dropped
        if time.monotonic() - self._refused_at < 10.0:
            report.add(ERROR, f'chunk refused: {self._refusal}')
        return report

    def _report_alerts(self) -> Report:
        return self._alerts.report() if self._alerts is not None else Report()


def _resolved(lanes: Sequence[LaneConfig], runtime: Runtime) -> tuple[LaneConfig, ...]:
    return resolve_lanes(lanes, prompts=runtime.config.prompts,
                         thresholds=runtime.config.thresholds,
                         min_confidence=runtime.config.min_confidence,
                         slots=runtime.config.slots)


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to stop."""
    return run(lambda: [DecoderNode()], args)


if __name__ == '__main__':
    raise SystemExit(main())
