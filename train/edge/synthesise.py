"""
Speech for the edge model: sentences spoken by freely licensed synthetic voices.

Owns texts, voices and inner pauses; each utterance is one FLAC file of 16 kHz mono speech with
the silence around it cut off, and one line in ``utterances.jsonl``. Knows nothing of streams,
tokens or models. Voices: hibari-tts (Apache-2.0) as a Python package, espeak-ng and flite as
system commands; a voice that is missing is left out with a message. A run that was stopped goes
on.

    python -m train.edge.synthesise --text sentences.tsv --out speech --count 4000

All batches are parts of one plan: ``--first 15000 --count 9000`` makes the utterances 15,000 to
23,999, which share neither a name nor a sentence with those before.
"""

import argparse
import csv
import json
import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from held_out.pairs import read_pairs, split_pairs
from train.edge.dialogue import command_texts
from train.edge.dialogue import draw_texts as dialogue_texts
from train.edge.feature_folder import mend_lines
from train.edge.numbers_and_names import draw_particulars
from train.edge.third_mixture import known_texts, near_miss_texts, urgent_texts

__all__ = ['MissingVoicesError', 'Utterance', 'check_voices', 'make_disfluent', 'speak',
           'speak_all',
           'trim', 'trim_with_start', 'plan_utterances', 'write_utterance']

RATE = SAMPLE_RATE_HZ
ESPEAK = [f'espeak:{accent}+{variant}' for accent in ('en-us', 'en-gb', 'en-gb-scotland')
          for variant in ('m1', 'm2', 'm3', 'm7', 'f1', 'f2', 'f4', 'f5', 'Andrea', 'steph')]
TRAIN_VOICES = {'hibari': ['hibari:heart'], 'flite': ['flite:slt', 'flite:rms', 'flite:kal16'],
                'espeak': ESPEAK}
VALIDATION_VOICES = ['flite:awb', 'espeak:en-us+m5', 'espeak:en-gb+f3']
FAMILY_WEIGHTS = {'hibari': 0.5, 'flite': 0.32, 'espeak': 0.18}

FIRST_MIXTURE = 15_000
"""From this index on the plan holds dialogue, numbers and disfluencies."""
VALIDATION = 150
"""So many utterances at the beginning of each mixture are for validation."""
THIRD_MIXTURE = 24_150
"""From this index on it holds what is like an order and is none, and what the robot must admit."""
THIRD_KINDS = {'near miss': 0.35, 'sentence': 0.25, 'dialogue': 0.2, 'urgent': 0.1,
               'particulars': 0.1}
THIRD_WEIGHTS = {'hibari': 0.6, 'flite': 0.25, 'espeak': 0.15}
ENDINGS = ('{}', '{}', '{}...', '{}, um.', '{}, uh...')
"""How an order that is cut off is said."""
KINDS = {'sentence': 0.6, 'dialogue': 0.3, 'particulars': 0.1}
DISFLUENT = 0.08
FILLERS = ('um', 'uh', 'er')
REPEATED = {'i', 'we', 'you', 'he', 'she', 'they', 'it', 'the', 'a', 'my', 'your', 'his', 'her',
            'to', 'in', 'on', 'at', 'for', 'with', 'and', 'is', 'are', 'was', 'can', 'will', 'do'}
"""What people say twice by mistake; of other words a repetition may be meant ("very")."""
SHARED_WORDS = 6
"""A text of validation with so many words or more is not trained on; "Stop." cannot but be."""


INSTALL = '`apt install flite espeak-ng` and `pip install -r requirements/train.txt`'


class MissingVoicesError(AudioInteractionError):
    """No voice of one side is installed; the message names the commands that install them."""


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


