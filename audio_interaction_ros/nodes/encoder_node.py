"""
encoder_node: audio in, encoded chunks out, paced by the decoder's credit.

Callbacks convert and enqueue; a worker thread runs the listening pipeline; the bounded queue
lives in one callback group, so nothing of it needs a lock.
"""

import time
import traceback
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from audio_interaction_msgs.msg import EncodedChunk as EncodedChunkMessage
from audio_interaction_msgs.msg import FifoCredit
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from std_msgs.msg import Bool
from std_srvs.srv import SetBool, Trigger

from audio_interaction_ros.audio.block import AudioBlock, AudioChunk
from audio_interaction_ros.audio.pipeline import ListeningPipeline
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.nodes import qos
from audio_interaction_ros.nodes.audio_input import AudioInput
from audio_interaction_ros.nodes.diagnostics import (
    ERROR,
    OK,
    WARN,
    BusyMeter,
    Diagnostics,
    Report,
    Timings,
    model_report,
)
from audio_interaction_ros.nodes.managed import ManagedNode
from audio_interaction_ros.nodes.messages import chunk_message
from audio_interaction_ros.nodes.recorder import Recorder
from audio_interaction_ros.nodes.robot_speech import RobotSpeech
from audio_interaction_ros.nodes.running import run
from audio_interaction_ros.nodes.runtime_source import RuntimeSource, load_encoder
from audio_interaction_ros.nodes.second_pass import SecondPassLink, load_transcriber
from audio_interaction_ros.nodes.worker import Emit, Ready, Worker, WorkerFailure
from audio_interaction_ros.offline import build_pipeline
from audio_interaction_ros.protocol import CHUNK_NS
from audio_interaction_ros.runtimes.registry import Runtime
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.outbound import OutboundFifo

__all__ = ['EncoderNode', 'main']

_INBOX_BLOCKS = 200
_CHUNK_S = CHUNK_NS / 1e9


@dataclass(frozen=True)
class _Begin:
    epoch: int


@dataclass(frozen=True)
class _Flush:
    pass


@dataclass(frozen=True)
class _Block:
    block: AudioBlock
    robot_speaking: bool


@dataclass(frozen=True)
class _Model:
    runtime: Runtime
    """Kept, for a shared one lives only as long as somebody keeps it."""
    pipeline: ListeningPipeline


