"""
Writes with a language model: one greedy token after the other, in the layout it was trained with.

Owns what ends a text (a mark, the budget, running in circles, being cancelled), what of the text
before is still in the model's memory, and how turns are laid out: in ChatML for a text model, in
the offline text task (T_T) for a model that listens. Knows neither who speaks nor what about.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from audio_interaction_ros.errors import CheckpointError, ModelFaultError
from audio_interaction_ros.protocol import TokenIds, task_block
from audio_interaction_ros.runtimes.base import TextModel, TextNet, Tokenizer
from audio_interaction_ros.stream.detokenizer import Detokenizer
from audio_interaction_ros.stream.machine import is_loop

__all__ = ['TaskWriter', 'TextWriter', 'TokenWriter', 'Turn', 'Written']

_BEGIN, _END, _END_OF_TEXT = '<|im_start|>', '<|im_end|>', '<|endoftext|>'
_PIECE = 32
"""Ids that are read at once; whoever cancels waits for no more."""


@dataclass(frozen=True)
class Turn:
    """What somebody says in a chat."""

    role: Literal['system', 'user', 'assistant']
    text: str


@dataclass(frozen=True, kw_only=True)
class Written:
    """A text so far."""

    ids: tuple[int, ...]
    text: str
    """Whole characters only."""
    reason: str = ''
    """Why it is over: end, budget, loop or cancel; empty while it goes on."""


class TokenWriter(ABC):
    """One text after the other with one net, from one thread."""

    def __init__(self, net: TextNet, tokenizer: Tokenizer, *, ends: Collection[int],
                 never: Collection[int]) -> None:
        """Take a net; ``ends`` are the ids that end a text, ``never`` those that none may hold."""
        self._net, self._tokenizer = net, tokenizer
        self._ends, self._never = frozenset(ends), list(never)
        self._known: list[int] = []

    @abstractmethod
    def lay_out(self, turns: Sequence[Turn]) -> list[int]:
        """Return the ids of turns, the system's first, up to where the assistant writes."""

    @property
    def slots(self) -> int:
        """Ids that a text may have, with what stands before it."""
        return self._net.slots

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text."""
        return self._tokenizer.encode(text)

    def write_out(self, ids: Sequence[int]) -> str:
        """Return the text of ids; U+FFFD stands where they end within a character."""
        text = Detokenizer()
        for code in ids:
            text.push(self._tokenizer.token_bytes(code))
        return text.text if text.is_whole else f'{text.text}\ufffd'

    def read(self, ids: Sequence[int], cancelled: Callable[[], bool] = lambda: False
             ) -> np.ndarray | None:
        """
        Take a text in; return the scores [vocab_size] of what follows, None where cancelled.

        What the last text began with alike is not read again.
        """
        alike = 0
        while alike < min(len(ids) - 1, len(self._known)) and ids[alike] == self._known[alike]:
            alike += 1
        del self._known[alike:]
        scores: np.ndarray | None = None
        while len(self._known) < len(ids):
            if cancelled():
                return None
            piece = ids[len(self._known):len(self._known) + _PIECE]
            scores = self._net.feed(piece, len(self._known))
            self._known += piece
        return scores

    def write(self, ids: Sequence[int], *, most_tokens: int, begin: Sequence[int] = (),
              cancelled: Callable[[], bool] = lambda: False) -> Iterator[Written]:
        """
        Yield what follows ids token by token, then once with the reason of its end.

        The text begins with the ids ``begin``, which count as written. ValueError where it would
        not fit, ModelFaultError for scores that are no numbers.
        """
        if len(ids) + most_tokens > self.slots:
            raise ValueError(f'expected at most {self.slots - most_tokens} ids before '
                             f'{most_tokens} tokens, found {len(ids)}; leave some history out')
        text, out = Detokenizer(), list(begin)
        for code in begin:
            text.push(self._tokenizer.token_bytes(code))
        scores, reason = self.read([*ids, *begin], cancelled), ''
        while not reason:
            if scores is None or cancelled():
                reason = 'cancel'
                break
            code = self._choose(scores)
            if code in self._ends:
                reason = 'end'
            elif is_loop([*out, code]):
                reason = 'loop'
            else:
                out.append(code)
                text.push(self._tokenizer.token_bytes(code))
                yield Written(ids=tuple(out), text=text.text)
                if len(out) >= most_tokens:
                    reason = 'budget'
                else:
                    scores = self.read([*ids, *out], cancelled)
        yield Written(ids=tuple(out), text=text.text, reason=reason)

    def _choose(self, scores: np.ndarray) -> int:
        if not np.isfinite(scores).all():
            raise ModelFaultError('the text model gave scores that are no finite numbers; fetch '
                                  'it again, or take another one in reply.model')
        scores[self._never] = -np.inf
        return int(scores.argmax())


class TextWriter(TokenWriter):
    """Writes in chats with one text model."""

    def __init__(self, model: TextModel) -> None:
        """Open a memory; CheckpointError for a model whose chats are not in ChatML."""
        marks = model.tokenizer.special_ids
        if not {_BEGIN, _END} <= marks.keys():
            raise CheckpointError(f'{model.name}: expected the marks {_BEGIN} and {_END}, found '
                                  f'{sorted(marks)[:5]}; take a model that chats in ChatML')
        self._marks = marks
        ends = {marks[mark] for mark in (_END, _END_OF_TEXT) if mark in marks}
        # The others are no text either, and none may come.
        super().__init__(model.open_net(), model.tokenizer, ends=ends,
                         never={*marks.values()} - ends)

    def lay_out(self, turns: Sequence[Turn]) -> list[int]:
        """Return the ids of a chat up to where the assistant begins to write."""
        ids: list[int] = []
        for turn in turns:
            ids += [self._marks[_BEGIN], *self.encode(f'{turn.role}\n{turn.text}'),
                    self._marks[_END], *self.encode('\n')]
        return [*ids, self._marks[_BEGIN], *self.encode('assistant\n')]


class TaskWriter(TokenWriter):
    """Writes with the model that listens, asked in text as its training asked it."""

    def __init__(self, net: TextNet, tokenizer: Tokenizer, ids: TokenIds) -> None:
        """Take a net over the model's weights, and its structural ids."""
        super().__init__(net, tokenizer, ends={ids.text_end}, never=ids.suppressed)
        self._ids = ids

    def lay_out(self, turns: Sequence[Turn]) -> list[int]:
        """Return the ids of the offline text task: prompt, earlier turns in pairs, question."""
        prompt, *said = [self.encode(turn.text) for turn in turns]
        source = said.pop() if len(said) % 2 else []
        return [*task_block(self._ids, prompt, source=source,
                            history=list(zip(said[::2], said[1::2], strict=True))).ids]
