"""
A lane that translates text: what was said is known by then, so there is no audio to wait for.

Lays out a source as the offline text task of training (prompt, USER block, RESPOND) and writes
the reply greedily, one token per pass, in the same forward pass as the lanes that listen. Jobs
wait in a short queue; what cannot be translated keeps its streamed text. Knows neither who read
the source nor how the pass is computed.
"""

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from audio_interaction_ros.protocol import (
    TRANSLATION_TARGETS,
    Block,
    reply_block,
    text_block,
)
from audio_interaction_ros.runtimes.base import Allowed, DecoderSpec, StepRequest, StepResult
from audio_interaction_ros.stream.detokenizer import Detokenizer
from audio_interaction_ros.stream.events import FinalTranslation, ReplyFinished
from audio_interaction_ros.stream.lane import check_finite
from audio_interaction_ros.stream.machine import Machine, Outcome, Phase, State

__all__ = ['RecognisedSpeech', 'TextJob', 'TextLane', 'keep_streamed', 'finish_empty',
           'use_written']

TEXT_SLOTS = 256
"""Cache slots that a source with its translation may take; half of them are the reply's."""
_WAITING = 8


@dataclass(frozen=True, kw_only=True)
class RecognisedSpeech:
    """What was really said in an utterance, as a second pass tells."""

    text: str = ''
    """Empty when nobody could tell."""
    language: str = ''
    """ISO 639-1 code of ``text``; empty when unknown."""
    english: str | None = None
    """Its English, where who read it wrote that as well."""
    confidence: float = math.nan
    """How sure who read it was of the words, 0 to 1; NaN: none."""
    nobody: bool = False
    """True where nobody spoke at all, so that there is nothing to keep either."""
    start_ns: int | None = None
    end_ns: int | None = None
    """Where the speech was; None: where the lane guessed."""


@dataclass(frozen=True, kw_only=True)
class TextJob:
    """A finished reply of a translation lane, and what was really said."""

    reply: ReplyFinished
    said: RecognisedSpeech


def keep_streamed(job: TextJob) -> FinalTranslation:
    """Return the streamed text as final; its language is left open."""
    return _make_final(job, job.reply.text, '', 'streamed', job.reply.confidence)


def finish_empty(job: TextJob) -> FinalTranslation:
    """Return a final without text, for nobody spoke."""
    return _make_final(job, '', '', 'second_pass', math.nan)


def use_written(job: TextJob) -> FinalTranslation:
    """Return the English that somebody else wrote as final; without any, the streamed text."""
    return _use_translation(job, job.said.english,
                            'en') if job.said.english else keep_streamed(job)


def _use_translation(job: TextJob, text: str, language: str) -> FinalTranslation:
    return _make_final(job, text, language, 'second_pass', job.said.confidence)


def _make_final(job: TextJob, text: str, language: str, source: str,
                confidence: float) -> FinalTranslation:
    reply, said = job.reply, job.said
    return FinalTranslation(
        lane=reply.lane, stamp_ns=reply.stamp_ns, epoch=reply.epoch, seq=reply.seq,
        reply_id=reply.reply_id, text=text, language=language, source_text=said.text,
        source_language=said.language, streamed_text=reply.text, source=source,
        confidence=confidence,
        start_ns=reply.start_ns if said.start_ns is None else said.start_ns,
        end_ns=reply.end_ns if said.end_ns is None else said.end_ns)


@dataclass(eq=False)
class _Waiting:
    job: TextJob
    block: Block
    most_tokens: int


class TextLane:
    """
    The text lane of one session.

    ``index`` is its lane in the decoder, ``slots`` how many each lane of the decoder has.
    """

    def __init__(self, *, index: int, spec: DecoderSpec, slots: int,
                 encode: Callable[[str], list[int]],
                 token_bytes: Callable[[int], bytes]) -> None:
        self._index, self._spec, self._all_slots = index, spec, slots
        self._encode, self._token_bytes = encode, token_bytes
        self._slots = min(TEXT_SLOTS, slots)
        self._waiting: deque[_Waiting] = deque()
        self._running: _Waiting | None = None

    @property
    def busy(self) -> bool:
        """True while there is something to translate."""
        return self._running is not None or bool(self._waiting)

    def put(self, job: TextJob, *, prompt: Sequence[int], most_tokens: int) -> bool:
        """
        Take in a job with the encoded prompt of its lane and the budget of a reply.

        False, and nothing is done, for a text that is empty, too long or in a language that is
        not translated, and when eight wait already.
        """
        text, language = job.said.text, job.said.language
        if not text or language not in TRANSLATION_TARGETS or len(self._waiting) >= _WAITING:
            return False
        block = text_block(self._spec.token_ids, prompt, self._encode(text))
        length = len(block.ids)
        if length > self._slots // 2:
            return False
        self._waiting.append(_Waiting(job, block, min(most_tokens, self._slots - length)))
        return True

    def clear(self, lane: str = '') -> list[TextJob]:
        """Drop the jobs of a lane ('' = all); return them."""
        all_ = [waiting for waiting in (self._running, *self._waiting) if waiting is not None]
        dropped = [waiting for waiting in all_ if lane in ('', waiting.job.reply.lane)]
        if self._running in dropped:
            self._running = None
        self._waiting = deque(waiting for waiting in self._waiting if waiting not in dropped)
        return [waiting.job for waiting in dropped]

    def give_up(self) -> list[FinalTranslation]:
        """Let the job under way, which failed, keep its streamed text; those that wait go on."""
        running, self._running = self._running, None
        return [] if running is None else [keep_streamed(running.job)]

    def request(self) -> StepRequest | None:
        """Return the lane's share of the next pass, None when it has nothing to do."""
        if self._running is None:
            if not self._waiting:
                return None
            self._begin(self._waiting.popleft())
        block, self._state.pending = reply_block(self._state.pending), []
        places = self._fed + np.arange(len(block.ids))
        visible = np.arange(self._all_slots) < self._fed
        self._fed += len(block.ids)
        return StepRequest.of_block(
            block, lane=self._index, slots=places, positions=places, visible=visible,
            features=np.zeros((0, self._spec.feature_width), dtype=np.float32),
            allowed=Allowed.TEXT)

    def _begin(self, waiting: _Waiting) -> None:
        self._running, self._fed, self._text = waiting, 0, Detokenizer()
        self._machine = Machine(ids=self._spec.token_ids, max_reply_tokens=waiting.most_tokens)
        self._state = State(phase=Phase.SPEAKING, pending=list(waiting.block.ids))

    def on_result(self, result: StepResult) -> list[FinalTranslation]:
        """
        Take the result of the lane's last request; return the translation that it ended.

        Raises ModelFaultError for scores that are no finite numbers.
        """
        check_finite(result)
        if self._running is None or result.token is None:
            return []
        outcome = self._machine.on_token(self._state, result.token)
        if outcome is not Outcome.END:
            self._text.push(self._token_bytes(result.token))
        if not outcome.is_end:
            return []
        job, self._running = self._running.job, None
        text = self._text.text.strip()
        if not text or outcome is Outcome.LOOP:
            return [keep_streamed(job)]
        return [_use_translation(job, text, TRANSLATION_TARGETS[job.said.language])]
