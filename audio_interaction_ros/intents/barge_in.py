"""
Words that make a robot stop talking at once, from partial and from final texts alike.

Owns when a text is such a call and no sentence about stopping. Knows no reply.
"""

from collections.abc import Iterable, Sequence

from audio_interaction_ros.intents.words import FILLERS, is_negation, join_tokens, tokenise

__all__ = ['BargeIn']


class BargeIn:
    """Hears the words that cut a reply short."""

    def __init__(self, calls: Iterable[str], names: Iterable[str] = ()) -> None:
        """Take calls such as "stop", and names by which the robot is called."""
        self._calls = [tokens for call in calls if (tokens := tokenise(call))]
        self._names = [tokens for name in names if (tokens := tokenise(name))]

    def is_called(self, text: str) -> bool:
        """
        Tell whether a text, partial or final, is one of the calls and nothing else.

        Politeness, names and a call said twice change nothing; "do not stop" is none, nor is
        "stop at the kitchen", of which a partial text may however be "stop".
        """
        tokens, called = tokenise(text), False
        while tokens:
            call = self._starting(self._calls, tokens)
            skipped = call or self._starting(self._names, tokens) or tokens[:1] * (
                tokens[0] in FILLERS or called and tokens[0] in ('it', 'that', '了'))
            called = called or bool(call)
            if not skipped or not call and is_negation(tokens[0]):
                return False
            tokens = tokens[len(skipped):]
        return called

    def find_call(self, text: str, besides: str) -> str:
        """
        Return the call that a text holds somewhere and ``besides`` does not; empty for none.

        For texts of two voices at once, of which one says ``besides``. A call of one character
        counts for nothing here: too many other words begin with it.
        """
        tokens, others = tokenise(text), tokenise(besides)
        negated = False
        while tokens:
            call = self._starting(self._calls, tokens)
            if (len(''.join(call)) > 1 and not negated
                    and not any(others[at:at + len(call)] == call for at in range(len(others)))):
                return join_tokens(call)
            negated = is_negation(tokens[0])
            tokens = tokens[len(call) or 1:]
        return ''

    @staticmethod
    def _starting(phrases: Sequence[list[str]], tokens: list[str]) -> list[str]:
        """Return the longest phrase that tokens start with; [] for none."""
        fits = [phrase for phrase in phrases if tokens[:len(phrase)] == phrase]
        return max(fits, key=len, default=[])
