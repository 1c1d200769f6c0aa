"""
decoder_node: encoded chunks in; sounds, decisions, transcripts, replies and alerts out.

Owns the states of the node, what its thread brings and diagnostics. Callbacks convert and enqueue;
a worker thread (nodes.decoding.decoder_task) steps the session, one forward pass at a time, so
what arrives meanwhile is taken between two text tokens. What comes of it is published by the
boards (nodes.decoding.boards).
"""

import time
from functools import partial
from typing import Any

from rclpy.callback_groups import CallbackGroup, MutuallyExclusiveCallbackGroup

from audio_interaction_msgs.msg import Decision
from audio_interaction_msgs.msg import EncodedChunk as EncodedChunkMessage
from audio_interaction_ros.assembly import load_reply_model
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.nodes.decoding.boards import Boards
from audio_interaction_ros.nodes.decoding.chunk_origin import ChunkOrigin
from audio_interaction_ros.nodes.decoding.credit_outlet import CreditOutlet
from audio_interaction_ros.nodes.decoding.decoder_health import DecoderHealth
from audio_interaction_ros.nodes.decoding.decoder_task import (
    ChunkHeard,
    ChunkRefused,
    DecoderTask,
    IncomingChunk,
    LanesAdjusted,
    Progress,
)
from audio_interaction_ros.nodes.decoding.listen_action import ListenAction
from audio_interaction_ros.nodes.decoding.session_commands import SessionCommands
from audio_interaction_ros.nodes.io.chunk_messages import chunk_from_message, decision_message
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import WARN, Diagnostics, StatusReport
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.nodes.lifecycle.model_load import BusyMeter, Timings, model_report
from audio_interaction_ros.nodes.lifecycle.runtime_source import (
    HalfInUse,
    RuntimeSource,
    load_decoder,
)
from audio_interaction_ros.nodes.lifecycle.spinning import run
from audio_interaction_ros.nodes.lifecycle.worker import Ready, Worker, WorkerFailure
from audio_interaction_ros.stream.events import Event, ReplyStarted, Silence

