"""
encoder_node: audio in, encoded chunks out, paced by the decoder's credit.

Callbacks convert and enqueue; a worker thread runs the listening pipeline; the bounded queue
is touched with the node's lock held, like all else of the node, and needs none of its own.
"""

import functools
import time
from typing import Any

from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from std_msgs.msg import Bool
from std_srvs.srv import SetBool, Trigger

from audio_interaction_msgs.msg import AudioChunk, FifoCredit
from audio_interaction_msgs.msg import EncodedChunk as EncodedChunkMessage
from audio_interaction_ros.assembly import build_canceller, load_reader
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.recorder import Recorder
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.nodes.encoding.audio_input import AudioInput
from audio_interaction_ros.nodes.encoding.encoder_task import (
    BeginEpoch,
    EncoderSetup,
    EncoderTask,
    Flush,
    IncomingBlock,
    PauseDetector,
    PlayedAudio,
    PushToTalk,
)
from audio_interaction_ros.nodes.encoding.input_report import InputReport, RecentGrowth
from audio_interaction_ros.nodes.encoding.interruption import Interruption
from audio_interaction_ros.nodes.encoding.second_pass import SecondPassLink
from audio_interaction_ros.nodes.io.audio_messages import AudioConverter
from audio_interaction_ros.nodes.io.messages import chunk_message
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import (
    OK,
    WARN,
    Diagnostics,
    StatusReport,
    model_report,
    name_several,
)
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.nodes.lifecycle.runtime_source import RuntimeSource, load_encoder
from audio_interaction_ros.nodes.lifecycle.spinning import run
from audio_interaction_ros.nodes.lifecycle.worker import Ready, Worker, WorkerFailure
from audio_interaction_ros.offline import TAIL_S
from audio_interaction_ros.runtimes.registry import load_turn_judge
from audio_interaction_ros.stream.outbound import OutboundFifo
from audio_interaction_ros.stream.robot_speech import RobotSpeech

__all__ = ['EncoderNode', 'main']

