"""
What an utterance means in the other language, as far as the sentence pairs know.

Owns how an utterance is taken apart into sentences and put together again in the other language.
Knows no audio, no tokens, and not who is held out.
"""

import re
from collections.abc import Iterable

from held_out.pairs import Pair, sentence_key

__all__ = ['Phrasebook', 'split_sentences']


def split_sentences(text: str) -> list[str]:
    """Return the sentences of an English text, each with the mark that ends it."""
    return [part for part in re.split(r'(?<=[.?!])\s+', text.strip()) if part]


class Phrasebook:
    """A look-up of English sentences; what it does not hold it does not translate."""

    def __init__(self, pairs: Iterable[Pair]) -> None:
        """Take pairs; of several translations of a sentence the first counts."""
        self._chinese: dict[str, str] = {}
        for pair in pairs:
            self._chinese.setdefault(sentence_key(pair.en), pair.zh)

    def translation(self, text: str) -> str | None:
        """Return the Chinese of an English text of known sentences, None where one is unknown."""
        if sentence_key(text) in self._chinese:  # "Dr. Smith left." is one sentence
            return self._chinese[sentence_key(text)]
        translations = [self._chinese.get(sentence_key(part)) for part in split_sentences(text)]
        known = [part for part in translations if part]
        return ''.join(known) if known and len(known) == len(translations) else None