__all__ = ['DecoderNode', 'main']

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
        self._boards: Boards | None = None
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
    def boards(self) -> Boards:
        """What publishes, once the node was configured; after a cleanup that of before."""
        assert self._boards is not None, 'set_up comes first'
        return self._boards

    @property
    def idle(self) -> bool:
        """True when every chunk that came is decided on and published."""
        return self._worker is None or (self._worker.idle and self.boards.idle)

    def set_up(self) -> None:
        """Create topics and services and start loading the model."""
        config, flow = self.config, MutuallyExclusiveCallbackGroup()
        config.check_translation()  # before a model is loaded for it
        self._timings, self._busy = Timings(), BusyMeter()
        self._configured_at = time.monotonic()
        self._progress = Progress()
        self._worker = worker = self._make_worker(flow)
        self._commands = SessionCommands(
            node=self, worker=worker, lanes=config.lanes, model=lambda: self._model)
        self._decisions = self.managed_publisher(Decision, 'decisions', qos.DECISIONS)
        self._credit = CreditOutlet(node=self, capacity=config.fifo.capacity, group=flow)
        self._boards = Boards(
            node=self, config=config, group=flow, commands=self._commands,
            load_text_model=self._load_text_model, hearing=lambda: self.ready,
            before=self._boards)
        self._listen.open()
        worker.start()
        self.managed_subscription(
            EncodedChunkMessage, 'encoded', self._on_chunk,
            qos.encoded_profile(config.fifo.capacity),
            callback_group=MutuallyExclusiveCallbackGroup())

    def _make_worker(self, group: CallbackGroup) -> Worker:
        return Worker(
            node=self, group=group,
            setup=partial(DecoderTask, load=self._runtime, take=partial(HalfInUse, node=self),
                          config=self.config, timings=self._timings, busy=self._busy),
            compute=DecoderTask.compute, publish=self._publish,
            capacity=2 * self.config.fifo.capacity + 4, name='decoder')

    def start(self) -> None:
        """Offer credit."""
        self._credit.begin()

    def stop(self) -> None:
        """Stop hearing; running replies and sounds that go on are ended."""
        self._commands.end_all()
        self.boards.give_up()
        self._listen.give_up('the node was deactivated')

    def apply(self, config: AssistantConfig) -> None:
        """Take the settings that may change while the node works."""
        self.boards.apply(config)
        if config.lanes != self.config.lanes:
            self._commands.adjust_lanes(config.lanes)

    def tear_down(self) -> None:
        """Stop the threads and forget the session."""
        self.ready = False
        if self._worker is not None:
            self._worker.close()
        if self._boards is not None:
            self._boards.close()
        self._listen.give_up('the node was cleaned up')
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
                self.recovery.give_up(f'decoder cannot work: {output.error}', output.error)
            case Ready(model, seconds):
                self.get_logger().info(f'decoder ready after {seconds:.1f} s')
                self._adopt_model(model)
            case LanesAdjusted(lanes):
                self._health.note_lanes(lanes)
            case ChunkRefused(reason):
                self._health.note_refusal(reason)
            case ChunkHeard():
                self.boards.hear_chunk(output)
            case Progress():
                self._take_progress(output)

    def _take_progress(self, progress: Progress) -> None:
        """Publish what a pass brought, and let pass what waits for audio time."""
        self._progress = progress
        for event, heard in progress.events:
            self._publish_event(event, heard)
        if progress.newest_end_ns:
            self.boards.tick(progress.newest_end_ns - round(progress.oldest_age_s * 1e9))
        self._credit.publish(progress)

    def _adopt_model(self, model: DecoderTask) -> None:
        self._health.forget_lanes()
        self._health.note_lanes(model.lanes)
        self._model, self.ready = model, True
        self._commands.read_prompts()
        self.boards.adopt(model.runtime)
        self._credit.publish(self._progress)

    def _publish_event(self, event: Event, heard: ChunkOrigin) -> None:
        if isinstance(event, (Silence, ReplyStarted)):
            self._decisions.publish(decision_message(
                event, frame_id=heard.frame_id,
                queue_depth=self._progress.depths.get(event.lane, 0),
                latency_s=heard.latency_s()))
            self.recovery.note_success()
        self._health.note_event(event)
        self.boards.publish_event(event, heard)

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

    def _report_input(self) -> StatusReport:
        report = StatusReport()
        report.values['state'] = self.state
        if not self.active:
            report.add(WARN, f'not deciding: the node is {self.state}')
        elif not self.get_publishers_info_by_topic(self.resolve_topic_name('encoded')):
            report.add(WARN, f'no encoder on {self.resolve_topic_name("encoded")}')
        self.qos_watch.check(report)
        self.name_watch.check(report)
        self._health.report_input(report)
        if self._worker is not None:
            self.boards.report_inputs(report)
        return report

    def _report_model(self) -> StatusReport:
        report = StatusReport() if self._worker is None else model_report(
            self.config.model, unit='step', loaded=self.ready, since=self._configured_at,
            timings=self._timings, busy=self._busy,
            too_slow='decoding is slower than real time; end other programs, or take a faster '
                     'device, a smaller model or fewer lanes')
        self.recovery.report(report)
        report.values.update(idle=self.idle, failure=self.failure)
        return report

    def _report_decode(self) -> StatusReport:
        report = StatusReport()
        self._health.report_decode(report, self._progress, (
            [] if self._worker is None else [self.boards.report_texts]))
        return report

    def _report_sounds(self) -> StatusReport:
        return StatusReport() if self._boards is None else self._boards.sounds.report()

    def _report_alerts(self) -> StatusReport:
        return StatusReport() if self._boards is None else self._boards.alerts.report()


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to stop."""
    return run(lambda: [DecoderNode()], args)


if __name__ == '__main__':
    raise SystemExit(main())
