"""
Play samples through the assistant and write down what it makes of them.

The stream goes through the pipeline, session and alert policy that serve the robot
(offline.Assistant), block by block of 0.4 s, each worked off before the next.

A lane whose name ends in ``_trace`` never replies (threshold 1): its p_respond is what the lane
would see before its first reply at any threshold, and what it would have said is asked aside
(eval.reply_probe); it must be the only lane.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.config import (
    AssistantConfig,
    AudioConfig,
    LaneConfig,
    ModelConfig,
    TranslationConfig,
)
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.protocol import CHUNK_SAMPLES, SAMPLE_RATE_HZ
from audio_interaction_ros.runtimes.base import Runtime, Transcriber
from eval.hearing.notes import NS, HearingNotes
from eval.hearing.record import Hearing
from eval.reply_probe import ReplyProbe

__all__ = ['TO_ENGLISH', 'TRACE', 'StreamToHear', 'hear', 'hear_in_pool', 'is_traced',
           'make_once']

TRACE = '_trace'
TO_ENGLISH = TranslationConfig.to_english
"""Who writes the English of final translations where the caller does not say."""


@dataclass(frozen=True)
class StreamToHear:
    """A stream to hear."""

    place: int
    """Where it stands among those that were asked for."""
    key: str
    name: str
    samples: np.ndarray
    lanes: tuple[LaneConfig, ...]


class BlockClock:
    """Hands blocks out and remembers when the newest one came."""

    def __init__(self, samples: np.ndarray) -> None:
        self._samples = samples
        self._began = time.perf_counter()

    @property
    def spent_s(self) -> float:
        """Seconds since the newest block came."""
        return time.perf_counter() - self._began

    def blocks(self) -> Iterator[AudioBlock]:
        """Yield blocks of one chunk, stamped from 0."""
        for at in range(0, len(self._samples), CHUNK_SAMPLES):
            self._began = time.perf_counter()
            yield AudioBlock(samples=self._samples[at:at + CHUNK_SAMPLES],
                             sample_rate_hz=SAMPLE_RATE_HZ,
                             stamp_ns=round(at * NS / SAMPLE_RATE_HZ))


def is_traced(lanes: tuple[LaneConfig, ...]) -> bool:
    """Tell whether a lane only traces: it never replies, and what it would say is asked aside."""
    return any(lane.name.endswith(TRACE) for lane in lanes)


def hear(runtime: Runtime, stream: StreamToHear, *, second_pass: Any = None,
         translation_second_pass: Transcriber | None = None,
         to_english: str = TO_ENGLISH) -> Hearing:
    """Return what a model makes of a stream: pipeline, session, second passes, alert policy."""
    runtime.encoder.reset()
    tracing = is_traced(stream.lanes)
    decoder = ReplyProbe(runtime.decoder, runtime.tokenizer) if tracing else runtime.decoder
    # What would be said is asked after every chunk, so that a trace needs each to be read.
    audio = AudioConfig(quiet_below_dbfs=-200.0) if tracing else AudioConfig()
    config = AssistantConfig(audio=audio, lanes=stream.lanes, model=ModelConfig(),
                             translation=TranslationConfig(to_english=to_english))
    assistant = Assistant(config=config, encoder=runtime.encoder, decoder=decoder,
                          tokenizer=runtime.tokenizer, second_pass=second_pass,
                          translation_second_pass=translation_second_pass)
    hearing = _play(assistant, stream)
    if isinstance(decoder, ReplyProbe):
        hearing.muttered = [(unsaid.chunk, unsaid.urgent, unsaid.text, round(unsaid.confidence, 4))
                            for unsaid in decoder.muttered]
    return hearing


def _play(assistant: Assistant, stream: StreamToHear) -> Hearing:
    """Return what an assistant tells of a stream that is played to it."""
    hearing = Hearing(key=stream.key, name=stream.name,
                      seconds=len(stream.samples) / SAMPLE_RATE_HZ)
    clock, notes = BlockClock(stream.samples), HearingNotes(hearing)
    for event in assistant.listen(clock.blocks()):
        notes.note(event, clock.spent_s)
    hearing.busy_s = assistant.stats.busy_s
    return hearing


@cache
def make_once(make: Callable[[], Transcriber] | None) -> Transcriber | None:
    """Return what a maker makes, once in each process; None for none."""
    return make() if make is not None else None


def hear_in_pool(runtime: Runtime, stream: StreamToHear, *,
                 translator: Callable[[], Transcriber] | None = None,
                 to_english: str = TO_ENGLISH) -> tuple[int, Hearing]:
    """Return (place, hearing) of a stream that shares the model or the machine with others."""
    hearing = hear(runtime, stream, translation_second_pass=make_once(translator),
                   to_english=to_english)
    hearing.alone, hearing.busy_s = False, 0.0
    for reply in hearing.replies:
        reply.shown = []
    return stream.place, hearing
