"""
encoder_node: audio in, encoded chunks out, paced by the decoder's credit.

Callbacks convert and enqueue; a worker thread runs the listening pipeline; the bounded queue
is touched with the node's lock held, like all else of the node, and needs none of its own.
"""

import time
from functools import partial
from typing import Any

from rclpy.callback_groups import CallbackGroup, MutuallyExclusiveCallbackGroup
from std_srvs.srv import SetBool, Trigger

from audio_interaction_ros.assembly import build_canceller, load_reader
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.recorder import Recorder
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.nodes.encoding.audio_input import AudioInput
from audio_interaction_ros.nodes.encoding.chunk_outlet import ChunkOutlet
from audio_interaction_ros.nodes.encoding.encoder_task import (
    BeginEpoch,
    EncoderSetup,
    EncoderTask,
    Flush,
    IncomingBlock,
    PauseDetector,
)
from audio_interaction_ros.nodes.encoding.input_report import InputReport
from audio_interaction_ros.nodes.encoding.interruption import Interruption
from audio_interaction_ros.nodes.encoding.own_voice import OwnVoice
from audio_interaction_ros.nodes.encoding.second_pass import SecondPassLink
from audio_interaction_ros.nodes.encoding.talk_button import TalkButton
from audio_interaction_ros.nodes.lifecycle.diagnostics import WARN, Diagnostics, StatusReport
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.nodes.lifecycle.model_load import model_report
from audio_interaction_ros.nodes.lifecycle.runtime_source import (
    HalfInUse,
    RuntimeSource,
    load_encoder,
)
from audio_interaction_ros.nodes.lifecycle.spinning import run
from audio_interaction_ros.nodes.lifecycle.worker import Ready, Worker, WorkerFailure
from audio_interaction_ros.offline import TAIL_S
from audio_interaction_ros.runtimes.registry import load_turn_judge
from audio_interaction_ros.stream.outbound import OutboundFifo

__all__ = ['EncoderNode', 'main']

_INBOX_BLOCKS = 200
_TICK_S = 0.2
_FORGET_AFTER_S = 10.0  # what was said right before a mute or an end may still be read again
_FINISH_S = 2.0  # so long a transition waits for the last words