_INBOX_BLOCKS = 200
_TICK_S = 0.2
_CONSUMER_S = 1.0  # credit comes at 2 Hz at least
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
        self._fifo: OutboundFifo | None = None
        self._interruption = Interruption()
        self._epoch = 0
        self._listening = True
        self._ready = self._held = False
        self.diagnostics = Diagnostics(node=self, tasks={
            'audio input': self._report_input, 'fifo': self._report_fifo,
            'model': self._report_model}, lock=self.lock)

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
        if not self._keeps_counts():
            self._fifo = OutboundFifo(settings=self.config.fifo)
        self._recent_drops, self._recent_echo = RecentGrowth(), RecentGrowth()
        self._speech = RobotSpeech(
            holdoff_s=self.config.audio.mute_holdoff_ms / 1000,
            timeout_s=self.config.audio.robot_speaking_timeout_s)
        self._frame_id = ''
        self._configured_at = time.monotonic()
        self._model: EncoderSetup | None = None
        self._was_present = False
        self._pause = PauseDetector(after_s=self.config.audio.idle_flush_s, period_s=_TICK_S)
        self._blocks = 0
        self._forget_at: float | None = None
        self.managed_timer(_TICK_S, self._forget_in_time, always=True, callback_group=self._flow)
        self._consumers: dict[str, float] = {}  # who gave credit lately, and when
        if self.config.record.directory:
            self._recorder = Recorder(settings=self.config.record)
        self._encoded = self.managed_publisher(
            EncodedChunkMessage, 'encoded', qos.encoded_profile(self.config.fifo.capacity))
        self.managed_subscription(FifoCredit, 'encoded/credit', self._on_credit, qos.CREDIT,
                                  always=True, callback_group=self._flow)
        self.managed_subscription(Bool, 'robot_speaking', self._on_robot_speaking, qos.FLAG)
        self._played = 0
        if self.config.audio.echo != 'none':
            self._reference = AudioConverter(type_name='audio_interaction_msgs/msg/AudioChunk')
            self.managed_subscription(
                AudioChunk, 'speech/reference', self._on_reference, qos.AUDIO_OUT,
                callback_group=MutuallyExclusiveCallbackGroup())
        self.managed_service(Trigger, '~/reset', self._on_reset, callback_group=self._flow)
        self.managed_service(SetBool, '~/set_listening', self._on_set_listening,
                             callback_group=self._flow)
        self.managed_service(SetBool, '~/push_to_talk', self._on_push_to_talk,
                             callback_group=self._flow)
        self.managed_timer(_TICK_S, self._tick, callback_group=self._flow)
        self._input = AudioInput(node=self, settings=self.config.audio, on_block=self._on_block,
                                 group=MutuallyExclusiveCallbackGroup(), infos=self._infos)
        if self.config.second_passes:
            self._second_pass = SecondPassLink(
                node=self, config=self.config, load=self._load_transcriber or (
                    lambda _: load_reader(self.config,
                                          threads=max(1, self.config.model.threads - 1))),
                load_judge=functools.partial(self._load_turn_judge, threads=1)
                if self.config.transcript.end == 'smart' else None)
        self._ears = EncoderTask(
            config=self.config, runtime=self._runtime, recorder=self._recorder,
            second_pass=self._second_pass, log=self.get_logger().error,
            interruption=self._interruption, make_canceller=self._make_canceller)
        self._input_report = InputReport(
            ears=self._ears, silence_warning_s=self.config.audio.silence_warning_s)
        self._worker = Worker(
            node=self, group=self._flow, setup=self._ears.load, compute=self._ears.compute,
            publish=self._publish, capacity=_INBOX_BLOCKS, name='encoder')
        self._worker.start()

    def _keeps_counts(self) -> bool:
        """Tell whether the queue goes on, after a fault: what was under way in it is counted."""
        if (self._fifo is None or not self._interruption.pending
                or self._fifo.settings.capacity != self.config.fifo.capacity):
            return False
        self._fifo.settings = self.config.fifo
        return True

    def start(self) -> None:
        """Begin a new epoch and listen once the model is there."""
        self._begin_epoch()
        self._forget_audio()
        if self._ready:
            self._open_input()

    def stop(self) -> None:
        """Stop capture and hand over what was heard before; it is decided and becomes final."""
        assert self._input is not None and self._worker is not None, 'set_up comes first'
        assert self._fifo is not None, 'set_up comes first'
        self._input.close()
        self._let_go()
        if self._ready and self._worker.alive:
            self._worker.put(Flush(tail_s=TAIL_S), always=True)
            done = self._worker.finish(_FINISH_S)
            self._publish_chunks(ending=True)
            left = self._fifo.stats(time.monotonic()).pending
            if left or not done:
                self.get_logger().warning(
                    f'deactivated before all was handed over: {left} chunks wait, and '
                    f'{"nothing is" if done else "more may be"} still being encoded; the '
                    f'decoder or the encoder is behind, and these are counted as lost')
        if self._forget_at is None:
            self._forget_at = time.monotonic() + _FORGET_AFTER_S

    def apply(self, config: AssistantConfig) -> None:
        """Take the settings that may change while the node works."""
        assert self._fifo is not None, 'only a configured node is asked'
        self._speech.holdoff_s = config.audio.mute_holdoff_ms / 1000
        self._input_report.silence_warning_s = config.audio.silence_warning_s
        self._fifo.settings = config.fifo
        if self._recorder is not None:
            self._recorder.retention_s = config.record.retention_s

    def tear_down(self) -> None:
        """Stop the threads, forget all audio."""
        self._ready = self._held = False
        if self._input is not None:
            self._input.close()
        for part in (self._second_pass, self._worker, self._recorder):
            if part is not None:
                part.close()
        self._second_pass = self._worker = self._recorder = self._input = None
        self._model = None

    def _publish(self, output: Any) -> None:
        """Take what the worker emitted (executor, flow group)."""
        if isinstance(output, WorkerFailure):
            self.give_up(f'encoder cannot work: {output.error}', output.error)
        elif isinstance(output, AudioFormatError):
            if self._input is not None:
                self._input.refuse(str(output))
        elif isinstance(output, Ready):
            self.get_logger().info(f'encoder ready after {output.seconds:.1f} s')
            self._model, self._ready = output.result, True
            if self.active:
                self._open_input()
        else:
            assert self._fifo is not None, 'set_up comes first'
            self.note_success()
            for chunk in output:
                self._fifo.offer(chunk, time.monotonic())
            self._publish_chunks()

    def _publish_chunks(self, *, ending: bool = False) -> None:
        if (self._fifo is None or not (self.active or ending)
                or not self._encoded.get_subscription_count()):
            return
        for chunk in self._fifo.take_publishable(time.monotonic()):
            self._encoded.publish(chunk_message(chunk, frame_id=self._frame_id))

    def _on_block(self, block: AudioBlock, frame_id: str) -> bool:
        self._frame_id = frame_id
        if self._second_pass is not None:
            self._second_pass.frame_id = frame_id
        self._blocks += 1
        worker = self._worker
        return (worker is not None and self.active and self._listening
                and worker.put(IncomingBlock(block, self._speech.is_active(time.monotonic()),
                                             self._speech.believed)))

    def _on_reference(self, message: Any) -> None:
        assert self._worker is not None, 'subscriptions exist only after set_up'
        try:
            block = self._reference.to_block(message, 0)
        except AudioFormatError as error:
            self.get_logger().error(f'speech/reference: {error}', throttle_duration_sec=5.0)
            return
        self._played += self._worker.put(PlayedAudio(block))

    def _on_credit(self, message: Any) -> None:
        assert self._fifo is not None, 'subscriptions exist only after set_up'
        now = time.monotonic()
        self._consumers = {
            **{name: at for name, at in self._consumers.items() if now - at < _CONSUMER_S},
            message.header.frame_id: now}
        self._fifo.on_credit(message.epoch, message.consumed_seq - 1, time.monotonic(),
                             consumer=message.header.frame_id)
        self._publish_chunks()

    def _on_robot_speaking(self, message: Any) -> None:
        self._speech.set_speaking(message.data, time.monotonic())

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
        self._speech.check_doubt(time.monotonic(), publishers=self.count_publishers(
            self.resolve_topic_name('robot_speaking')))
        if self._pause.has_paused(self._blocks) and self._worker is not None:
            self._worker.put(Flush(tail_s=TAIL_S, for_good=False), always=True)
        self._publish_chunks()

    def _forget_in_time(self) -> None:
        if self._forget_at is not None and time.monotonic() > self._forget_at:
            self._forget_audio()

    def _open_input(self) -> None:
        if self._listening and self._input is not None:
            self._input.open()

    def _begin_epoch(self) -> None:
        """Name a new epoch; no earlier process of this node can have used it."""
        self._epoch = max(self._epoch + 1, int(time.time()))
        assert self._worker is not None, 'set_up comes first'
        self._worker.put(BeginEpoch(self._epoch), always=True)

    def _on_reset(self, _request: Any, response: Any) -> Any:
        self._begin_epoch()
        self._forget_audio()
        response.success, response.message = True, f'epoch {self._epoch}'
        return response

    def _on_set_listening(self, request: Any, response: Any) -> Any:
        assert self._input is not None and self._worker is not None, 'set_up comes first'
        if request.data and not self._listening:
            self._listening = True
            if self._forget_at is not None:
                self._forget_audio()
            if self.active and self._ready:
                self._open_input()
        elif not request.data and self._listening:
            self._listening = False
            self._input.close()
            self._let_go()
            self._worker.put(Flush(tail_s=TAIL_S), always=True)
            self._forget_at = time.monotonic() + _FORGET_AFTER_S
        response.success = True
        response.message = 'listening' if self._listening else 'not listening'
        return response

    def _let_go(self) -> None:
        """Take it that the button was let go, where nothing more is heard."""
        if self._held and self._worker is not None:
            self._worker.put(PushToTalk(False), always=True)
        self._held = False

    def _on_push_to_talk(self, request: Any, response: Any) -> Any:
        assert self._worker is not None, 'set_up comes first'
        words = self._second_pass.words if self._second_pass is not None else None
        if words is None:
            response.message = ('expected words while they are spoken, found them turned off; set '
                                'transcript.second_pass and transcript.partial_ms')
        elif not words.working:
            response.message = 'the model that reads words is being loaded; try again'
        elif request.data and not (self.active and self._listening):
            response.message = ('not listening; activate the node, and call ~/set_listening with '
                                'true')
        elif not self._worker.put(PushToTalk(request.data), always=True):
            response.message = 'the encoder has stopped; see its diagnostics'
        else:
            response.success = True
            response.message = 'held: all is one utterance' if request.data else (
                'let go: the utterance ends')
        self._held = bool(request.data and response.success)
        return response

    def _forget_audio(self) -> None:
        """Drop the audio that was kept to be read again."""
        self._forget_at = None
        if self._second_pass is not None:
            self._second_pass.forget()

    def _report_input(self) -> StatusReport:
        report = StatusReport()
        self.qos_watch.check(report)
        report.values.update(state=self.state, listening=self._listening,
                             push_to_talk=self._held)
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
        if self._recorder is not None:
            report.values['recording_lost_chunks'] = self._recorder.lost
            if self._recorder.failure:
                report.add(WARN, self._recorder.failure)
        self._report_echo(report)
        if self._speech.doubt:
            report.add(WARN, f'{self._speech.doubt}: not believed, the robot hears again; its '
                             f'publisher must send false')
        self._input_report.check(report)
        return report

    def _report_echo(self, report: StatusReport) -> None:
        """Say whether the robot speaks, and whether its voice is taken out of what it hears."""
        canceller, speaks = self._ears.canceller, self._speech.is_active(time.monotonic())
        report.values['echo'] = self.config.audio.echo
        if canceller is None:
            if speaks:
                report.add(OK, 'the robot speaks: only critical alerts')
            return
        uncovered = self._recent_echo.growth(
            time.monotonic(), {'uncovered': canceller.uncovered})['uncovered']
        report.values.update(
            echo_played_blocks=self._played, echo_lost_blocks=canceller.reference.lost,
            echo_cancelled_s=canceller.cancelled / 100, echo_uncovered_s=canceller.uncovered / 100)
        if uncovered:
            report.add(WARN, f'the robot spoke for {uncovered / 100:.1f} s of the last 10 without '
                             f'what it played on speech/reference: only critical alerts then; '
                             f'whoever publishes robot_speaking must publish that too')
        elif speaks:
            report.add(OK, 'the robot speaks: its voice is taken out of what is heard')

    def _report_fifo(self) -> StatusReport:
        report = StatusReport()
        if self._fifo is None:
            return report
        stats = self._fifo.stats(time.monotonic())
        report.values.update(vars(stats), capacity=self.config.fifo.capacity)
        if self.active and not stats.decoder_present:
            report.add(WARN, 'no decoder: no credit within fifo.credit_timeout_s')
        dropped = self._recent_drops.growth(time.monotonic(), {'dropped': stats.dropped})
        if dropped['dropped']:
            report.add(WARN, f'{dropped["dropped"]:.0f} chunks dropped in the last 10 s: the '
                             f'decoder is too slow or was away')
        now = time.monotonic()
        live = [name for name, at in self._consumers.items() if now - at < _CONSUMER_S]
        for topic, what, wanted in (('encoded', 'encoder', True),
                                    ('encoded/credit', 'decoder', len(live) > 1)):
            crowd = name_several(self.get_publishers_info_by_topic(self.resolve_topic_name(topic)))
            if crowd and wanted:
                report.add(WARN, f'more than one {what} in this namespace: {crowd} (one that was '
                                 f'killed is listed for a while); stop all but one, or give each '
                                 f'pair a namespace of its own')
        return report

    def _report_model(self) -> StatusReport:
        report = StatusReport() if self._worker is None else model_report(
            self.config.model, unit='chunk', loaded=self._ready, since=self._configured_at,
            timings=self._ears.timings, busy=self._ears.busy,
            too_slow='encoding is slower than real time; take a faster device')
        self.report_attempts(report)
        report.values.update(idle=self.idle, failure=self.failure)
        if self._second_pass is not None:
            report.values.update(
                second_pass_done=self._second_pass.done,
                second_pass_reused=self._second_pass.reused,
                second_pass_kept=self._second_pass.kept)
            words = self._second_pass.words
            if words is not None:
                report.values.update(partials_read=words.read, partials_skipped=words.skipped)
            if self._second_pass.failure:
                report.add(WARN, self._second_pass.failure)
        return report


def main(args: list[str] | None = None) -> int:
    """Run the node until it is told to stop."""
    return run(lambda: [EncoderNode()], args)


if __name__ == '__main__':
    raise SystemExit(main())