def plan_utterances(texts: list[str], count: int, seed: int = 0, first: int = 0,
                    alone: Collection[str] | None = None) -> list[Utterance]:
    """
    Return the utterances ``first`` to ``first + count`` of the plan of a seed.

    The plan is one sequence, so that batches go on where others ended. Up to FIRST_MIXTURE it is
    80 % sentences (often two in a row) and 20 % commands, then KINDS. Validation has its own
    voices, and every sentence is used on one side only; VALIDATION utterances at the beginning
    of the first and of the second go there.

    From THIRD_MIXTURE on the plan holds THIRD_KINDS for training only, nothing that validation
    says; sentences are those of ``alone`` (default: all) that were not said yet, then any of
    them. No other utterance is a sentence of ``texts`` that ``alone`` lacks.
    """
    every = texts
    texts = random.Random(seed).sample(texts, len(texts))
    rng = random.Random(seed)
    rng.sample(texts, len(texts))  # the draws above, for what follows them
    plan = _draw_first_mixture(texts, rng, min(first + count, FIRST_MIXTURE))
    held_out = {_bare_words(item.text) for item in plan[:VALIDATION]}
    for index in range(FIRST_MIXTURE, min(first + count, THIRD_MIXTURE)):
        plan.append(_draw_second_mixture(texts, index, seed, held_out))
    third = _ThirdMixture(every, texts, set(every if alone is None else alone),
                          [item.text for item in plan if item.split == 'validation'])
    plan += [third.draw(index, seed) for index in range(THIRD_MIXTURE, first + count)]
    return plan[first:]


def _draw_first_mixture(texts: list[str], rng: random.Random, count: int) -> list[Utterance]:
    commands = command_texts(rng)
    plan = []
    for index in range(count):
        text = texts.pop() if rng.random() < 0.8 and texts else next(commands)
        if len(text.split()) < 6 and texts and rng.random() < 0.6:
            text += ' ' + texts.pop()
        plan.append(Utterance(name=f'{index:05d}', text=text, seed=index,
                              **_draw_side(index < VALIDATION, rng)))
    return plan


def _draw_side(validation: bool, rng: random.Random,
               weights: dict[str, float] = FAMILY_WEIGHTS) -> dict[str, str]:
    family = rng.choices(list(weights), list(weights.values()))[0]
    return {'voice': rng.choice(VALIDATION_VOICES if validation else TRAIN_VOICES[family]),
            'split': 'validation' if validation else 'train'}


def _draw_second_mixture(texts: list[str], index: int, seed: int, held_out: set[str]) -> Utterance:
    """Return one utterance of the second mixture; take its sentences off ``texts``."""
    rng = random.Random(f'{seed} {index}')
    validation = index < FIRST_MIXTURE + VALIDATION
    kind = 'dialogue' if validation else rng.choices(list(KINDS), list(KINDS.values()))[0]
    if kind == 'sentence' and not texts:
        kind = 'dialogue'  # all sentences are used up
    if kind == 'sentence':
        text = texts.pop()
        if len(text.split()) < 6 and texts and rng.random() < 0.6:
            text += ' ' + texts.pop()
    else:
        source = dialogue_texts(rng) if kind == 'dialogue' else draw_particulars(rng)
        text = next(text for text in source if validation or _bare_words(text) not in held_out)
    if validation and len(text.split()) >= SHARED_WORDS:
        held_out.add(_bare_words(text))
    said = separate_letters(text)
    if rng.random() < DISFLUENT:
        said = make_disfluent(said, rng, repeat=kind != 'particulars')
    return Utterance(name=f'{index:05d}', text=text, spoken='' if said == text else said,
                     seed=index, **_draw_side(validation, rng))


