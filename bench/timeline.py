"""
One stream on one clock: when each chunk is encoded, decided and answered.

Owns the clock. What is computed takes the time that it really takes, but where it stands on the
clock follows from who waits for whom: with a queue encoder and decoder are two workers that never
wait for each other, as in the nodes; without one they are the same worker, as in the paper's
baseline, so while a reply is written nothing is encoded. Front end, encoder, queue, lanes and
decoder are those that serve the robot. Knows no figure.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.mel import LOOK_AHEAD_SAMPLES
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ, ChunkSize
from audio_interaction_ros.runtimes.base import Allowed, Decoder, StepRequest, StepResult
from audio_interaction_ros.stream.events import Event, ReplyFinished, ReplyWithheld
from audio_interaction_ros.stream.listening import ListeningPipeline
from audio_interaction_ros.stream.session import Session

__all__ = ['Clock', 'Pass', 'Timeline', 'WatchedDecoder', 'play', 'work_of']

Clock = Callable[[], float]
"""Seconds that computing takes: time.perf_counter, or a clock that a simulation sets."""
T = TypeVar('T')


@dataclass(frozen=True)
class Pass:
    """What one pass of the decoder had to do, over all lanes."""

    chunks: int
    """Chunks that were read; two lanes that read the same one count twice."""
    tokens: int
    """Lanes that wrote a token."""


@dataclass
class Timeline:
    """What happened when; seconds since the stream began."""

    chunk_s: float
    events: list[tuple[float, Event]] = field(default_factory=list)
    encoder_s: list[float] = field(default_factory=list)
    """Seconds that each chunk took."""
    passes: list[tuple[Pass, float]] = field(default_factory=list)
    """Each with the seconds that it took."""
    waiting: list[tuple[float, int]] = field(default_factory=list)
    """Each time that a chunk came, how many were in the queue then."""
    replies: list[tuple[str, int, int]] = field(default_factory=list)
    """Lane, number of the chunk that was answered, and how many passes wrote the reply."""
    dropped: int = 0


class WatchedDecoder:
    """A decoder that remembers what its passes had to do."""

    def __init__(self, inner: Decoder) -> None:
        self._inner = inner
        self.newest = Pass(0, 0)
        self.written: Counter[int] = Counter()
        """Passes of each lane in which it wrote."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def step(self, requests: Sequence[StepRequest]) -> list[StepResult]:
        """Run a pass."""
        self.newest = work_of(requests, self._inner.spec.features_per_chunk)
        self.written.update(request.lane for request in requests if _writes(request))
        return self._inner.step(requests)


def work_of(requests: Sequence[StepRequest], features_per_chunk: int) -> Pass:
    """Return what a pass over requests has to do."""
    return Pass(sum(len(request.feature_index) for request in requests) // features_per_chunk,
                sum(map(_writes, requests)))


def _writes(request: StepRequest) -> bool:
    return request.allowed is not Allowed.CONTROLS


class _Worker:
    """Does one thing after the other."""

    def __init__(self, clock: Clock) -> None:
        self._clock, self.free, self.spent = clock, 0.0, 0.0

    def work(self, arrived: float, job: Callable[[], T]) -> T:
        """Do what arrived at a second of the stream as soon as nothing else is left."""
        began = self._clock()
        done = job()
        self.spent = self._clock() - began
        self.free = max(self.free, arrived) + self.spent
        return done


def _cut(samples: np.ndarray, size: ChunkSize) -> Iterator[tuple[float, AudioBlock]]:
    """Yield blocks that each complete the mel of a chunk, and when their last sample is there."""
    first, length = 0, size.samples + LOOK_AHEAD_SAMPLES
    while first + length <= len(samples):
        yield (first + length) / SAMPLE_RATE_HZ, AudioBlock(
            samples=samples[first:first + length], sample_rate_hz=SAMPLE_RATE_HZ,
            stamp_ns=round(first * 1e9 / SAMPLE_RATE_HZ))
        first, length = first + length, size.samples


def play(pipeline: ListeningPipeline, session: Session, decoder: WatchedDecoder,
         samples: np.ndarray, *, size: ChunkSize, queue: bool, clock: Clock) -> Timeline:
    """
    Return when what happened to samples [n] at 16 kHz; ``decoder`` is that of the session.

    ``queue``: encoder and decoder work at the same time. Both must be new: nothing else was heard.
    """
    seen = Timeline(chunk_s=size.s)
    encoding = _Worker(clock)
    deciding = _Worker(clock) if queue else encoding
    lanes = {lane.config.name: index for index, lane in enumerate(session.lanes)}

    def decide(until: float) -> None:
        """Take the steps that begin before a moment."""
        while session.busy and deciding.free < until:
            step(0.0)

    def step(arrived: float) -> None:
        events = deciding.work(arrived, session.step)
        seen.passes.append((decoder.newest, deciding.spent))
        seen.events += [(deciding.free, event) for event in events]
        seen.replies += [(event.lane, event.seq, decoder.written.pop(lanes[event.lane], 0))
                         for event in events if isinstance(event, ReplyFinished | ReplyWithheld)]

    for arrived, block in _cut(samples, size):
        if not queue:
            decide(float('inf'))
        chunks = encoding.work(arrived, partial(pipeline.push, block))
        seen.encoder_s.append(encoding.spent)
        ready = encoding.free
        decide(ready)
        seen.waiting.append((ready, len(session.fifo)))
        for chunk in chunks:
            session.push(chunk)
        if deciding.free < ready:
            step(ready)
    decide(float('inf'))
    seen.dropped = session.fifo.stats.dropped
    return seen
