"""
Spoken sentences with a known translation that no training took.

Owns which utterances these are. Of sentence pairs that is what ``held_out.pairs.split_pairs``
holds out, and an utterance of several sentences counts only if all of them are held out. What a
voice of training says, in the folders given, is left out, whoever says it here. Knows no model.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from audio_interaction_ros.protocol import TRANSLATION_TARGETS
from held_out.clips import HeldOutClip, MaterialError
from held_out.lines import read_whole_lines
from held_out.pairs import Pair, read_pairs, sentence_key, split_pairs
from held_out.phrasebook import Phrasebook, split_sentences
from held_out.splits import chance_of

__all__ = ['SentencePairs', 'Sentence', 'read_trained_keys', 'language_of', 'sentences_of',
           'pair_spoken', 'read_utterances']


@dataclass
class Sentence:
    """One spoken utterance, its translations and what was made of it."""

    name: str
    path: Path
    language: str
    text: str
    references: tuple[str, ...]
    voice: str = 'real'
    new: bool = True
    """Whether no voice of training says its translation either."""
    hypothesis: str = ''
    replies: int = 0
    first_s: float | None = None
    """From the end of speech to the end of the chunk on which the lane first replied."""
    beside: dict[str, str] = field(default_factory=dict)
    """What others made of it, by their names."""

    @property
    def direction(self) -> str:
        """Return en-zh or zh-en."""
        return f'{self.language}-{TRANSLATION_TARGETS[self.language]}'


def language_of(text: str) -> str:
    """Return zh for a text with Chinese characters, en for any other."""
    return 'zh' if any('\u4e00' <= letter <= '\u9fff' for letter in text) else 'en'


def sentences_of(text: str) -> list[str]:
    """Return the sentences of a text in either language, each with the mark that ends it."""
    if language_of(text) == 'en':
        return split_sentences(text)
    return [part for part in re.split(r'(?<=[。！？?!])', text.strip()) if part]


def _keys_of(text: str) -> set[str]:
    """Return the keys of a text as a whole and of each sentence of it."""
    return {sentence_key(text), *map(sentence_key, sentences_of(text))}


class SentencePairs:
    """Sentence pairs as training splits them."""

    def __init__(self, pairs: Sequence[Pair]) -> None:
        """Take all pairs; which of them training takes is told by their words."""
        self.train, held = split_pairs(pairs)
        self._book = Phrasebook(held)
        self._meanings: dict[str, list[str]] = defaultdict(list)
        for pair in held:
            self._meanings[sentence_key(pair.en)].append(pair.zh)
            self._meanings[sentence_key(pair.zh)].append(pair.en)
        self._taken = {sentence_key(text) for pair in self.train for text in (pair.en, pair.zh)}

    @classmethod
    def read(cls, path: Path) -> 'SentencePairs':
        """Read a TSV with the columns en and zh; PairsError where they are missing."""
        return cls(read_pairs(path))

    def translations_of(self, text: str) -> tuple[str, ...]:
        """Return all known translations of a held-out text; none where a sentence is trained."""
        meanings = tuple(self._meanings.get(sentence_key(text), ()))
        if meanings or language_of(text) == 'en':
            whole = self._book.translation(text)
            return tuple(dict.fromkeys(((whole,) if whole else ()) + meanings))
        meanings_of_parts = [self._meanings.get(sentence_key(part), [''])[0] for part
                             in sentences_of(text)]
        return (
            ' '.join(meanings_of_parts),) if meanings_of_parts and all(meanings_of_parts) else ()

    def is_trained(self, text: str) -> bool:
        """Tell whether a text or a sentence of it is trained on."""
        return not self._taken.isdisjoint(_keys_of(text))


def read_utterances(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a folder of synthetic speech; MaterialError where there are none."""
    rows = read_whole_lines(folder / 'utterances.jsonl')
    if not rows:
        raise MaterialError(f'{folder}: expected utterances.jsonl with utterances, found none; '
                            'give the folder of synthetic speech in --speech')
    return rows


def read_trained_keys(folders: Iterable[Path]) -> set[str]:
    """Return the keys of all sentences that voices of training say."""
    return {name for folder in folders for row in read_utterances(folder)
            if row['split'] != 'validation' for name in _keys_of(row['text'])}


def _find_references(text: str, own: str, pairs: SentencePairs | None) -> tuple[str, ...]:
    """Return translations of a text that is not trained on; its own one comes first."""
    mine = (own,) if own else ()
    if pairs is None:
        return mine
    known = pairs.translations_of(text)
    if known:
        return tuple(dict.fromkeys(mine + known))
    return () if pairs.is_trained(text) else mine


def pair_spoken(items: Sequence[HeldOutClip], speech: Sequence[Path],
                pairs: SentencePairs | None) -> list[Sentence]:
    """Return held-out spoken sentences with a known translation, in a fixed order."""
    spoken = [Sentence(item.name, item.path, language_of(item.text), item.text,
                       _find_references(item.text, item.translation, pairs))
              for item in items if item.text and not item.generated]
    said = read_trained_keys(speech)
    for folder in speech:
        for row in read_utterances(folder):
            if row['split'] != 'validation' or not said.isdisjoint(_keys_of(row['text'])):
                continue
            path = folder / row['path']
            references = _find_references(row['text'], row.get('translation') or '', pairs)
            spoken.append(Sentence(
                '/'.join(path.parts[-3:]), path, language_of(row['text']), row['text'],
                references, voice=row.get('voice', ''),
                new=all(said.isdisjoint(_keys_of(text)) for text in references)))
    return sorted((sentence for sentence in spoken if sentence.references),
                  key=lambda sentence: chance_of(sentence.name))
