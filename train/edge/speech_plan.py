"""
Who says what: the utterances that the edge model learns words from, planned by name.

Owns the choice. Each utterance hangs on its own words and on nothing else: name, voice, pauses,
hesitations and side come from the hash of its kind, its phrase and how often that was said before.
So a sentence more in a file makes utterances more and changes none of the others, and what was
spoken already is not spoken again. Knows no sound.
"""

import bisect
import csv
import random
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from held_out.pairs import read_pairs, split_pairs
from held_out.splits import chance_of
from train.edge.phrases import SOURCES
from train.edge.texts import choose
from train.stages import stable_seed

__all__ = ['TRAIN_VOICES', 'VALIDATION_VOICES', 'Utterance', 'make_disfluent',
           'plan_utterances', 'read_sentences', 'sentences_to_train',
           'separate_letters']

ESPEAK = [f'espeak:{accent}+{variant}' for accent in ('en-us', 'en-gb', 'en-gb-scotland')
          for variant in ('m1', 'm2', 'm3', 'm7', 'f1', 'f2', 'f4', 'f5', 'Andrea', 'steph')]
TRAIN_VOICES = {'hibari': ['hibari:heart'], 'flite': ['flite:slt', 'flite:rms', 'flite:kal16'],
                'espeak': ESPEAK}
VALIDATION_VOICES = ['flite:awb', 'espeak:en-us+m5', 'espeak:en-gb+f3']
FAMILY_WEIGHTS = {'hibari': 0.55, 'flite': 0.3, 'espeak': 0.15}

SENTENCES = 0.75
"""How many of the sentences to train on are said."""
VALIDATION = 0.012
"""How many utterances are said by voices of validation, of text that no other voice says."""
HELD_OUT_SENTENCES = 0.06
"""How many of the sentences that no translator trains on."""
DOUBLE = 0.6
"""How often a short sentence is followed by another."""
SHORT_WORDS = 6
"""A text of so many words or more is on one side only; "Stop." cannot but be on both."""
ENDINGS = ('{}', '{}', '{}...', '{}, um.', '{}, uh...')
"""How an order that is cut off is said."""
DISFLUENT = 0.08
FILLERS = ('um', 'uh', 'er')
REPEATED = {'i', 'we', 'you', 'he', 'she', 'they', 'it', 'the', 'a', 'my', 'your', 'his', 'her',
            'to', 'in', 'on', 'at', 'for', 'with', 'and', 'is', 'are', 'was', 'can', 'will', 'do'}
"""What people say twice by mistake; of other words a repetition may be meant ("very")."""


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """What is to be said by whom; pauses are drawn from the seed."""

    name: str
    text: str
    voice: str
    seed: int
    split: str
    spoken: str = ''
    """What the voice says where that is not ``text``: with fillers and repeated words."""


def read_sentences(path: Path) -> list[str]:
    """Return distinct English sentences (column ``en``) that every voice reads alike."""
    with path.open(encoding='utf-8') as file:
        rows = csv.DictReader(file, delimiter='\t', quoting=csv.QUOTE_NONE)
        texts = dict.fromkeys(row['en'].strip() for row in rows)
    plain = re.compile(r"[A-Za-z][A-Za-z ,.?!'-]+")
    return [text for text in texts if plain.fullmatch(text) and 3 <= len(text.split()) <= 16]


def plan_utterances(texts: Collection[str], share: float = 1.0,
                    alone: Collection[str] | None = None) -> list[Utterance]:
    """
    Return the plan in order of names: sentences, and what is drawn of ``train.edge.phrases``.

    ``share`` is that of the training side (1.0: about 28,000 utterances); a larger share holds a
    smaller one, and validation is always whole. Voices of training say of ``texts`` only those of
    ``alone`` (default: all), and nothing of three words and more that validation or the others of
    ``texts`` say.
    """
    held_out = {_bare_words(text) for text in texts} - {_bare_words(text)
                                                       for text in alone or texts}
    planned = {one.name: one for one in chain(_plan_sentences(texts, alone), _plan_phrases())}
    spoken = {_bare_words(one.text) for one in planned.values() if one.split == 'validation'}
    return [one for name, one in sorted(planned.items()) if one.split == 'validation' or (
        chance_of('share', name) < share and (
            len(one.text.split()) < 3 or _bare_words(one.text) not in spoken | held_out))]