class EncoderNode(ManagedNode):
    """The listening half of the assistant."""

    def __init__(self, *, runtime: RuntimeSource = load_encoder,
                 transcriber: Any = load_transcriber, **options: Any) -> None:
        """Declare parameters; ``runtime`` and ``transcriber`` load the models."""
        super().__init__('encoder_node',
                         groups=('audio', 'fifo', 'model', 'transcript', 'translation', 'record'),
                         **options)
        self._runtime, self._load_transcriber = runtime, transcriber
        self._worker: Worker | None = None
        self._input: AudioInput | None = None
        self._second_pass: SecondPassLink | None = None
        self._recorder: Recorder | None = None
        self._fifo: OutboundFifo | None = None
        self._epoch = 0
        self._listening = True
        self._ready = False
        self.diagnostics = Diagnostics(node=self, tasks={
            'audio input': self._report_input, 'fifo': self._report_fifo,
            'model': self._report_model})

    @property
    def idle(self) -> bool:
        """True when everything heard is encoded and taken, and no second pass is under way."""
        if self._worker is None or self._fifo is None:
            return True
        stats = self._fifo.stats(time.monotonic())
        return (self._worker.idle and not stats.pending and not stats.in_flight
                and (self._second_pass is None or self._second_pass.idle))

    def set_up(self) -> None:
        """Create topics and services and start loading the model."""
        self._flow = MutuallyExclusiveCallbackGroup()
        self._fifo = OutboundFifo(settings=self.config.fifo)
        self._speech = RobotSpeech(holdoff_s=self.config.audio.mute_holdoff_ms / 1000)
        self._frame_id = ''
        self._timings, self._busy = Timings(), BusyMeter()
        self._configured_at = time.monotonic()
        self._model: _Model | None = None
        self._spoke, self._restarts = False, 0
        self._level_dbfs, self._silent_s, self._was_present = -120.0, 0.0, False
        if self.config.record.directory:
            self._recorder = Recorder(settings=self.config.record)
            self.managed_timer(self._recorder.period_s, self._recorder.delete_old, always=True,
                               callback_group=MutuallyExclusiveCallbackGroup())
        self._encoded = self.managed_publisher(
            EncodedChunkMessage, 'encoded', qos.encoded(self.config.fifo.capacity))
        self.managed_subscription(FifoCredit, 'encoded/credit', self._on_credit, qos.CREDIT,
                                  callback_group=self._flow)
        self.managed_subscription(Bool, 'robot_speaking', self._on_robot_speaking, qos.FLAG)
        self.managed_service(Trigger, '~/reset', self._on_reset, callback_group=self._flow)
        self.managed_service(SetBool, '~/set_listening', self._on_set_listening,
                             callback_group=self._flow)
        self.managed_timer(0.2, self._tick, callback_group=self._flow)
        self._input = AudioInput(node=self, settings=self.config.audio, on_block=self._on_block,
                                 group=MutuallyExclusiveCallbackGroup())
        if self.config.second_passes:
            self._second_pass = SecondPassLink(
                node=self, config=self.config, load=self._load_transcriber)
        self._worker = Worker(
            node=self, group=self._flow, setup=partial(self._load, self.config),
            compute=self._compute,
            publish=self._publish, capacity=_INBOX_BLOCKS, name='encoder')
        self._worker.start()

    def start(self) -> None:
        """Begin a new epoch and listen once the model is there."""
        self._begin_epoch()
        if self._ready:
            self._listen()

    def stop(self) -> None:
        """Stop capture and finish the chunk under way."""
        assert self._input is not None and self._worker is not None, 'set_up comes first'
        self._input.close()
        self._worker.put(_Flush(), always=True)

    def apply(self, config: AssistantConfig) -> None:
        """Take the settings that may change while the node works."""
        assert self._fifo is not None, 'only a configured node is asked'
        self._speech.holdoff_s = config.audio.mute_holdoff_ms / 1000
        self._fifo.settings = config.fifo
        if self._recorder is not None:
            self._recorder.retention_s = config.record.retention_s

    def tear_down(self) -> None:
        """Stop the threads, forget all audio."""
        self._ready = False
        if self._input is not None:
            self._input.close()
        for part in (self._second_pass, self._worker, self._recorder):
            if part is not None:
                part.close()
        self._second_pass = self._worker = self._recorder = self._input = None
        self._model = None

    def _load(self, config: AssistantConfig) -> _Model:
        runtime = self._runtime(config.model)
        return _Model(runtime, build_pipeline(config, runtime.encoder, on_chunk=self._on_chunk))

    def _on_chunk(self, chunk: AudioChunk) -> None:
        """See each chunk of audio before it is encoded (worker thread)."""
        self._level_dbfs = chunk.rms_dbfs
        silent = not chunk.samples.any()
        self._silent_s = self._silent_s + _CHUNK_S if silent else 0.0
        if self._second_pass is not None:
            self._second_pass.hear(chunk)
        if self._recorder is not None:
            self._recorder.write(chunk)

    def _compute(self, model: _Model, items: list[Any], emit: Emit) -> bool:
        for item in items:
            began = time.monotonic()
            chunks = self._encode(model.pipeline, item, emit)
            if chunks:
                now = time.monotonic()
                self._timings.add((now - began) / len(chunks))
                self._busy.add(now, now - began, _CHUNK_S * len(chunks))
                emit(chunks)
        return False

    def _encode(self, pipeline: ListeningPipeline, item: Any, emit: Emit) -> list[EncodedChunk]:
        if isinstance(item, _Begin):
            pipeline.reset(item.epoch)
            return []
        if isinstance(item, _Flush):
            chunks = list(pipeline.flush())
            if self._recorder is not None:
                self._recorder.close()
            return chunks
        self._spoke |= item.robot_speaking
        try:
            chunks = pipeline.push(item.block)
        except AudioFormatError as error:
            emit(error)
            return []
        except Exception:  # a fault of ours must not make the robot deaf
            self.get_logger().error(f'the stream starts anew after:\n{traceback.format_exc()}')
            self._restarts += 1
            pipeline.reset(pipeline.epoch)
            return []
        if self._spoke:
            chunks = [replace(chunk, robot_speaking=True) for chunk in chunks]
        if chunks:
            self._spoke = item.robot_speaking
        return list(chunks)

    def _publish(self, output: Any) -> None:
        """Take what the worker emitted (executor, flow group)."""
        if isinstance(output, WorkerFailure):
            self.give_up(f'encoder cannot work: {output.error}')
        elif isinstance(output, AudioFormatError):
            if self._input is not None:
                self._input.refuse(str(output))
        elif isinstance(output, Ready):
            self.get_logger().info(f'encoder ready after {output.seconds:.1f} s')
            self._model, self._ready = output.result, True
            if self.active:
                self._listen()
        else:
            assert self._fifo is not None, 'set_up comes first'
            for chunk in output:
                self._fifo.offer(chunk, time.monotonic())
            self._send()

    def _send(self) -> None:
        if (self._fifo is None or not self.active
                or not self._encoded.get_subscription_count()):
            return
        for chunk in self._fifo.take_publishable(time.monotonic()):
            self._encoded.publish(chunk_message(chunk, frame_id=self._frame_id))

    def _on_block(self, block: AudioBlock, frame_id: str) -> bool:
        self._frame_id = frame_id
        worker = self._worker
        return (worker is not None and self.active and self._listening
                and worker.put(_Block(block, self._speech.active(time.monotonic()))))

    def _on_credit(self, message: Any) -> None:
        assert self._fifo is not None, 'subscriptions exist only after set_up'
        self._fifo.on_credit(message.epoch, message.consumed_seq - 1, time.monotonic(),
                             consumer=message.header.frame_id)
        self._send()

    def _on_robot_speaking(self, message: Any) -> None:
        self._speech.set(message.data, time.monotonic())

    def _tick(self) -> None:
        if self._input is not None:
            self._input.poll()
        assert self._fifo is not None, 'timers exist only after set_up'
        present = self._fifo.decoder_present(time.monotonic())
        if self._was_present and not present:
            self.get_logger().warning(
                f'no credit for {self.config.fifo.credit_timeout_s} s: the decoder is gone; '
                f'keeping the newest {self.config.fifo.capacity} chunks')
        self._was_present = present
        self._send()

    def _listen(self) -> None:
        if self._listening and self._input is not None:
            self._input.open()

    def _begin_epoch(self) -> None:
        """Name a new epoch; no earlier process of this node can have used it."""
        self._epoch = max(self._epoch + 1, int(time.time()))
        assert self._worker is not None, 'set_up comes first'
        self._worker.put(_Begin(self._epoch), always=True)

    def _on_reset(self, _request: Any, response: Any) -> Any:
        self._begin_epoch()
        if self._second_pass is not None:
            self._second_pass.forget()
        response.success, response.message = True, f'epoch {self._epoch}'
        return response

    def _on_set_listening(self, request: Any, response: Any) -> Any:
        assert self._input is not None and self._worker is not None, 'set_up comes first'
        if request.data and not self._listening:
            self._listening = True
            if self.active and self._ready:
                self._listen()
        elif not request.data:
            self._listening = False
            self._input.close()
            self._worker.put(_Flush(), always=True)
            if self._second_pass is not None:
                self._second_pass.forget()
        response.success = True
        response.message = 'listening' if self._listening else 'not listening'
        return response

    def _report_input(self) -> Report:
        report = Report()
        self.qos_watch.check(report)
        report.values.update(state=self.state, listening=self._listening)
        if not self.active:
            report.add(WARN, f'not listening: the node is {self.state}')
        if not self._listening:
            report.add(WARN, 'muted by ~/set_listening: no audio is captured')
        elif self.active and not self._ready:
            report.add(WARN, 'not listening yet: the model is being loaded')
        if self._input is None:
            return report
        self._input.report(report)
        report.values['recording'] = self.config.record.directory or 'off'
        if self._recorder is not None and self._recorder.failure:
            report.add(WARN, self._recorder.failure)
        report.values['level_dbfs'] = self._level_dbfs
        if self._speech.active(time.monotonic()):
            report.add(OK, 'the robot speaks: only critical alerts')
        model = self._model
        if model is not None:
            report.values.update(vars(model.pipeline.frontend.stats), restarts=self._restarts)
            if self._restarts:
                report.add(WARN, f'the stream started anew {self._restarts} times after a fault')
        if self._silent_s >= self.config.audio.silence_warning_s:
            report.add(WARN, f'digital silence for {self._silent_s:.0f} s: is this the right '
                             f'microphone?')
        return report

    def _report_fifo(self) -> Report:
        report = Report()
        if self._fifo is None:
            return report
        stats = self._fifo.stats(time.monotonic())
        report.values.update(vars(stats), capacity=self.config.fifo.capacity)
        if self.active and not stats.decoder_present:
            report.add(WARN, 'no decoder: no credit within fifo.credit_timeout_s')
        if stats.dropped:
            report.add(WARN, f'{stats.dropped} chunks dropped so far')
        return report

    def _report_model(self) -> Report:
        report = Report() if self._worker is None else model_report(
            self.config.model, unit='chunk', loaded=self._ready, since=self._configured_at,
            timings=self._timings, busy=self._busy,
            too_slow='encoding is slower than real time; take a faster device')
        report.values.update(idle=self.idle, failure=self.failure)
        if self.failure:
            report.add(ERROR, self.failure)
        if self._second_pass is not None:
            report.values.update(
                second_pass_done=self._second_pass.done,
                second_pass_reused=self._second_pass.reused,
                second_pass_kept=self._second_pass.kept)
            if self._second_pass.failure:
                report.add(WARN, self._second_pass.failure)
        return report


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to stop."""
    return run(lambda: [EncoderNode()], args)


if __name__ == '__main__':
    raise SystemExit(main())
