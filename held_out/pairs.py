"""
Sentence pairs to translate: read, split so that no sentence is on both sides, and what is trivial.

Owns the split and the three translators that know no language: they are what a model has to beat.
Knows no model and no tokenizer.
"""

import csv
import hashlib
import math
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from audio_interaction_ros.errors import AudioInteractionError

__all__ = ['DIRECTIONS', 'Pair', 'PairsError', 'baseline_texts', 'sentence_key', 'read_pairs',
           'find_references',
           'keep_short', 'split_pairs']

DIRECTIONS = ('en-zh', 'zh-en')
HELD_OUT = 0.1
SHORT_WORDS = 10
"""English words of a short sentence."""


class PairsError(AudioInteractionError, ValueError):
    """The file of pairs is not as expected; whoever made it must change it."""


@dataclass(frozen=True)
class Pair:
    """An English sentence and a Chinese one that mean the same."""

    en: str
    zh: str

    def ends(self, direction: str) -> tuple[str, str]:
        """Return what is given and what is wanted."""
        return (self.en, self.zh) if direction == 'en-zh' else (self.zh, self.en)


def read_pairs(path: Path) -> list[Pair]:
    """Read the columns en and zh of a TSV; PairsError where they or all rows are missing."""
    with path.open(encoding='utf-8', newline='') as lines:
        rows = csv.DictReader(lines, delimiter='\t', quoting=csv.QUOTE_NONE)
        if not {'en', 'zh'} <= set(rows.fieldnames or ()):
            raise PairsError(f'{path}: expected the columns en and zh, found {rows.fieldnames}; '
                             'give another file in --pairs')
        pairs = [Pair(row['en'].strip(), row['zh'].strip()) for row in rows
                 if row['en'] and row['zh']]
    if not pairs:
        raise PairsError(f'{path}: expected sentence pairs, found none; give another file')
    return list(dict.fromkeys(pairs))


def sentence_key(text: str) -> str:
    """Return a sentence without case, width, spaces and punctuation: equal ones are the same."""
    plain = unicodedata.normalize('NFKC', text).casefold()
    return ''.join(letter for letter in plain if letter.isalnum()) or plain


def _chance_of(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], 'big') / 2 ** 64


def split_pairs(pairs: Sequence[Pair], share: float = HELD_OUT) -> tuple[list[Pair], list[Pair]]:
    """
    Return pairs to train on and held-out ones, in an order that says nothing.

    The hash of the English sentence decides. A pair whose Chinese sentence is held out with
    another English one is left out of training, so no sentence is on both sides.
    """
    held = [pair for pair in pairs if _chance_of(sentence_key(pair.en)) < share]
    taken = {sentence_key(pair.zh) for pair in held}
    train = [pair for pair in pairs
             if _chance_of(sentence_key(pair.en)) >= share and sentence_key(pair.zh) not in taken]
    return train, sorted(held, key=lambda pair: _chance_of(f'order {pair.en} {pair.zh}'))


def keep_short(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs of at most ten English words."""
    return [pair for pair in pairs if len(pair.en.split()) <= SHORT_WORDS]


def find_references(pairs: Sequence[Pair], direction: str) -> dict[str, tuple[str, ...]]:
    """Return every known translation of each sentence."""
    translations: dict[str, list[str]] = defaultdict(list)
    for pair in pairs:
        given, wanted = pair.ends(direction)
        translations[given].append(wanted)
    return {text: tuple(dict.fromkeys(others)) for text, others in translations.items()}


def baseline_texts(train: Sequence[Pair], direction: str, sources: Sequence[str]) -> dict[
        str, list[str]]:
    """
    Return what translators without a language say to each source.

    ``copy`` repeats the source, ``frequent`` always says the most frequent target of training,
    ``nearest`` looks up the training sentence that shares most letter pairs and says its
    translation: what it scores needs no model, only the list.
    """
    ends = [pair.ends(direction) for pair in train]
    frequent = Counter(wanted for _, wanted in ends).most_common(1)[0][0]
    return {'copy': list(sources), 'frequent': [frequent] * len(sources),
            'nearest': _find_nearest(ends, sources)}


def _count_bigrams(text: str) -> Counter[str]:
    padded = f' {text.casefold()} '
    return Counter(padded[i:i + 2] for i in range(len(padded) - 1))


def _find_nearest(ends: Sequence[tuple[str, str]], sources: Sequence[str]) -> list[str]:
    known = [_count_bigrams(given) for given, _ in ends]
    places: dict[str, list[int]] = defaultdict(list)
    for index, grams in enumerate(known):
        for gram in grams:
            places[gram].append(index)
    rarity = {gram: math.log(1 + len(known) / len(where)) for gram, where in places.items()}

    def norm(grams: Counter[str]) -> float:
        return math.sqrt(sum((n * rarity.get(gram, 0.0)) ** 2 for gram, n in grams.items())) or 1.0
    norms = [norm(grams) for grams in known]

    def find_best(source: str) -> str:
        scores: dict[int, float] = defaultdict(float)
        for gram, n in _count_bigrams(source).items():
            for index in places.get(gram, ()):
                scores[index] += n * known[index][gram] * rarity[gram] ** 2
        nearest = max(scores, key=lambda index: scores[index] / norms[index], default=0)
        return ends[nearest][1]
    return [find_best(source) for source in sources]
