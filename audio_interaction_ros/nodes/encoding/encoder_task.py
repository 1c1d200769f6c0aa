"""
What encoder_node's worker thread does: blocks in, encoded chunks out, and what was seen of them.

Owns the order of blocks, pauses and new epochs, and the model while it is loaded. Knows no topics
and no queue; whatever is emitted is the node's to publish. Also holds ``PauseDetector``, which
tells when audio has stopped.
"""

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from audio_interaction_ros.assembly import build_canceller, build_pipeline
from audio_interaction_ros.audio.block import AudioBlock, AudioChunk
from audio_interaction_ros.audio.echo import EchoCanceller
from audio_interaction_ros.audio.frontend import FrontEndStats
from audio_interaction_ros.audio.recorder import Recorder
from audio_interaction_ros.config import AssistantConfig, AudioConfig
from audio_interaction_ros.errors import AudioFormatError
from audio_interaction_ros.nodes.encoding.interruption import Interruption
from audio_interaction_ros.nodes.encoding.second_pass import SecondPassLink
from audio_interaction_ros.nodes.lifecycle.model_load import BusyMeter, Timings
from audio_interaction_ros.nodes.lifecycle.runtime_source import RuntimeSource
from audio_interaction_ros.nodes.lifecycle.worker import Emit
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.runtimes.base import Encoder, Runtime
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.listening import ListeningPipeline

__all__ = ['BeginEpoch', 'EncoderSetup', 'EncoderTask', 'Flush', 'IncomingBlock', 'PauseDetector',
           'PlayedAudio', 'PushToTalk']

_MOST_FAILURES = 5
"""Times in a row that the stream may start anew without a chunk; then the node does."""


@dataclass(frozen=True)
class BeginEpoch:
    """A new epoch: everything heard is forgotten."""

    epoch: int


@dataclass(frozen=True)
class Flush:
    """The audio stopped: what is pending is heard to its end."""

    tail_s: float = 0.0
    """Silence to hear after it, so that a late decision can fire."""
    for_good: bool = True
    """False: a pause, after which a recording goes on in the same file."""


@dataclass(frozen=True)
class PushToTalk:
    """A button that makes one utterance of all that is said was pressed or let go."""

    held: bool


@dataclass(frozen=True)
class IncomingBlock:
    """Audio as it came."""

    block: AudioBlock
    robot_speaking: bool
    """What is heard may be the robot's own voice: it speaks, or did so just now."""
    speaks_now: bool = False
    """It speaks, so that there is a reference to wait for."""


@dataclass(frozen=True)
class PlayedAudio:
    """Audio that the robot itself plays."""

    block: AudioBlock


@dataclass(frozen=True)
class EncoderSetup:
    """What setup of the worker returns."""

    runtime: Runtime
    """Kept, for a shared one lives only as long as somebody keeps it."""
    taken: object
    pipeline: ListeningPipeline


class PauseDetector:
    """
    Tells when audio has stopped, by looks at a counter at a steady pace.

    Looks are counted, not seconds: a process that stood still looks once, and must not take its
    own sleep for silence while messages wait for it.
    """

    def __init__(self, *, after_s: float, period_s: float) -> None:
        """Wait for audio; with ``after_s`` 0 it never stops."""
        self._looks_needed = ceil(after_s / period_s) if after_s else 0
        self._seen = self._looks = 0

    def has_paused(self, count: int) -> bool:
        """Return True once, when the count of blocks has stood still for long enough."""
        if count != self._seen:
            self._seen, self._looks = count, 0
            return False
        if not count or not self._looks_needed:
            return False
        self._looks += 1
        return self._looks == self._looks_needed


