"""Text as ids, and a language model over one text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

__all__ = ['ChatTokenizer', 'TextModel', 'TextNet', 'Tokenizer']


class Tokenizer(Protocol):
    """Text to the ids of a model and back; from any thread."""

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, none of them structural."""
        ...

    def token_bytes(self, token: int) -> bytes:
        """Return the raw bytes that an id stands for; none for a structural one."""
        ...


class ChatTokenizer(Tokenizer, Protocol):
    """A tokenizer that also knows the marks of a chat."""

    @property
    def special_ids(self) -> Mapping[str, int]:
        """Ids that no text becomes, by how they are written."""
        ...


class TextNet(Protocol):
    """A language model over one text that it remembers."""

    slots: int
    """Positions that there are."""

    def feed(self, ids: Sequence[int], at: int) -> np.ndarray:
        """
        Take ids in at positions ``at``, ``at`` + 1, …; what stood there and behind is forgotten.

        Returns scores [vocab_size] float32 of what follows, the caller's. ValueError for no ids
        and for positions that there are not.
        """
        ...


@dataclass(frozen=True, kw_only=True)
class TextModel:
    """A text model, ready to write answers and translations."""

    name: str
    tokenizer: ChatTokenizer
    open_net: Callable[[], TextNet]
    """Returns a net with a memory of its own; weights are shared."""
