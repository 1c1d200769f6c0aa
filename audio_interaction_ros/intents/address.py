"""
Was the robot meant? By its name in the text that was read, or by what woke it.

Owns the names, how one that was misread is known again, and for how long after it no name is
needed. Times are nanoseconds of the stream. Knows no intent.
"""

from collections.abc import Iterable, Sequence

from audio_interaction_ros.intents.words import is_chinese, split_sentences, tokenise

__all__ = ['MODES', 'Address', 'is_name']

MODES = ('always', 'name', 'after_wake')
_CALLS = frozenset(('hey', 'hi', 'hello', 'okay', 'listen', 'please', 'so', 'well', 'oh', '喂',
                    '嗨', '你', '好'))


def is_name(heard: Sequence[str], name: Sequence[str]) -> bool:
    """
    Tell whether some tokens are a name, perhaps misread.

    A word of four letters or more may differ in one, of seven or more in two; a Chinese name in
    one character of three or more.
    """
    one, other = _spell(heard), _spell(name)
    if one == other:
        return True
    least = 3 if is_chinese(other) else 4
    if min(len(one), len(other)) < least or one[0] != other[0]:
        return False
    return _distance(one, other) <= (1 if len(other) < 7 else 2)


def _spell(tokens: Sequence[str]) -> str:
    return ''.join(tokens)


def _distance(one: str, other: str) -> int:
    """Return how many letters must be changed, added or left out to make one word the other."""
    row = list(range(len(other) + 1))
    for i, letter in enumerate(one, start=1):
        left, row[0] = row[0], i
        for j, wanted in enumerate(other, start=1):
            left, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, left + (letter != wanted))
    return row[-1]


class Address:
    """
    Decides of each text whether it was said to the robot.

    ``mode``: always; name, said in the text or within ``window_s`` before it; after_wake, within
    ``window_s`` after ``wake``.
    """

    def __init__(self, *, mode: str = 'always', names: Iterable[str] = (),
                 window_s: float = 8.0) -> None:
        self._mode, self._window_ns = mode, round(window_s * 1e9)
        self._names = [tokens for name in names if (tokens := tuple(tokenise(name)))]
        self._open_until_ns = -1

    def reset(self) -> None:
        """Forget that somebody spoke to the robot, as at the start of another stream."""
        self._open_until_ns = -1

    def wake(self, at_ns: int) -> None:
        """Take it that the robot was woken at a time."""
        self._open_until_ns = max(self._open_until_ns, at_ns + self._window_ns)

    def is_meant(self, text: str, start_ns: int, end_ns: int) -> bool:
        """Tell whether a text, said in a span of time, was for the robot; one names it or not."""
        named = self.names_robot(text)
        if named and self._mode == 'name':
            self.wake(end_ns)
        return self._mode == 'always' or (
            named and self._mode == 'name') or start_ns <= self._open_until_ns

    def names_robot(self, text: str) -> bool:
        """
        Tell whether the robot is called by name: at the start of a sentence or at its end.

        In its middle a name is spoken about: "the robot fell over".
        """
        return any(self._is_called(tokenise(sentence)) for sentence in split_sentences(text))

    def _is_called(self, tokens: Sequence[str]) -> bool:
        begin = next((i for i, token in enumerate(tokens) if token not in _CALLS), len(tokens))
        starts = {0, begin}
        return any(self._stands_at(tokens, start, len(name), name)
                   or self._stands_at(tokens, len(tokens) - len(name), len(name), name)
                   for name in self._names for start in starts)

    def _stands_at(self, tokens: Sequence[str], start: int, length: int,
                   name: Sequence[str]) -> bool:
        if start < 0 or tokens[max(0, start - 1):start] in (['the'], ['a'], ['this'], ['that']):
            return False
        # A name that was misread may come in one word more or less.
        return any(is_name(tokens[start:start + count], name)
                   for count in {length, length + 1, max(1, length - 1)}
                   if start + count <= len(tokens))
