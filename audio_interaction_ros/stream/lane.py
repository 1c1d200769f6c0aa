"""
One lane: an instruction context with its own prompt, cache slots and phase.

Says what it wants from the next forward pass (``request``) and turns what came back into events
(``on_result``). Knows neither the other lanes nor how the pass is computed.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.errors import ModelFaultError
from audio_interaction_ros.protocol import Block, listening_block, prefix_block, reply_block
from audio_interaction_ros.runtimes.base import Allowed, DecoderSpec, StepRequest, StepResult
from audio_interaction_ros.stream.capacity import chunks_at_once
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.context import Allocation, Context
from audio_interaction_ros.stream.decision import DecisionGate, respond_probability
from audio_interaction_ros.stream.events import ContextRolled, Event, Silence, StreamReset
from audio_interaction_ros.stream.machine import Machine, Outcome, Phase, State
from audio_interaction_ros.stream.onset import OnsetGuess
from audio_interaction_ros.stream.quiet import HELD_CHUNKS, HeldBack
from audio_interaction_ros.stream.written_reply import WrittenReply

__all__ = ['Lane', 'check_finite']


class Lane:
    """
    The streaming state of one instruction context.

    ``request`` and ``on_result`` may raise, after a fault of the backend or of ours; the lane
    goes on after ``restart``. ``slots`` is how many a lane may keep at most, ``opened`` how many
    the decoder has for each.
    """

    def __init__(self, *, index: int, config: LaneConfig, spec: DecoderSpec, slots: int,
                 opened: int, prompt: list[int], drain: str,
                 token_bytes: Callable[[int], bytes]) -> None:
        self.config = config
        self._index, self._spec, self._drain = index, spec, drain
        self._slots = min(config.slots or slots, slots)
        self._left_over = opened - self._slots
        self._most_slots = slots
        self._token_bytes = token_bytes
        self._machine = Machine(ids=spec.token_ids, max_reply_tokens=config.max_reply_tokens)
        self._gate = DecisionGate(**_gate_settings(config))
        self._newest: EncodedChunk | None = None
        self.writes = True
        """False: the lane only says when; its replies are empty and cost no pass."""
        self.restart(prompt)

    def adjust(self, config: LaneConfig) -> None:
        """Take another threshold, release, refractory time and least confidence, no more."""
        self.config = replace(
            self.config, threshold=config.threshold, release=config.release,
            refractory_s=config.refractory_s, min_confidence=config.min_confidence)
        self._gate.adjust(**_gate_settings(config))

    def restart(self, prompt: list[int] | None = None) -> None:
        """
        Forget everything heard; a new prompt replaces the old one.

        Raises ConfigurationError, and nothing is done, for a prompt that does not fit.
        """
        if prompt is not None:
            self._most_chunks = self.try_prompt(prompt)
            self._prefix = prefix_block(self._spec.token_ids, prompt)
        self._context = Context(slots=self._slots)
        self._state = State()
        self._gate.reset()
        self._prefix_fed = False
        self._batch: list[EncodedChunk] = []
        self._rolled = 0
        self._onset = OnsetGuess(self._spec.chunk_size)
        held = min(HELD_CHUNKS, self._most_chunks - 1)
        self._held, self._most_fresh = HeldBack(most=held), self._most_chunks - held
        self._unasked: list[Event] = []

    def try_prompt(self, prompt: list[int]) -> int:
        """
        Return how many chunks are taken at once with a prompt; from any thread.

        Raises ConfigurationError for one that does not fit.
        """
        return chunks_at_once(self.config, prompt, spec=self._spec, slots=self._slots,
                              most_slots=self._most_slots, drain=self._drain)

    @property
    def speaking(self) -> bool:
        """True inside a reply."""
        return self._state.phase is Phase.SPEAKING

    @property
    def context(self) -> Context:
        """The lane's cache bookkeeping, to look at."""
        return self._context

    @property
    def chunks_under_way(self) -> int:
        """How many chunks the last request took, which no result has come for."""
        return len(self._batch)

    def request(self, take: Callable[[int], list[EncodedChunk]]) -> StepRequest | None:
        """
        Return the lane's share of the next pass, None when it has nothing to do.

        ``take`` hands over queued chunks; it is called only while the lane listens.
        """
        self._batch = []
        if not self._prefix_fed or self._context.sink_is_stale:
            return self._feed_prefix()
        if self.speaking:
            return self._feed_reply()
        fresh = take(self._most_fresh)
        for chunk in fresh:
            self._note_chunk(chunk)
        self._batch = self._held.sort(fresh)
        if fresh and not self._batch:
            self._unasked.append(self._stay_silent())
        return self._feed_chunks(self._batch) if self._batch else None

    def take_unasked(self) -> list[Event]:
        """Hand over the decisions on chunks in which nothing was heard, for which no pass ran."""
        events, self._unasked = self._unasked, []
        return events

    def _stay_silent(self) -> Silence:
        self._gate.decide(0.0, self._place_in_stream['stamp_ns'])
        return Silence(**self._place_in_stream, p_respond=0.0)

    def _feed_prefix(self) -> StepRequest:
        place = (self._context.refresh_sink() if self._prefix_fed
                 else self._context.open_sink(len(self._prefix.ids)))
        self._prefix_fed = True
        return self._request(self._prefix, place)

    def _feed_reply(self) -> StepRequest:
        block, self._state.pending = reply_block(self._state.pending), []
        place = self._allocate(len(block.ids), new_unit=False)
        # An emotion may only come first.
        return self._request(block, place,
                             allowed=Allowed.TEXT if self._state.tokens else Allowed.FIRST)

    def _feed_chunks(self, chunks: list[EncodedChunk]) -> StepRequest:
        block = listening_block(
            self._spec.token_ids, self._spec.features_per_chunk, self._state.pending,
            chunks=len(chunks), silence_between=self._drain != 'B')
        if self._drain in ('A', 'B'):
            block = replace(block, read_at=block.read_at[-1:])
        self._state.pending = []
        return self._request(block, self._allocate(len(block.ids), new_unit=True),
                             features=np.concatenate([chunk.features for chunk in chunks]))

    def _allocate(self, length: int, *, new_unit: bool) -> Allocation:
        place = self._context.allocate(length, new_unit=new_unit)
        self._rolled += place.evicted
        return place

    def _request(self, block: Block, place: Allocation, *, allowed: Allowed = Allowed.CONTROLS,
                 features: np.ndarray | None = None) -> StepRequest:
        if features is None:
            features = np.zeros((0, self._spec.feature_width), dtype=np.float32)
        visible = np.pad(place.visible, (0, self._left_over))  # the decoder's lanes are alike
        return StepRequest.of_block(
            block, lane=self._index, slots=place.slots, positions=place.positions,
            visible=visible, features=features, allowed=allowed)

    def _note_chunk(self, chunk: EncodedChunk) -> None:
        """Remember the newest chunk and listen for where what we answer began."""
        self._newest = chunk
        self._onset.push(chunk)

    def on_result(self, result: StepResult) -> list[Event]:
        """
        Turn the result of the lane's last request into events.

        Raises ModelFaultError for scores that are no finite numbers.
        """
        check_finite(result)
        events: list[Event] = []
        if self._rolled:
            events.append(ContextRolled(**self._place_in_stream, evicted=self._rolled))
            self._rolled = 0
        if self._batch:
            events.extend(self._decide(respond_probability(result.control_logits)))
        elif result.token is not None and result.log_prob is not None:
            events.extend(self._speak(result.token, result.log_prob))
        return events

    def cancel(self) -> list[Event]:
        """End a running reply now; no events when none is running."""
        outcome = self._machine.cancel(self._state)
        return [] if outcome is None else self._finish_reply(outcome)

    def reset_event(self, fault: str = '') -> StreamReset:
        """Return the event that tells of a restart, and of what made it necessary."""
        return StreamReset(**self._place_in_stream, fault=fault)

    @property
    def _place_in_stream(self) -> dict:
        newest = self._newest
        if newest is None:
            return {'lane': self.config.name, 'stamp_ns': 0, 'epoch': 0, 'seq': 0}
        return {'lane': self.config.name, 'stamp_ns': newest.end_ns,
                'epoch': newest.epoch, 'seq': newest.seq}

    def _decide(self, p_each: np.ndarray) -> list[Event]:
        # A' takes the strongest decision of the backlog; a single chunk has just one.
        p_respond = float(p_each.max())
        where = self._place_in_stream
        own_voice = any(chunk.robot_speaking for chunk in self._batch)
        respond = ((self.config.alerts or not own_voice)  # an alarm sounds while one speaks, too
                   and self._gate.decide(p_respond, where['stamp_ns']))
        ids = self._spec.token_ids
        outcome = self._machine.on_token(self._state, ids.respond if respond else ids.silence)
        if outcome is Outcome.SILENCE:
            return [Silence(**where, p_respond=p_respond)]
        self._reply = self._begin_reply(where, p_respond, own_voice)
        started = self._reply.start(where)
        if self.writes:
            return [started]
        self._machine.cancel(self._state)
        return [started, *self._finish_reply(Outcome.END)]

    def _begin_reply(self, where: dict, p_respond: float, own_voice: bool) -> WrittenReply:
        # A lane begins at most one reply on a chunk, and a chunk comes once, so that no other
        # lane and no decoder before or after this one names a reply of the stream the same.
        return WrittenReply(
            reply_id=f'{where["epoch"]}-{where["seq"]}-{self.config.name}', p_respond=p_respond,
            start_ns=self._onset.take_onset(where['stamp_ns']), end_ns=where['stamp_ns'],
            own_voice=own_voice, min_confidence=self.config.min_confidence)

    def _speak(self, token: int, log_prob: float) -> list[Event]:
        if token != self._spec.token_ids.text_end:
            self._reply.weigh(log_prob)
        outcome = self._machine.on_token(self._state, token)
        if outcome is Outcome.EMOTION:
            return self._reply.set_emotion(self._state.emotion, self._place_in_stream)
        if outcome is Outcome.END:
            return self._finish_reply(outcome)
        events = self._reply.add(self._token_bytes(token), self._place_in_stream)
        return events + self._finish_reply(outcome) if outcome.is_end else events

    def _finish_reply(self, outcome: Outcome) -> list[Event]:
        return self._reply.finish(outcome.value, self._place_in_stream)


def check_finite(result: StepResult) -> None:
    """Raise ModelFaultError where a model's scores are no finite numbers."""
    for scores in (result.control_logits, result.log_prob):
        if scores is not None and not np.isfinite(scores).all():
            raise ModelFaultError('the model gave scores that are not finite numbers; its cache '
                                  'or its weights are broken')


def _gate_settings(config: LaneConfig) -> dict[str, Any]:
    return {'threshold': config.threshold or 0.5, 'release': config.release,
            'refractory_ns': round(config.refractory_s * 1e9)}
