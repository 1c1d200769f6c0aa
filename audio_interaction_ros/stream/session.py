"""
A session: one stream, several lanes, one decoder.

Chunks are pushed in; each ``step`` is one forward pass over all lanes that are due. There is no
hidden loop and no thread: whoever owns the session decides when to step. What fails in a lane
costs that lane its context and nothing else.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from audio_interaction_ros.config import FifoConfig, LaneConfig
from audio_interaction_ros.errors import (
    AudioFormatError,
    ConfigurationError,
    ForeignModelError,
)
from audio_interaction_ros.runtimes.base import Decoder, StepRequest, StepResult, Tokenizer
from audio_interaction_ros.stream.chunk import EncodedChunk, check_features
from audio_interaction_ros.stream.events import Event, ReplyFinished
from audio_interaction_ros.stream.fifo import Fifo
from audio_interaction_ros.stream.lane import Lane
from audio_interaction_ros.stream.session_stats import SessionStats
from audio_interaction_ros.stream.shared_pass import run_pass
from audio_interaction_ros.stream.sound_events import SoundDetector, SoundEvent, SoundRule
from audio_interaction_ros.stream.step_failures import StepFailures
from audio_interaction_ros.stream.text_desk import TextDesk
from audio_interaction_ros.stream.text_lane import (
    TEXT_SLOTS,
    RecognisedSpeech,
    TextJob,
    TextLane,
    keep_streamed,
)

__all__ = ['Session']

class Session:
    """
    The decoding side of an assistant.

    ``lanes`` are resolved (``config.resolve_lanes``). ``slots`` is the context length per lane
    in positions (default: the model's), of which a lane may keep fewer. ``translate_text`` opens
    one more lane of the decoder, for ``translate``. ``sounds`` hears every chunk (default: one
    without rules, which tells of no sound). Raises ConfigurationError for a lane whose prompt and
    replies do not fit.
    """

    def __init__(self, *, decoder: Decoder, tokenizer: Tokenizer, lanes: Sequence[LaneConfig],
                 fifo: FifoConfig | None = None, slots: int | None = None,
                 translate_text: bool = False, sounds: SoundDetector | None = None) -> None:
        fifo = fifo or FifoConfig()
        slots = slots or decoder.spec.max_positions
        self._decoder, self._tokenizer = decoder, tokenizer
        self._fifo = Fifo(capacity=fifo.capacity, overflow=fifo.overflow, lanes=len(lanes))
        # A pass computes as many slots of every lane, so none is opened that no lane keeps.
        wanted = [lane.slots or slots for lane in lanes] + [TEXT_SLOTS] * translate_text
        opened = min(slots, max(wanted))
        decoder.open(lanes=len(lanes) + translate_text, slots=opened)
        self._prompts = {lane.name: tokenizer.encode(lane.prompt) for lane in lanes}
        self._lanes = [
            Lane(index=i, config=lane, spec=decoder.spec, slots=slots, opened=opened,
                 drain=fifo.drain, prompt=self._prompts[lane.name],
                 token_bytes=tokenizer.token_bytes)
            for i, lane in enumerate(lanes)]
        self._texts = TextDesk(TextLane(
            index=len(lanes), spec=decoder.spec, slots=opened, encode=tokenizer.encode,
            token_bytes=tokenizer.token_bytes) if translate_text else None)
        self._sounds = sounds or SoundDetector({})
        self._epoch: int | None = None
        self._next_seq = 0
        self._outbox: list[Event] = []
        self._failures = StepFailures()
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
        return bool(self._outbox) or self._texts.busy or any(
            lane.speaking or self._fifo.count_waiting(i) for i, lane in enumerate(self._lanes))

    def queue_depth(self, lane: str) -> int:
        """Return how many chunks wait for a lane."""
        return self._fifo.count_waiting(self._index_of(lane))

    def push(self, chunk: EncodedChunk) -> list[SoundEvent]:
        """
        Take in one chunk; return the sounds that ended and began with it.

        These need no forward pass, so whoever is to be told of them need not wait for one. A new
        epoch restarts every lane and ends every sound. Raises ForeignModelError for features of
        another model and AudioFormatError for those of another shape or that are no numbers; a
        chunk that came before is counted and left out.
        """
        try:
            check_features(chunk, self._decoder.spec)
        except (ForeignModelError, AudioFormatError) as error:
            self.stats.refused += 1
            if isinstance(error, AudioFormatError) and (chunk.epoch, chunk.seq) == (
                    self._epoch, self._next_seq):
                self._next_seq += 1  # it came: it is not missing as well
            raise
        if chunk.epoch != self._epoch:
            self._begin_epoch(chunk)
        if chunk.seq < self._next_seq:
            self.stats.stale += 1
            return []
        self.stats.missing += chunk.seq - self._next_seq
        self._next_seq = chunk.seq + 1
        self._fifo.push(chunk)
        return self._sounds.push(chunk)

    def _begin_epoch(self, chunk: EncodedChunk) -> None:
        if self._epoch is not None:
            self._restart_lanes()
        # A decoder that joins late starts where the stream stands; nothing of it is missing.
        self._epoch, self._next_seq = chunk.epoch, chunk.seq

    def read_prompts(self) -> None:
        """Read the prompts now, the same pass for which the first chunk would have to wait."""
        self._outbox.extend(self.step())  # what fails is told with the next step

    def step(self) -> list[Event]:
        """
        Run one forward pass over the lanes that are due; return what happened.

        A lane that fails loses its context, with a StreamReset that says why; the others go on.
        Raises ModelFaultError when five steps have failed and no lane came to a result.
        """
        events, self._outbox = self._outbox, []
        due: list[StepRequest] = []
        for index in range(len(self._lanes) + 1):  # the last one translates texts
            try:
                request = self._request_of(index)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is this lane's alone
                events.extend(self._restart_lane(index, error))
            else:
                due.extend([] if request is None else [request])
                events.extend(self._take_unasked(index))
        if due:
            self.stats.steps += 1
            answers = run_pass(self._decoder, due)
            for request, answer in zip(due, answers, strict=True):
                events.extend(self._give_result(request, answer))
        self._failures.end_step()
        self.stats.count_translations(events)
        return events

    def _request_of(self, index: int) -> StepRequest | None:
        if index < len(self._lanes):
            return self._lanes[index].request(partial(self._fifo.take, index))
        return self._texts.request()

    def _take_unasked(self, index: int) -> list[Event]:
        events = self._lanes[index].take_unasked() if index < len(self._lanes) else []
        self.stats.unasked += len(events)
        return events

    def _give_result(self, request: StepRequest, answer: StepResult | Exception) -> list[Event]:
        """Give a lane its result; its failure becomes a restart."""
        index = request.lane
        try:
            if isinstance(answer, Exception):
                raise answer
            target = self._lanes[index] if index < len(self._lanes) else self._texts
            events = target.on_result(answer)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this lane's alone
            return self._restart_lane(index, error)
        if len(request.read):  # a prompt alone proves nothing
            self._failures.clear(index)
        return [*events]

    def _restart_lane(self, index: int, error: Exception) -> list[Event]:
        """Let a lane that failed forget its context."""
        self.stats.faults += 1
        again = self._failures.note(index, error)
        try:
            self._decoder.forget(index)
        except Exception as worse:  # noqa: BLE001 - where that matters the lane fails again
            self._failures.reason += f'; its cache cannot be cleared: {worse}'
        if index >= len(self._lanes):
            return self._texts.give_up()
        lane = self._lanes[index]
        self.stats.unheard += lane.chunks_under_way
        if again and not lane.chunks_under_way:
            self.stats.unheard += len(self._fifo.take(index, 1))  # no lane may hold up the rest
        events = lane.cancel()
        lane.restart()
        return [*events, lane.reset_event(self._failures.reason)]

    def drain(self) -> list[Event]:
        """Step until nothing is left to do."""
        events: list[Event] = []
        while self.busy:
            events.extend(self.step())
        return events

    def translate(self, reply: ReplyFinished, said: RecognisedSpeech) -> None:
        """
        Translate what was really said when a lane gave this reply.

        A FinalTranslation comes with a later step, whatever happens. English that is written
        already becomes final as it is. The streamed text stays where there is none to translate,
        no room, no lane for text, or that English is empty; where nobody spoke, no text does.
        """
        job, lane = TextJob(reply=reply, said=said), self._lanes[self._index_of(reply.lane)]
        try:
            finals = self._texts.take(job, prompt=self._prompts[reply.lane],
                                      most_tokens=lane.config.max_reply_tokens)
        except Exception as error:  # noqa: BLE001 - a text that cannot be encoded costs itself
            self.stats.faults += 1
            self._failures.explain(error)
            finals = [keep_streamed(job)]
        self._outbox.extend(finals)

    def cancel(self, lane: str = '') -> bool:
        """
        End the running reply of a lane ('' = all); the event comes with the next step.

        What the lane has waiting for its translation from text keeps its streamed text.
        """
        chosen = self._lanes if not lane else [self._lanes[self._index_of(lane)]]
        events = [event for target in chosen for event in target.cancel()]
        events.extend(self._texts.clear(lane))
        self._outbox.extend(events)
        return bool(events)

    def set_prompt(self, lane: str, prompt: str) -> None:
        """
        Give a lane another prompt; its context starts anew.

        Raises ConfigurationError, and nothing is done, for one that does not fit.
        """
        tokens = self.try_prompt(lane, prompt)
        target = self._lanes[self._index_of(lane)]
        self._outbox.extend(target.cancel())
        self._prompts[lane] = tokens
        target.restart(tokens)
        self._outbox.append(target.reset_event())

    def try_prompt(self, lane: str, prompt: str) -> list[int]:
        """
        Return a prompt as tokens if the lane could take it; from any thread.

        Raises ConfigurationError with the limit in tokens and the parameter to change.
        """
        tokens = self._tokenizer.encode(prompt)
        self._lanes[self._index_of(lane)].try_prompt(tokens)
        return tokens

    def adjust(self, lanes: Sequence[LaneConfig]) -> None:
        """Give the lanes other settings of when to respond; nothing is forgotten."""
        for lane in lanes:
            self._lanes[self._index_of(lane.name)].adjust(lane)

    def let_write(self, lane: str, writes: bool) -> None:
        """
        Let a lane write its replies, or only say when somebody is to be answered.

        Its replies are empty then and over at once. A reply under way is written to its end.
        """
        self._lanes[self._index_of(lane)].writes = writes

    @property
    def sound_thresholds(self) -> Mapping[str, float]:
        """What each sound had to score in the newest chunk, by its name."""
        return self._sounds.thresholds

    def adjust_sounds(self, rules: Mapping[str, SoundRule]) -> None:
        """Let sounds begin and end by other rules; ends of those that change come with a step."""
        self._outbox.extend(self._sounds.adjust(rules))

    def end_sounds(self) -> None:
        """End the sounds that are on; what tells of it comes with the next step."""
        self._outbox.extend(self._sounds.reset())

    def reset(self) -> None:
        """Forget the queue, every context and every sound; the events come with the next step."""
        self.end_sounds()
        self._restart_lanes()

    def _restart_lanes(self) -> None:
        self.stats.resets += 1
        self._fifo.clear()
        self._outbox.extend(self._texts.clear())
        for lane in self._lanes:
            self._outbox.extend(lane.cancel())
            lane.restart()
            self._outbox.append(lane.reset_event())

    def _index_of(self, name: str) -> int:
        for i, lane in enumerate(self._lanes):
            if lane.config.name == name:
                return i
        known = ', '.join(lane.config.name for lane in self._lanes)
        raise ConfigurationError(f'no lane is called {name!r}; expected one of {known}')
