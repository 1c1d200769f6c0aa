"""
What the worker thread of a decoder node does: it owns the model, the session and the way there.

Takes chunks and commands in, runs one forward pass, and says what that brought. Nobody else
touches the session while the thread lives; what others may know of it is in Progress. Knows no
topics and no services.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from audio_interaction_ros.assembly import build_session, resolve_for
from audio_interaction_ros.config import AssistantConfig, LaneConfig, ModelConfig
from audio_interaction_ros.errors import AudioFormatError, ForeignModelError
from audio_interaction_ros.nodes.decoding.chunk_origin import ChunkOrigin
from audio_interaction_ros.nodes.lifecycle.model_load import BusyMeter, Timings
from audio_interaction_ros.nodes.lifecycle.worker import Emit
from audio_interaction_ros.runtimes.base import Decoder, Runtime
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.events import Event
from audio_interaction_ros.stream.sound_events import SoundEvent

__all__ = ['ChunkHeard', 'ChunkRefused', 'Command', 'DecoderTask', 'IncomingChunk',
           'LanesAdjusted', 'Progress']

_REMEMBERED_CHUNKS = 4096
_E = TypeVar('_E', bound=Event)


@dataclass(frozen=True)
class IncomingChunk:
    """A chunk that came."""

    chunk: EncodedChunk
    heard: ChunkOrigin


@dataclass(frozen=True)
class LanesAdjusted:
    """The lanes have other settings: these."""

    lanes: Sequence[LaneConfig]


@dataclass(frozen=True)
class ChunkRefused:
    """A chunk was not taken in."""

    reason: str


@dataclass(frozen=True)
class ChunkHeard:
    """A chunk was taken in, with the sounds that ended and began: told before any pass."""

    chunk: EncodedChunk
    sounds: tuple[tuple[SoundEvent, ChunkOrigin], ...]
    heard: ChunkOrigin
    thresholds: Mapping[str, float] = field(default_factory=dict)
    """What each sound had to score in it, by its name."""


@dataclass(frozen=True)
class Progress:
    """What one forward pass brought."""

    events: tuple[tuple[Event, ChunkOrigin], ...] = ()
    depths: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    """Counters of the session."""
    epoch: int = 0
    consumed: int = 0
    """Chunks 0 … consumed - 1 of the epoch are taken by every lane."""
    depth: int = 0
    oldest_age_s: float = 0.0
    newest_end_ns: int = 0


Command = Callable[['DecoderTask', Emit], object]
"""What the thread shall do between two passes, in the order of what came."""


class DecoderTask:
    """One model at work on one stream."""

    def __init__(self, *, load: Callable[[ModelConfig], Runtime],
                 take: Callable[[Decoder], object], config: AssistantConfig,
                 timings: Timings, busy: BusyMeter) -> None:
        """
        Load the model; raises what loading raises, ConfigurationError for lanes that do not fit.

        ``take`` is told which decoder is used; what it returns is kept as long as that is so.
        ``timings`` and ``busy`` take one entry per pass, and may be read by anybody.
        """
        self.runtime = load(config.model)
        """Kept, for a shared one lives only as long as somebody keeps it."""
        self._taken = take(self.runtime.decoder)
        self.session = build_session(
            config, resolve_for(self.runtime, config.lanes), decoder=self.runtime.decoder,
            tokenizer=self.runtime.tokenizer, translates='translation' in config.drafted)
        self._timings, self._busy = timings, busy
        self._chunks: OrderedDict[tuple[int, int], ChunkOrigin] = OrderedDict()
        self._joined, self._newest = (0, 0), (0, -1)  # epoch, seq
        self._newest_end_ns = 0

    @property
    def lanes(self) -> Sequence[LaneConfig]:
        """The lanes as they work, with what they leave to the model filled in."""
        return tuple(lane.config for lane in self.session.lanes)

    def compute(self, items: list[Any], emit: Emit) -> bool:
        """Take in what came and run one forward pass; True while there is more to do."""
        for item in items:
            if isinstance(item, IncomingChunk):
                self._push_chunk(item, emit)
            else:
                item(self, emit)  # a command
        if not self.session.busy:
            return False
        fifo, size = self.session.fifo.stats, self.runtime.decoder.spec.chunk_size
        before, began = fifo.consumed, time.monotonic()
        events = self.session.step()
        now = time.monotonic()
        self._timings.add(now - began)
        self._busy.add(now, now - began, (fifo.consumed - before) * size.s)
        emit(self._make_progress(events))
        return self.session.busy

    def _push_chunk(self, item: IncomingChunk, emit: Emit) -> None:
        chunk = item.chunk
        try:
            sounds = self.session.push(chunk)
        except ForeignModelError as error:
            emit(ChunkRefused(str(error)))
            return
        except AudioFormatError as error:
            emit(ChunkRefused(str(error)))
            self._note_chunk(item)  # there is credit for it again
            emit(self._make_progress([]))
            return
        self._newest_end_ns = chunk.end_ns
        self._note_chunk(item)
        emit(ChunkHeard(chunk, self._with_origin(sounds), item.heard,
                        self.session.sound_thresholds))

    def _note_chunk(self, item: IncomingChunk) -> None:
        chunk = item.chunk
        if chunk.epoch != self._newest[0]:
            self._joined = (chunk.epoch, chunk.seq)
        self._newest = (chunk.epoch, chunk.seq)
        self._chunks[self._newest] = item.heard
        while len(self._chunks) > _REMEMBERED_CHUNKS:
            self._chunks.popitem(last=False)

    def adjust(self, lanes: Sequence[LaneConfig], emit: Emit) -> None:
        """Give the lanes other settings of when to respond."""
        self.session.adjust(resolve_for(self.runtime, lanes))
        emit(LanesAdjusted(self.lanes))

    def _with_origin(self, events: Sequence[_E]) -> tuple[tuple[_E, ChunkOrigin], ...]:
        return tuple((event, self._chunks.get((event.epoch, event.seq), ChunkOrigin()))
                     for event in events)

    def _make_progress(self, events: list[Event]) -> Progress:
        session = self.session
        oldest = session.fifo.oldest_stamp_ns
        return Progress(
            events=self._with_origin(events),
            depths={lane.config.name: session.queue_depth(lane.config.name)
                    for lane in session.lanes},
            counts={**vars(session.stats), 'dropped': session.fifo.stats.dropped},
            epoch=self._newest[0], consumed=self._count_consumed(), depth=len(session.fifo),
            oldest_age_s=0.0 if oldest is None else (self._newest_end_ns - oldest) / 1e9,
            newest_end_ns=self._newest_end_ns)

    def _count_consumed(self) -> int:
        epoch, newest = self._newest
        if not len(self.session.fifo):
            return newest + 1
        if self.session.consumed_seq is not None:
            return self.session.consumed_seq + 1
        return self._joined[1] if self._joined[0] == epoch else 0