class EncoderNode(ManagedNode):
    """The listening half of the assistant."""

    def __init__(self, *, runtime: RuntimeSource = load_encoder,
                 transcriber: Any = None, turn_judge: Any = load_turn_judge,
                 canceller: Any = build_canceller, **options: Any) -> None:
        """
        Declare parameters; ``runtime``, ``transcriber`` (by name) and ``turn_judge`` load models.

        The last, which hears whether a voice is through, only for ``transcript.end: smart``.
        ``canceller`` makes what takes the robot's own voice out.
        """
        super().__init__('encoder_node',
                         groups=('audio', 'fifo', 'model', 'transcript', 'translation', 'record'),
                         **options)
        self._runtime, self._load_transcriber = runtime, transcriber
        self._make_canceller = canceller
        self._load_turn_judge = turn_judge
        self._worker: Worker | None = None
        self._input: AudioInput | None = None
        self._infos: dict[tuple[str, str], Any] = {}  # what descriptions of audio said
        self._second_pass: SecondPassLink | None = None
        self._recorder: Recorder | None = None
        self._outlet: ChunkOutlet | None = None
        self._model: EncoderSetup | None = None
        self._button: TalkButton | None = None
        self._interruption = Interruption()
        self._epoch = 0
        self._listening = True
        self.diagnostics = Diagnostics(node=self, tasks={
            'audio input': self._report_input, 'fifo': self._report_fifo,
            'model': self._report_model}, lock=self.lock)

    @property
    def ready(self) -> bool:
        """True when the model is loaded."""
        return self._model is not None

    @property
    def idle(self) -> bool:
        """True when everything heard is encoded and taken, and no second pass is under way."""
        if self._worker is None or self._outlet is None:
            return True
        return (self._worker.idle and self._outlet.empty
                and (self._second_pass is None or self._second_pass.idle))

    def set_up(self) -> None:
        """Create topics and services and start loading the model."""
        config, flow = self.config, MutuallyExclusiveCallbackGroup()
        self._configured_at = time.monotonic()
        self._forget_at: float | None = None
        self._blocks = 0
        self._pause = PauseDetector(after_s=config.audio.idle_flush_s, period_s=_TICK_S)
        self._outlet = ChunkOutlet(node=self, group=flow, fifo=self._choose_fifo())
        if config.record.directory:
            self._recorder = Recorder(settings=config.record)
        self._second_pass = self._make_second_pass()
        self._worker = worker = self._make_worker(flow)
        self._voice = OwnVoice(node=self, settings=config.audio, put=worker.put)
        self._input = AudioInput(node=self, settings=config.audio, on_block=self._on_block,
                                 group=MutuallyExclusiveCallbackGroup(), infos=self._infos)
        self._button = TalkButton(
            node=self, group=flow, put=self._put, listens=lambda: self.active and self._listening,
            words=None if self._second_pass is None else self._second_pass.words)
        self.managed_service(Trigger, '~/reset', self._on_reset, callback_group=flow)
        self.managed_service(SetBool, '~/set_listening', self._on_set_listening,
                             callback_group=flow)
        self.managed_timer(_TICK_S, self._tick, always=True, callback_group=flow)
        worker.start()

    def _make_second_pass(self) -> SecondPassLink | None:
        config = self.config
        if not config.second_passes:
            return None
        smart = config.transcript.end == 'smart'
        return SecondPassLink(
            node=self, config=config,
            load=self._load_transcriber or (
                lambda _: load_reader(config, threads=max(1, config.model.threads - 1))),
            load_judge=partial(self._load_turn_judge, threads=1) if smart else None)

    def _make_worker(self, group: CallbackGroup) -> Worker:
        """Make what hears, and the thread in which it does."""
        self._ears = EncoderTask(
            config=self.config, runtime=self._runtime, recorder=self._recorder,
            second_pass=self._second_pass, log=self.get_logger().error,
            interruption=self._interruption, make_canceller=self._make_canceller,
            take=partial(HalfInUse, node=self))
        self._input_report = InputReport(
            ears=self._ears, silence_warning_s=self.config.audio.silence_warning_s)
        return Worker(
            node=self, group=group, setup=self._ears.load, compute=self._ears.compute,
            publish=self._publish, capacity=_INBOX_BLOCKS, name='encoder')

    def _choose_fifo(self) -> OutboundFifo:
        """Return the queue: after a fault it goes on, for what was under way in it is counted."""
        settings, before = self.config.fifo, None if self._outlet is None else self._outlet.fifo
        if (before is None or not self._interruption.pending
                or before.settings.capacity != settings.capacity):
            return OutboundFifo(settings=settings)
        before.settings = settings
        return before

    def start(self) -> None:
        """Begin a new epoch and listen once the model is there."""
        self._begin_epoch()
        self._forget_audio()
        self._open_input()

    def stop(self) -> None:
        """Stop capture and hand over what was heard before; it is decided and becomes final."""
        self._close_input()
        if self._model is not None:
            self._hand_over_the_rest()
        if self._forget_at is None:
            self._forget_at = time.monotonic() + _FORGET_AFTER_S

    def _hand_over_the_rest(self) -> None:
        """Have the end of what was heard encoded, and publish it, for a moment."""
        assert self._worker is not None and self._outlet is not None, 'set_up comes first'
        if not self._worker.alive:
            return
        self._put(Flush(tail_s=TAIL_S))
        done = self._worker.finish(_FINISH_S)
        self._outlet.publish(ending=True)
        left = self._outlet.waiting
        if left or not done:
            self.get_logger().warning(
                f'deactivated before all was handed over: {left} chunks wait, and '
                f'{"nothing is" if done else "more may be"} still being encoded; the decoder or '
                f'the encoder is behind, and these are counted as lost')

    def apply(self, config: AssistantConfig) -> None:
        """Take the settings that may change while the node works."""
        assert self._outlet is not None, 'only a configured node is asked'
        self._voice.apply(config.audio)
        self._input_report.silence_warning_s = config.audio.silence_warning_s
        self._outlet.fifo.settings = config.fifo
        if self._recorder is not None:
            self._recorder.retention_s = config.record.retention_s

    def tear_down(self) -> None:
        """Stop the threads, forget all audio."""
        for part in (self._input, self._second_pass, self._worker, self._recorder):
            if part is not None:
                part.close()
        self._second_pass = self._worker = self._recorder = self._input = None
        self._model = self._button = None

    def _put(self, command: Any) -> bool:
        """Hand a command to the worker; False where it has too many of them, or is none."""
        return self._worker is not None and self._worker.put(command, always=True)

    def _publish(self, output: Any) -> None:
        """Take what the worker emitted (executor, flow group)."""
        assert self._outlet is not None, 'set_up comes first'
        match output:
            case WorkerFailure():
                self.recovery.give_up(f'encoder cannot work: {output.error}', output.error)
            case AudioFormatError():
                if self._input is not None:
                    self._input.refuse(str(output))
            case Ready(model, seconds):
                self.get_logger().info(f'encoder ready after {seconds:.1f} s')
                self._model = model
                if self.active:
                    self._open_input()
            case chunks:
                self.recovery.note_success()
                self._outlet.offer(chunks)

    def _on_block(self, block: AudioBlock, frame_id: str) -> bool:
        assert self._outlet is not None, 'the input is opened after set_up'
        self._outlet.frame_id = frame_id
        if self._second_pass is not None:
            self._second_pass.frame_id = frame_id
        self._blocks += 1
        worker = self._worker
        return (worker is not None and self.active and self._listening
                and worker.put(IncomingBlock(block, self._voice.active,
                                             self._voice.speech.believed)))

    def _tick(self) -> None:
        if self._forget_at is not None and time.monotonic() > self._forget_at:
            self._forget_audio()
        if self.active:
            self._look_around()

    def _look_around(self) -> None:
        assert self._outlet is not None, 'timers exist only after set_up'
        if self._input is not None:
            self._input.poll()
        self._voice.look()
        if self._pause.has_paused(self._blocks):
            self._put(Flush(tail_s=TAIL_S, for_good=False))
        self._outlet.look()

    def _open_input(self) -> None:
        """Listen, where that is wanted and the model is there."""
        if self._listening and self.ready and self._input is not None:
            self._input.open()

    def _close_input(self) -> None:
        """Listen no more; a button that is held is let go."""
        if self._input is not None:
            self._input.close()
        if self._button is not None:
            self._button.let_go()

    def _begin_epoch(self) -> None:
        """Name a new epoch; no earlier process of this node can have used it."""
        self._epoch = max(self._epoch + 1, int(time.time()))
        self._put(BeginEpoch(self._epoch))

    def _on_reset(self, _request: Any, response: Any) -> Any:
        self._begin_epoch()
        self._forget_audio()
        response.success, response.message = True, f'epoch {self._epoch}'
        return response

    def _on_set_listening(self, request: Any, response: Any) -> Any:
        if request.data and not self._listening:
            self._listening = True
            if self._forget_at is not None:
                self._forget_audio()
            if self.active:
                self._open_input()
        elif not request.data and self._listening:
            self._listening = False
            self._close_input()
            self._put(Flush(tail_s=TAIL_S))
            self._forget_at = time.monotonic() + _FORGET_AFTER_S
        response.success = True
        response.message = 'listening' if self._listening else 'not listening'
        return response

    def _forget_audio(self) -> None:
        """Drop the audio that was kept to be read again."""
        self._forget_at = None
        if self._second_pass is not None:
            self._second_pass.forget()

    def _report_input(self) -> StatusReport:
        report = StatusReport()
        self.qos_watch.check(report)
        self.name_watch.check(report)
        report.values.update(state=self.state, listening=self._listening,
                             push_to_talk=self._button is not None and self._button.held)
        if not self.active:
            report.add(WARN, f'not listening: the node is {self.state}')
        if not self._listening:
            report.add(WARN, 'muted by ~/set_listening: no audio is captured')
        elif self.active and not self.ready:
            report.add(WARN, 'not listening yet: the model is being loaded')
        if self._input is None:
            return report
        self._input.report(report)
        report.values['recording'] = self.config.record.directory or 'off'
        if self._recorder is not None:
            report.values['recording_lost_chunks'] = self._recorder.lost
            if self._recorder.failure:
                report.add(WARN, self._recorder.failure)
        self._voice.report(self._ears.canceller, report)
        self._input_report.check(report)
        return report

    def _report_fifo(self) -> StatusReport:
        return StatusReport() if self._outlet is None else self._outlet.report()

    def _report_model(self) -> StatusReport:
        report = StatusReport() if self._worker is None else model_report(
            self.config.model, unit='chunk', loaded=self.ready, since=self._configured_at,
            timings=self._ears.timings, busy=self._ears.busy,
            too_slow='encoding is slower than real time; end other programs, or take a '
                     'faster device')
        self.recovery.report(report)
        report.values.update(idle=self.idle, failure=self.failure)
        if self._second_pass is not None:
            self._second_pass.report(report)
        return report


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to stop."""
    return run(lambda: [EncoderNode()], args)


if __name__ == '__main__':
    raise SystemExit(main())
