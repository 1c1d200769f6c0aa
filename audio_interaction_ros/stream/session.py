"""
A session: one stream, several lanes, one decoder.

Chunks are pushed in; each ``step`` is one forward pass over all lanes that are due. There is no
hidden loop and no thread: whoever owns the session decides when to step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from audio_interaction_ros.config import FifoConfig, LaneConfig
from audio_interaction_ros.errors import ConfigurationError, ForeignModelError
from audio_interaction_ros.runtimes.base import Decoder, StepRequest
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.events import Event, FinalTranslation, ReplyFinished
from audio_interaction_ros.stream.fifo import Fifo
from audio_interaction_ros.stream.lane import Lane
from audio_interaction_ros.stream.text_lane import TextJob, TextLane, kept, written

__all__ = ['Session', 'SessionStats']


@dataclass
class SessionStats:
    """Counters since the session began."""

    steps: int = 0
    refused: int = 0
    """Chunks of a foreign model."""
    missing: int = 0
    """Sequence numbers that never arrived."""
    stale: int = 0
    """Chunks that came twice or late."""
    resets: int = 0
    translated: int = 0
    """Final translations made in the second pass, from text or by who read it."""
    kept: int = 0
    """Final translations that are the streamed text, for want of a better one."""


class Session:
    """
    The decoding side of an assistant.

    ``lanes`` are resolved (``config.resolve_lanes``). ``slots`` is the context length per lane
    in positions (default: the model's), of which a lane may keep fewer. ``translate_text`` opens
    one more lane of the decoder, for ``translate``.
    """

    def __init__(self, *, decoder: Decoder, lanes: Sequence[LaneConfig],
                 fifo: FifoConfig | None = None, slots: int | None = None,
                 translate_text: bool = False) -> None:
        fifo = fifo or FifoConfig()
        slots = slots or decoder.spec.max_positions
        self._decoder = decoder
        self._fifo = Fifo(capacity=fifo.capacity, overflow=fifo.overflow, lanes=len(lanes))
        decoder.open(lanes=len(lanes) + translate_text, slots=slots)
        self._prompts = {lane.name: decoder.encode_text(lane.prompt) for lane in lanes}
        self._lanes = [
            Lane(index=i, config=lane, spec=decoder.spec, slots=slots, drain=fifo.drain,
                 prompt=self._prompts[lane.name], token_bytes=decoder.token_bytes)
            for i, lane in enumerate(lanes)]
        self._text = TextLane(
            index=len(lanes), spec=decoder.spec, slots=slots, encode=decoder.encode_text,
            token_bytes=decoder.token_bytes) if translate_text else None
        self._epoch: int | None = None
        self._next_seq = 0
        self._outbox: list[Event] = []
        self.stats = SessionStats()

    @property
    def lanes(self) -> Sequence[Lane]:
        """The lanes, in the order of the configuration."""
        return self._lanes

    @property
    def fifo(self) -> Fifo:
        """The queue of chunks that wait."""
        return self._fifo

    @property
    def consumed_seq(self) -> int | None:
        """Newest sequence number that is done with; None before the first of an epoch."""
        return self._fifo.consumed_seq

    @property
    def busy(self) -> bool:
        """True while a step has something to do."""
        return bool(self._outbox) or self._text is not None and self._text.busy or any(
            lane.speaking or self._fifo.waiting(i) for i, lane in enumerate(self._lanes))

    def queue_depth(self, lane: str) -> int:
        """Return how many chunks wait for a lane."""
        return self._fifo.waiting(self._index(lane))

    def push(self, chunk: EncodedChunk) -> None:
        """
        Take in one chunk.

        A new epoch restarts every lane. Raises ForeignModelError for features of another
        model; a chunk that came before is counted and left out.
        """
        self._check_model(chunk)
        if chunk.epoch != self._epoch:
            self._begin_epoch(chunk)
        if chunk.seq < self._next_seq:
            self.stats.stale += 1
            return
        self.stats.missing += chunk.seq - self._next_seq
        self._next_seq = chunk.seq + 1
        self._fifo.push(chunk)

    def _check_model(self, chunk: EncodedChunk) -> None:
        expected = self._decoder.spec.model_id
        if chunk.model_id != expected:
            self.stats.refused += 1
            raise ForeignModelError(
                f'expected features of model {expected}, got features of {chunk.model_id}; '
                f'start encoder and decoder with the same model')

    def _begin_epoch(self, chunk: EncodedChunk) -> None:
        if self._epoch is not None:
            self.reset()
        # A decoder that joins late starts where the stream stands; nothing of it is missing.
        self._epoch, self._next_seq = chunk.epoch, chunk.seq

    def step(self) -> list[Event]:
        """Run one forward pass over the lanes that are due; return what happened."""
        events, self._outbox = self._outbox, []
        due: list[tuple[Lane | TextLane, StepRequest]] = []
        for i, lane in enumerate(self._lanes):
            request = lane.request(partial(self._fifo.take, i))
            if request is not None:
                due.append((lane, request))
        if self._text is not None and (request := self._text.request()) is not None:
            due.append((self._text, request))
        if due:
            self.stats.steps += 1
            results = self._decoder.step([request for _, request in due])
            for (one, _), result in zip(due, results, strict=True):
                events.extend(one.on_result(result))
        for event in events:
            if isinstance(event, FinalTranslation):
                self.stats.translated += bool(event.language)
                self.stats.kept += not event.language
        return events

    def drain(self) -> list[Event]:
        """Step until nothing is left to do."""
        events: list[Event] = []
        while self.busy:
            events.extend(self.step())
        return events

    def translate(self, reply: ReplyFinished, text: str, language: str,
                  english: str | None = None) -> None:
        """
        Translate what was really said when a lane gave this reply (``text``, ISO 639-1).

        ``english``: who read it wrote its translation as well, which becomes final as it is.
        A FinalTranslation comes with a later step, whatever happens: with the streamed text
        where there is none to translate, no room, no lane for text, or ``english`` is empty.
        """
        job = TextJob(reply=reply, text=text, language=language)
        lane = self._lanes[self._index(reply.lane)].config
        if english is not None:
            self._outbox.append(written(job, english))
        elif self._text is None or not self._text.put(
                job, prompt=self._prompts[lane.name], most_tokens=lane.max_reply_tokens):
            self._outbox.append(kept(job))

    def cancel(self, lane: str = '') -> bool:
        """
        End the running reply of a lane ('' = all); the event comes with the next step.

        What the lane has waiting for its translation from text keeps its streamed text.
        """
        chosen = self._lanes if not lane else [self._lanes[self._index(lane)]]
        events = [event for one in chosen for event in one.cancel()]
        events.extend(self._give_up_texts(lane))
        self._outbox.extend(events)
        return bool(events)

    def _give_up_texts(self, lane: str = '') -> list[Event]:
        """Let what waits for the text lane keep its streamed text."""
        return [] if self._text is None else [kept(job) for job in self._text.clear(lane)]

    def set_prompt(self, lane: str, prompt: str) -> None:
        """Give a lane another prompt; its context starts anew."""
        one = self._lanes[self._index(lane)]
        self._outbox.extend(one.cancel())
        self._prompts[lane] = self._decoder.encode_text(prompt)
        one.restart(self._prompts[lane])
        self._outbox.append(one.reset_event())

    def adjust(self, lanes: Sequence[LaneConfig]) -> None:
        """Give the lanes other settings of when to respond; nothing is forgotten."""
        for lane in lanes:
            self._lanes[self._index(lane.name)].adjust(lane)

    def reset(self) -> None:
        """Forget the queue and every context; the events come with the next step."""
        self.stats.resets += 1
        self._fifo.clear()
        self._outbox.extend(self._give_up_texts())
        for lane in self._lanes:
            self._outbox.extend(lane.cancel())
            lane.restart()
            self._outbox.append(lane.reset_event())

    def _index(self, name: str) -> int:
        for i, lane in enumerate(self._lanes):
            if lane.config.name == name:
                return i
        known = ', '.join(lane.config.name for lane in self._lanes)
        raise ConfigurationError(f'no lane is called {name!r}; expected one of {known}')
