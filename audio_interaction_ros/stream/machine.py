"""
The listening and speaking machine: integers in, outcomes out.

``Machine`` holds parameters, ``State`` is the only mutable part. Knows no text, no audio and no
time. Every pair of phase and token gives an outcome, so no token can stop a stream.
"""

import enum
from dataclasses import dataclass, field

from audio_interaction_ros.protocol import Emotion, TokenIds

__all__ = ['Machine', 'Outcome', 'Phase', 'State']


class Phase(enum.Enum):
    """What a lane is doing."""

    LISTENING = 'listening'
    SPEAKING = 'speaking'


class Outcome(enum.Enum):
    """What a token meant."""

    SILENCE = 'silence'
    STARTED = 'started'
    EMOTION = 'emotion'
    TEXT = 'text'
    END = 'end'
    BUDGET = 'budget'
    LOOP = 'loop'
    CANCEL = 'cancel'

    @property
    def is_end(self) -> bool:
        """True when the reply is over."""
        return self in (Outcome.END, Outcome.BUDGET, Outcome.LOOP, Outcome.CANCEL)


@dataclass
class State:
    """Where one lane stands."""

    phase: Phase = Phase.LISTENING
    emotion: Emotion = Emotion.NORMAL
    tokens: list[int] = field(default_factory=list)
    """Tokens of the running reply, emotion included."""
    pending: list[int] = field(default_factory=list)
    """Tokens chosen but not yet fed to the model."""


class Machine:
    """Transitions of one lane; parameters only."""

    def __init__(self, *, ids: TokenIds, max_reply_tokens: int) -> None:
        self._ids = ids
        self._max_reply_tokens = max_reply_tokens

    def on_token(self, state: State, token: int) -> Outcome:
        """Move on by the token that the model chose; returns what it meant."""
        match state.phase:
            case Phase.LISTENING:
                return self._decide(state, token)
            case Phase.SPEAKING:
                return self._speak(state, token)

    def cancel(self, state: State) -> Outcome | None:
        """End a running reply; None when none is running."""
        if state.phase is Phase.LISTENING:
            return None
        return self._finish(state, Outcome.CANCEL)

    def _decide(self, state: State, token: int) -> Outcome:
        if token != self._ids.respond:
            state.pending = [self._ids.silence]
            return Outcome.SILENCE
        state.phase, state.emotion, state.tokens = Phase.SPEAKING, Emotion.NORMAL, []
        state.pending = [self._ids.respond]
        return Outcome.STARTED

    def _speak(self, state: State, token: int) -> Outcome:
        emotion = self._ids.emotion_of(token)
        first = not state.tokens
        if emotion is None and token in self._ids.structural or emotion is not None and not first:
            state.pending = []
            return self._finish(state, Outcome.END)
        state.tokens.append(token)
        state.pending = [token]
        if emotion is not None:
            state.emotion = emotion
            return Outcome.EMOTION
        if is_loop(state.tokens):
            return self._finish(state, Outcome.LOOP)
        if len(state.tokens) >= self._max_reply_tokens:
            return self._finish(state, Outcome.BUDGET)
        return Outcome.TEXT

    def _finish(self, state: State, outcome: Outcome) -> Outcome:
        # The end token enters the context whatever ended the reply, as in training.
        state.pending = [*state.pending, self._ids.text_end]
        state.phase = Phase.LISTENING
        return outcome


def is_loop(tokens: list[int], *, longest: int = 12, repeats: int = 4) -> bool:
    """Tell whether the newest tokens say the same run of tokens over and over."""
    for length in range(1, longest + 1):
        needed = length * max(repeats, 9 - 2 * length)
        if len(tokens) < needed:
            continue
        tail, unit = tokens[-needed:], tokens[-length:]
        if tail == unit * (needed // length):
            return True
    return False
