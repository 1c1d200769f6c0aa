"""
Finding listed phrases in a sentence: longest match, and only what the sentence claims.

Knows no labels, severities or files: a phrase stands for a string key that the caller chose.
"""

from collections.abc import Iterable, Mapping

from audio_interaction_ros.alerts.denial import Answering, Denial, Negation
from audio_interaction_ros.alerts.phrase_index import FoldedText, PhraseIndex, Span

__all__ = ['PhraseMatcher']


def _keep_longest(spans: Iterable[Span]) -> list[Span]:
    """Keep the longest of overlapping spans (the earliest of equals), in order of the text."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda s: (s.start - s.end, s.start)):
        if all(span.end <= other.start or span.start >= other.end for other in kept):
            kept.append(span)
    return sorted(kept, key=lambda s: s.start)


class PhraseMatcher:
    """Finds which keys a sentence speaks of."""

    def __init__(self, *, phrases: Mapping[str, str], ignored: Iterable[str] = (),
                 negation: Negation | None = None, answering: Answering | None = None) -> None:
        """
        Take phrases, each with the key that it stands for.

        ``ignored`` phrases take part in the choice of the longest match and stand for nothing:
        "fire extinguisher" hides "fire".
        """
        self._phrases = PhraseIndex([*phrases.items(), *((phrase, '') for phrase in ignored)])
        self._denial = Denial(negation or Negation(), answering or Answering())

    def find(self, text: str) -> tuple[str, ...]:
        """Return the keys claimed, each once, in the order of the text."""
        return tuple(dict.fromkeys(span.key for span in self._read(text)[1]))

    def denies(self, text: str) -> bool:
        """Tell whether a text has phrases with a key, and claims none of them."""
        said, claimed = self._read(text)
        return bool(said) and not claimed

    def _read(self, text: str) -> tuple[list[Span], list[Span]]:
        """Return which phrases with a key stand in a text, and which of them it claims."""
        searched = FoldedText.of(text)
        spans = _keep_longest(self._phrases.find(searched))
        claimed = self._denial.keep_claimed(searched, spans) if spans else []
        return [span for span in spans if span.key], [span for span in claimed if span.key]
