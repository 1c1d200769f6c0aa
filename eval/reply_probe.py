"""
What a lane would say, asked aside: a reply after a chunk that could deserve one, then forgotten.

Owns a decoder around a decoder. After each chunk whose p_respond reaches FLOOR it lets the model
write its reply into slots that the lane does not know, so the lane goes on as if it had been
silent. One hearing tells for every threshold above FLOOR what would have been said first. Knows no
audio and no figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from audio_interaction_ros.protocol import Emotion, reply_block
from audio_interaction_ros.runtimes.base import Allowed, StepRequest, StepResult, Tokenizer
from audio_interaction_ros.stream.confidence import Confidence
from audio_interaction_ros.stream.decision import respond_probability
from audio_interaction_ros.stream.detokenizer import Detokenizer
from audio_interaction_ros.stream.machine import Machine, Outcome, State

__all__ = ['FLOOR', 'ReplyProbe', 'UnsaidReply']

FLOOR = 0.1
MOST_TOKENS = 24
SPARE = MOST_TOKENS + 2
"""Slots before those of the lane; there, so that a pass spans no more than the lane's."""


@dataclass(frozen=True)
class UnsaidReply:
    """What would have been said after a chunk, counted from 0."""

    chunk: int
    urgent: bool
    text: str
    confidence: float
    """How sure of its words the model would have been, as a lane tells it."""


class ReplyProbe:
    """A decoder of one lane (runtimes.base.Decoder) that notes what the lane could have said."""

    def __init__(self, decoder: Any, tokenizer: Tokenizer) -> None:
        self.spec = decoder.spec
        self._decoder, self._tokenizer = decoder, tokenizer
        self._chunks = 0
        self.muttered: list[UnsaidReply] = []

    def open(self, *, lanes: int, slots: int) -> None:
        """Open one lane, with some slots of our own."""
        assert lanes == 1, 'one lane listens'
        self._decoder.open(lanes=lanes, slots=slots + SPARE)

    def forget(self, lane: int) -> None:
        """Make the cache of the lane as new."""
        self._decoder.forget(lane)

    def step(self, requests: Sequence[StepRequest]) -> list[StepResult]:
        """Run the pass; after a chunk that could be answered, ask for the answer."""
        moved = [replace(request, slots=request.slots + SPARE,
                         visible=np.concatenate((np.zeros(SPARE, bool), request.visible)))
                 for request in requests]
        results: list[StepResult] = self._decoder.step(moved)
        for request, result in zip(moved, results, strict=True):
            if len(request.feature_index) and len(request.read):
                if float(respond_probability(result.control_logits).max()) >= FLOOR:
                    self.muttered.append(self._reply(request))
                self._chunks += 1
        return results

    def _reply(self, chunk: StepRequest) -> UnsaidReply:
        """Return the reply to a chunk that was just heard."""
        ids, text, state = self.spec.token_ids, Detokenizer(), State()
        sure = Confidence()
        machine = Machine(ids=ids, max_reply_tokens=MOST_TOKENS)
        outcome = machine.on_token(state, ids.respond)
        visible, at = chunk.visible.copy(), 0
        visible[chunk.slots] = True
        while not outcome.is_end:
            fed, state.pending = state.pending, []
            token, log_prob = self._score_next(chunk, fed, at, visible.copy(),
                                               Allowed.TEXT if state.tokens else Allowed.FIRST)
            if token != ids.text_end:
                sure.add(log_prob)
            visible[at:at + len(fed)] = True
            at += len(fed)
            outcome = machine.on_token(state, token)
            if outcome not in (Outcome.EMOTION, Outcome.END):
                text.push(self._tokenizer.token_bytes(token))
        return UnsaidReply(self._chunks, state.emotion is Emotion.URGENT, text.text.strip(),
                           sure.value)

    def _score_next(self, chunk: StepRequest, fed: list[int], at: int, visible: np.ndarray,
                    allowed: Allowed) -> tuple[int, float]:
        """Return the token after those fed, and its log-probability."""
        count = len(fed)
        result = self._decoder.step([StepRequest.of_block(
            reply_block(fed), lane=chunk.lane, slots=np.arange(at, at + count),
            positions=chunk.positions[-1] + 1 + at + np.arange(count), visible=visible,
            features=np.zeros((0, self.spec.feature_width), np.float32), allowed=allowed)])[0]
        return result.token, result.log_prob