class _ThirdMixture:
    """The third mixture: its sentences, and what it never says."""

    def __init__(self, every: Collection[str], left: Collection[str], alone: Collection[str],
                 validation: Collection[str]) -> None:
        heard = '\n'.join(validation)
        self.again = [text for text in every if text in alone and text not in heard]
        self.left = [text for text in left if text in alone]
        self.held_out = {_bare_words(text) for text in every if text not in alone}
        self.held_out |= {_bare_words(text) for text in validation if len(text.split()) > 2}

    def draw(self, index: int, seed: int) -> Utterance:
        """Return one utterance; take its sentence off those that are left."""
        rng = random.Random(f'{seed} {index}')
        kind = rng.choices(list(THIRD_KINDS), list(THIRD_KINDS.values()))[0]
        if kind == 'sentence' and self.again:
            text = self.left.pop() if self.left else rng.choice(self.again)
        else:
            source = {'near miss': near_miss_texts, 'urgent': urgent_texts,
                      'particulars': draw_particulars}.get(kind, known_texts)(rng)
            text = next(text for text in source if _bare_words(text) not in self.held_out)
        said = separate_letters(text)
        if text[-1] not in '.?!':
            said = rng.choice(ENDINGS).format(said)
        elif rng.random() < DISFLUENT:
            said = make_disfluent(said, rng, repeat=kind != 'particulars')
        return Utterance(name=f'{index:05d}', text=text, spoken='' if said == text else said,
                         seed=index, **_draw_side(False, rng, THIRD_WEIGHTS))


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


@lru_cache(maxsize=1)
def load_hibari():
    from hibari import Hibari
    return Hibari()


def run_command(command: list[str]) -> tuple[np.ndarray, int]:
    with tempfile.NamedTemporaryFile(suffix='.wav') as file:
        subprocess.run([*command, file.name], check=True, capture_output=True)
        return soundfile.read(file.name, dtype='float32')


def speak(text: str, voice: str, rng: random.Random) -> np.ndarray:
    """Return float32 speech at 16 kHz; pace and pitch are drawn around the voice's own."""
    family, _, name = voice.partition(':')
    if family == 'hibari':
        audio = load_hibari()(text, speed=rng.uniform(0.85, 1.25), seed=rng.randrange(9999))
        rate = round(24_000 * rng.uniform(0.82, 1.12))  # shifts pitch and formants: other speakers
    elif family == 'flite':
        audio, rate = run_command(['flite', '-voice', name, '--setf',
                                   f'duration_stretch={rng.uniform(0.8, 1.15):.2f}',
                                   '-t', text, '-o'])
        rate = round(rate * rng.uniform(0.9, 1.1))
    elif family == 'espeak':
        audio, rate = run_command(['espeak-ng', '-v', name, '-s', str(rng.randint(130, 185)),
                                   '-p', str(rng.randint(30, 65)), text, '-w'])
    else:
        raise ValueError(f'expected a voice of hibari, flite or espeak, got {voice!r}')
    return soxr.resample(np.asarray(audio, np.float32), rate, RATE)


def trim(audio: np.ndarray, threshold_db: float = -38.0) -> np.ndarray:
    """Cut leading and trailing parts quieter than the loudest 20 ms by the threshold."""
    return trim_with_start(audio, threshold_db)[0]