class EncoderTask:
    """The worker's side of an encoder node, for one configuration of it."""

    def __init__(self, *, config: AssistantConfig, runtime: RuntimeSource,
                 recorder: Recorder | None, second_pass: SecondPassLink | None,
                 log: Callable[[str], Any], interruption: Interruption,
                 take: Callable[[Encoder], object] = lambda encoder: None,
                 make_canceller: Callable[[AudioConfig], EchoCanceller | None] = build_canceller,
                 ) -> None:
        """
        Load nothing yet; ``log`` takes what an operator must see of a fault.

        ``take`` is told which encoder is used; what it returns is kept as long as that is so.
        """
        self._take = take
        self._make_canceller = make_canceller
        self.canceller: EchoCanceller | None = None
        """Takes the robot's own voice out, once it is loaded."""
        self._interruption = interruption
        self._config, self._runtime, self._log = config, runtime, log
        self._recorder, self._second_pass = recorder, second_pass
        self._spoke = False  # the robot did, during the audio of the next chunk
        self.timings, self.busy = Timings(), BusyMeter()
        self.stats = FrontEndStats()
        """Of the audio so far; the front end's own once the model is loaded."""
        self.level_dbfs = -120.0
        self.loudest_dbfs = -120.0
        """Of the chunks since somebody last set this."""
        self.silent_s = 0.0
        """Length of the digital silence that lasts until now."""
        self.restarts = 0
        self.lost_in_faults = 0
        """Samples (at 16 kHz) that were not heard because of a fault of ours."""
        self._failures = 0

    def load(self) -> EncoderSetup:
        """Load the model; slow."""
        self.canceller = self._make_canceller(self._config.audio)
        if self.canceller is not None and self._second_pass is not None:
            self.canceller.on_frame = self._second_pass.overhear
        runtime = self._runtime(self._config.model)
        return EncoderSetup(runtime, self._take(runtime.encoder), build_pipeline(
            self._config, runtime.encoder, runtime.sounds, canceller=self.canceller,
            on_chunk=self._on_chunk, on_part=self._on_part))

    def compute(self, model: EncoderSetup, items: list[Any], emit: Emit) -> bool:
        """
        Work off what came; a fault of ours starts the stream anew, so that nobody goes deaf.

        Raises it when that was done five times and no chunk came.
        """
        self.stats = model.pipeline.frontend.stats
        for item in items:
            began = time.monotonic()
            try:
                chunks = self._encode(model.pipeline, item)
            except AudioFormatError as error:
                emit(error)
                continue
            except Exception:
                self._note_fault(item)
                if self._failures >= _MOST_FAILURES:
                    raise
                model.pipeline.reset(model.pipeline.epoch)
                continue
            if chunks:
                self._failures = 0
                now = time.monotonic()
                self.timings.add((now - began) / len(chunks))
                self.busy.add(now, now - began, sum(chunk.duration_ns for chunk in chunks) / 1e9)
                emit(chunks)
        return False

    def _note_fault(self, item: Any) -> None:
        self._log(f'the stream starts anew after:\n{traceback.format_exc()}')
        self.restarts += 1
        self._failures += 1
        if isinstance(item, Flush):
            self._interruption.forget()  # the pause after it is no loss
        self._interruption.note_fault()

    def _encode(self, pipeline: ListeningPipeline, item: Any) -> list[EncodedChunk]:
        match item:
            case IncomingBlock():
                return self._hear(pipeline, item)
            case Flush():
                return self._flush(pipeline, item)
            case BeginEpoch(epoch):
                pipeline.reset(epoch)
                if self._second_pass is not None:
                    self._second_pass.forget()  # also what was heard since the epoch was named
            case PushToTalk(held) if self._second_pass is not None:
                self._second_pass.hold(held)
            case PlayedAudio(block) if self.canceller is not None:
                self.canceller.reference.push(block)
        return []

    def _flush(self, pipeline: ListeningPipeline, item: Flush) -> list[EncodedChunk]:
        chunks = self._mark(pipeline.flush(item.tail_s), False)
        self._interruption.forget()
        if self._second_pass is not None:
            self._second_pass.finish()
        if self._recorder is not None and item.for_good:
            self._recorder.finish()
        return chunks

    def _hear(self, pipeline: ListeningPipeline, item: IncomingBlock) -> list[EncodedChunk]:
        self._spoke |= item.robot_speaking
        if self.canceller is not None:
            self.canceller.speaking = item.speaks_now
        self._interruption.begin(item.block.stamp_ns)
        return self._mark(pipeline.push(item.block), item.robot_speaking)

    def _mark(self, chunks: list[EncodedChunk], speaking: bool) -> list[EncodedChunk]:
        """Mark chunks during which the robot spoke, and the first one after a fault."""
        chunks, lost = self._interruption.mark(chunks)
        self.lost_in_faults += lost
        chunks = [replace(chunk, robot_speaking=True)
                  if self._is_own_voice(chunk.stamp_ns, chunk.end_ns) else chunk
                  for chunk in chunks]
        if chunks:
            self._spoke = speaking
        return chunks

    def _is_own_voice(self, stamp_ns: int, end_ns: int) -> bool:
        """Tell whether the robot spoke in a chunk, and is still to be heard in it."""
        settings = self._config.audio
        if not self._spoke or self.canceller is None or settings.while_speaking == 'alerts':
            return self._spoke
        holdoff_ns = round(settings.mute_holdoff_ms * 1_000_000)
        return self.canceller.was_uncovered(stamp_ns - holdoff_ns, end_ns)

    def _on_chunk(self, chunk: AudioChunk) -> None:
        """See each chunk of audio before it is encoded."""
        self.level_dbfs = chunk.rms_dbfs
        self.loudest_dbfs = max(self.loudest_dbfs, self.level_dbfs)
        silent = not chunk.samples.any()
        self.silent_s = self.silent_s + len(chunk.samples) / SAMPLE_RATE_HZ if silent else 0.0
        if self._recorder is not None:
            self._recorder.write(chunk)

    def _on_part(self, part: AudioChunk) -> None:
        """Have each part of a chunk read as soon as it is heard."""
        if self._second_pass is not None and not part.padding:
            self._second_pass.remember(part, own_voice=self._is_own_voice(
                part.stamp_ns, part.end_ns))
