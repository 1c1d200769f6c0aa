"""
Names of the robot's world, which a reader shall know when it hears them.

Owns what stands before a text so that they are expected, and by how much each next token of one is
favoured. Knows ids only.
"""

from collections.abc import Callable, Sequence

import numpy as np

from audio_interaction_ros.reading import has_no_spaces

__all__ = ['FAVOUR_FIRST', 'FAVOUR_NEXT', 'MOST_BEFORE', 'HotWords']

FAVOUR_FIRST, FAVOUR_NEXT = 1.0, 2.0
"""What is added to the score of the first token of a name, and of each next one once it began."""

MOST_BEFORE = 100
"""Tokens of names that stand before a text; what a long list has beyond is favoured only."""


class HotWords:
    """Some names as a tokenizer writes them; without any, nothing changes."""

    def __init__(self, words: Sequence[str], encode: Callable[[str], list[int]], *,
                 prompt: bool = True, first: float = FAVOUR_FIRST,
                 following: float = FAVOUR_NEXT) -> None:
        """Take names; without ``prompt`` they are only favoured."""
        self.prompt = (encode(f' {", ".join(words)}.')[:MOST_BEFORE]
                       if words and prompt else [])
        """Ids of a text that has them all, to stand before what is read."""
        self._paths = [encode(word if has_no_spaces(word[:1]) else f' {word}') for word in words]
        self._first, self._following = first, following

    def __bool__(self) -> bool:
        """Tell whether there are any."""
        return bool(self._paths)

    def choose(self, scores: np.ndarray, ids: list[int]) -> int:
        """Return the id that follows ``ids`` by its scores [vocabulary], which stay unchanged."""
        best = int(scores.argmax())
        gained = {code: scores[code] + bonus for code, bonus in self._favoured(ids).items()}
        if not gained:
            return best
        favourite = max(gained, key=lambda code: gained[code])
        return favourite if gained[favourite] > scores[best] else best

    def _favoured(self, ids: list[int]) -> dict[int, float]:
        """Return what is added to which ids."""
        found = {path[0]: self._first for path in self._paths if path}
        for path in self._paths:
            for count in range(1, len(path)):
                if ids[-count:] == path[:count]:
                    found[path[count]] = self._following
        return found