def trim_with_start(audio: np.ndarray, threshold_db: float) -> tuple[np.ndarray, int]:
    """Return what ``trim`` leaves and the sample with which it begins."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(audio, (0, 320)), 320)[::160]
    power = (frames ** 2).mean(axis=1)
    loud = np.flatnonzero(power > power.max() * 10 ** (threshold_db / 10))
    first = int(loud[0]) * 160
    return audio[first:loud[-1] * 160 + 320], first


def split_at_pauses(text: str, rng: random.Random) -> list[tuple[str, float]]:
    """
    Split a text into what is said in one go, each with the pause after it in seconds.

    A pause inside a sentence may be longer than the end margin (the words tell that more is
    to come), one between sentences may not.
    """
    words = text.split()
    if len(words) < 5 or rng.random() < 0.55:
        return [(text, 0.0)]
    ends = [i + 1 for i, word in enumerate(words[:-1]) if word[-1] in '.?!']
    if ends:
        return [(' '.join(words[:ends[0]]), rng.uniform(0.1, 0.32)),
                (' '.join(words[ends[0]:]), 0.0)]
    cut = rng.randint(2, len(words) - 2)
    return [(' '.join(words[:cut]) + ',', rng.uniform(0.15, 0.75)), (' '.join(words[cut:]), 0.0)]


def make(plan: Utterance, out: Path) -> dict | None:
    """Write one utterance and return its line; None when the voice refused the text."""
    rng = random.Random(plan.seed)
    pieces = []
    try:
        for text, pause in split_at_pauses(plan.spoken or plan.text, rng):
            pieces += [trim(speak(text, plan.voice, rng)), np.zeros(int(pause * RATE), np.float32)]
    except (subprocess.CalledProcessError, IndexError, ValueError):
        return None
    return write_utterance(plan, np.concatenate(pieces), out)


def write_utterance(plan: Any, audio: np.ndarray, out: Path) -> dict | None:
    """Write speech [n] at 16 kHz and return the line of a plan's dataclass; None if unusable."""
    if not 0.4 * RATE <= len(audio) <= 10 * RATE or not np.abs(audio).max() > 1e-3:
        return None
    path = out / f'{plan.name}.flac'
    soundfile.write(path, audio / np.abs(audio).max() * 0.7, RATE)
    return {**asdict(plan), 'path': path.name, 'seconds': round(len(audio) / RATE, 3)}


def check_voices(plan: list[Utterance]) -> list[Utterance]:
    """Return what the voices on this machine can say; MissingVoicesError if a side has none."""
    missing = [family for family, command in (('flite', 'flite'), ('espeak', 'espeak-ng'))
               if shutil.which(command) is None]
    missing += ['hibari'] if find_spec('hibari') is None else []
    for family in missing:
        print(f'left out: voices of {family}; to have them: {INSTALL}')
    left = [item for item in plan if item.voice.partition(':')[0] not in missing]
    for side in sorted({item.split for item in plan} - {item.split for item in left}):
        raise MissingVoicesError(f'expected utterances for the side {side!r}, no voice of it is '
                                 f'there ({", ".join(missing)} missing); run {INSTALL}')
    return left


def speak_all(plan: Sequence[Any], out: Path, workers: int,
              work: Callable[[Any, Path], dict | None] = make) -> float:
    """
    Speak what the folder does not hold yet; return the seconds of all that it then holds.

    ``one`` writes one item of the plan and returns its line, as ``make`` does.
    """
    path = out / 'utterances.jsonl'
    rows = [row for row in mend_lines(path) if (out / row['path']).exists()]
    done = {row['name'] for row in rows}
    left = [item for item in plan if item.name not in done]
    seconds = sum(row['seconds'] for row in rows)
    with ProcessPoolExecutor(workers) as pool, path.open('a', encoding='utf-8') as lines:
        for line in pool.map(work, left, [out] * len(left), chunksize=16):
            if line is not None:
                seconds += line['seconds']
                lines.write(json.dumps(line, ensure_ascii=False) + '\n')
                lines.flush()
    return seconds


def _to_train(path: Path) -> set[str] | None:
    """Return the English sentences that a translator trains on; None for a file without any."""
    with path.open(encoding='utf-8') as file:
        if 'zh' not in file.readline().split():
            return None
    return {pair.en for pair in split_pairs(read_pairs(path))[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--text', type=Path, required=True, help='TSV with a column "en"')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--count', type=int, default=4000)
    parser.add_argument('--first', type=int, default=0, help='number of the first utterance')
    parser.add_argument('--workers', type=int, default=2)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    plan = check_voices(plan_utterances(read_sentences(arguments.text), arguments.count,
                                        first=arguments.first, alone=_to_train(arguments.text)))
    seconds = speak_all(plan, arguments.out, arguments.workers)
    print(f'{seconds / 3600:.2f} hours in {arguments.out}')


if __name__ == '__main__':
    main()