def _plan_sentences(texts: Collection[str], alone: Collection[str] | None) -> Iterator[Utterance]:
    ring = {split: sorted((chance_of('ring', text), text) for text in texts
                          if _split_of(text, alone) == split) for split in ('train', 'validation')}
    for split, mine in ring.items():
        for at, text in mine:
            rng = random.Random(stable_seed('sentence', text))
            if split == 'train' and rng.random() >= SENTENCES:
                continue
            if len(text.split()) < SHORT_WORDS and rng.random() < DOUBLE:
                text = f'{text} {_next_in(mine, at)}'
            yield _utter('sentence', text, rng, split)


def _split_of(text: str, alone: Collection[str] | None) -> str:
    """Return the side of a sentence, '' for none: held out of training, and not said."""
    if alone is None:
        return 'validation' if chance_of('side', _bare_words(text)) < VALIDATION else 'train'
    if text in alone:
        return 'train'
    return 'validation' if chance_of('side', _bare_words(text)) < HELD_OUT_SENTENCES else ''


def _next_in(ring: Sequence[tuple[float, str]], at: float) -> str:
    """Return what follows; a sentence more in the ring changes only who is before it."""
    return ring[bisect.bisect(ring, (at, '\U0010ffff')) % len(ring)][1]


def _plan_phrases() -> Iterator[Utterance]:
    for kind, source in SOURCES.items():
        for phrase in source.phrases():
            for number in range(source.draws_of(phrase)):
                rng = random.Random(stable_seed(kind, phrase, number))
                if text := source.draw(phrase, rng):
                    own = _bare_words(text) if len(text.split()) >= SHORT_WORDS else (
                        f'{phrase} {number}')
                    yield _utter(kind, text, rng, 'validation' if chance_of('side', own)
                                 < VALIDATION else 'train')


def _utter(kind: str, text: str, rng: random.Random, split: str) -> Utterance:
    """Return an utterance: how its text is said and by whom is drawn, its name made of that."""
    said = separate_letters(text)
    if text[-1] not in '.?!' and kind != 'sentence':
        said = choose(ENDINGS, rng).format(said)
    elif rng.random() < DISFLUENT:
        said = make_disfluent(said, rng, repeat=kind != 'particular')
    family = rng.choices(list(FAMILY_WEIGHTS), list(FAMILY_WEIGHTS.values()))[0]
    voice = rng.choice(VALIDATION_VOICES if split == 'validation' else TRAIN_VOICES[family])
    seed = rng.randrange(1 << 31)
    return Utterance(name=f'{kind}-{stable_seed(text, said, voice, seed):016x}', text=text,
                     spoken='' if said == text else said, voice=voice, seed=seed, split=split)


def sentences_to_train(path: Path) -> set[str] | None:
    """Return the English sentences that a translator trains on; None for a file without any."""
    with path.open(encoding='utf-8') as file:
        if 'zh' not in file.readline().split():
            return None
    return {pair.en for pair in split_pairs(read_pairs(path))[0]}


def _bare_words(text: str) -> str:
    return re.sub(r"[^a-z' ]", '', text.lower())


def separate_letters(text: str) -> str:
    """Put commas into what is spelled, or a voice reads "A" as an article."""
    return re.sub(r'\b([A-Z]) (?=[A-Z]\b)', r'\1, ', text)


def make_disfluent(text: str, rng: random.Random, *, repeat: bool = True) -> str:
    """
    Return a text as somebody says it who hesitates once: "I, um, I want to go home."

    ``repeat=False`` only puts in a filler: of numbers, a repeated word would be another number.
    """
    words = text.split()
    if len(words) < 4:
        return text
    at = rng.randrange(1, len(words))
    before, filler = words[at - 1], rng.choice(FILLERS)
    if repeat and before.lower() in REPEATED and (how := rng.random()) < 0.8:
        again = before if at > 1 or before == 'I' else before.lower()
        words[at - 1:at] = [f'{before},', again] if how < 0.4 else [
            f'{before},', f'{filler},', again]
    elif rng.random() < 0.3:
        first = words[0] if words[0] == 'I' or words[0].startswith("I'") else words[0].lower()
        words[:1] = [f'{filler.capitalize()},', first]
    elif before[-1] in '.?!':
        words.insert(at, f'{filler.capitalize()},')
    else:
        words[at - 1:at] = [f'{before.rstrip(",")},', f'{filler},']
    return ' '.join(words)
