"""
Words that make a robot stop talking at once, from partial and from final texts alike.

Owns when a text is such a call and no sentence about stopping. Knows no reply.
"""

from collections.abc import Iterable, Sequence

from audio_interaction_ros.intents.words import FILLERS, is_negation, tokenise

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

    @staticmethod
    def _starting(phrases: Sequence[list[str]], tokens: list[str]) -> list[str]:
        """Return the longest phrase that tokens start with; [] for none."""
        fits = [phrase for phrase in phrases if tokens[:len(phrase)] == phrase]
        return max(fits, key=len, default=[])
