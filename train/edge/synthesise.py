"""
Speech for the first edge model: sentences spoken by freely licensed synthetic voices.

Owns texts, voices and inner pauses; each utterance is one FLAC file of 16 kHz mono speech with
the silence around it cut off, and one line in ``utterances.jsonl``. Knows nothing of streams,
tokens or models. Voices: hibari-tts (Apache-2.0) as a Python package, espeak-ng and flite as
system commands; a voice whose command is missing is left out with a message.

    python -m train.edge.synthesise --text sentences.tsv --out speech --count 4000
"""

import argparse
import csv
import json
import random
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile
import soxr

__all__ = ['Utterance', 'command_texts', 'speak', 'trim', 'utterances']

RATE = 16_000
ESPEAK = [f'espeak:{accent}+{variant}' for accent in ('en-us', 'en-gb', 'en-gb-scotland')
          for variant in ('m1', 'm2', 'm3', 'm7', 'f1', 'f2', 'f4', 'f5', 'Andrea', 'steph')]
TRAIN_VOICES = {'hibari': ['hibari:heart'], 'flite': ['flite:slt', 'flite:rms', 'flite:kal16'],
                'espeak': ESPEAK}
VALIDATION_VOICES = ['flite:awb', 'espeak:en-us+m5', 'espeak:en-gb+f3']
FAMILY_WEIGHTS = {'hibari': 0.5, 'flite': 0.32, 'espeak': 0.18}

VERBS = ('bring', 'give', 'find', 'show', 'hand', 'get')
THINGS = ('the red cup', 'a glass of water', 'my glasses', 'the blue box', 'a towel', 'my phone',
          'the remote control', 'some fruit', 'the first aid kit', 'my medicine', 'the toolbox',
          'a screwdriver', 'the newspaper', 'the green bag', 'an empty tray', 'two batteries')
PLACES = ('the kitchen', 'the living room', 'the bedroom', 'the garage', 'the hallway',
          'the charging station', 'the front door', 'the workshop', 'room twelve', 'the lift')
QUESTIONS = ('what time is it', 'how is the weather today', 'where are my keys',
             'who is at the door', 'is the door locked', 'did you hear that',
             'what is your battery level', 'can you help me', 'how far is it to the station')
ORDERS = ('stop', 'stop right there', 'turn left', 'turn right', 'go forward slowly',
          'come back here', 'follow me', 'wait here', 'turn off the lights', 'turn on the radio',
          'close the window', 'open the door', 'start the vacuum cleaner', 'be quiet please',
          'set a timer for ten minutes', 'wake me up at seven', 'call my daughter',
          'move a little closer', 'put it on the table', 'help me please', 'pick it up')
NAMES = ('', '', '', 'robot, ', 'okay robot, ', 'please, ', 'hey, ', 'listen, ')


@dataclass(frozen=True, kw_only=True)
class Utterance:
    """What is to be said by whom; pauses are drawn from the seed."""

    name: str
    text: str
    voice: str
    seed: int
    split: str


def command_texts(rng: random.Random) -> Iterator[str]:
    """Yield orders and questions to a robot, for ever."""
    while True:
        kind = rng.randrange(4)
        if kind == 0:
            body = f'{rng.choice(VERBS)} me {rng.choice(THINGS)}'
            body += rng.choice(['', f' from {rng.choice(PLACES)}', ' please'])
        elif kind == 1:
            body = f'go to {rng.choice(PLACES)}'
            body += rng.choice(['', f' and {rng.choice(VERBS)} me {rng.choice(THINGS)}', ' now'])
        else:
            body = rng.choice(QUESTIONS) + '?' if kind == 2 else rng.choice(ORDERS)
        text = rng.choice(NAMES) + body
        yield text[0].upper() + text[1:] + ('' if text.endswith('?') else '.')


def sentences(path: Path) -> list[str]:
    """Return distinct English sentences (column ``en``) that every voice reads alike."""
    with path.open(encoding='utf-8') as file:
        rows = csv.DictReader(file, delimiter='\t', quoting=csv.QUOTE_NONE)
        texts = dict.fromkeys(row['en'].strip() for row in rows)
    plain = re.compile(r"[A-Za-z][A-Za-z ,.?!'-]+")
    return [text for text in texts if plain.fullmatch(text) and 3 <= len(text.split()) <= 16]


def utterances(texts: list[str], count: int, seed: int = 0) -> list[Utterance]:
    """
    Plan utterances: 80 % sentences (often two in a row), 20 % commands.

    Validation has its own sentences (every sentence is used on one side only) and its own
    voices; 150 of the count go there.
    """
    rng = random.Random(seed)
    texts = rng.sample(texts, len(texts))
    commands = command_texts(rng)
    plan = []
    for index in range(count):
        text = texts.pop() if rng.random() < 0.8 and texts else next(commands)
        if len(text.split()) < 6 and texts and rng.random() < 0.6:
            text += ' ' + texts.pop()
        validation = index < 150
        family = rng.choices(list(FAMILY_WEIGHTS), list(FAMILY_WEIGHTS.values()))[0]
        voice = rng.choice(VALIDATION_VOICES if validation else TRAIN_VOICES[family])
        plan.append(Utterance(name=f'{index:05d}', text=text, voice=voice, seed=index,
                              split='validation' if validation else 'train'))
    return plan


@lru_cache(maxsize=1)
def hibari():
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
        audio = hibari()(text, speed=rng.uniform(0.85, 1.25), seed=rng.randrange(9999))
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
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(audio, (0, 320)), 320)[::160]
    power = (frames ** 2).mean(axis=1)
    loud = np.flatnonzero(power > power.max() * 10 ** (threshold_db / 10))
    return audio[loud[0] * 160:loud[-1] * 160 + 320]


def parts(text: str, rng: random.Random) -> list[tuple[str, float]]:
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
        for text, pause in parts(plan.text, rng):
            pieces += [trim(speak(text, plan.voice, rng)), np.zeros(int(pause * RATE), np.float32)]
    except (subprocess.CalledProcessError, IndexError, ValueError):
        return None
    audio = np.concatenate(pieces)
    if not 0.4 * RATE <= len(audio) <= 10 * RATE or not np.abs(audio).max() > 1e-3:
        return None
    path = out / f'{plan.name}.flac'
    soundfile.write(path, audio / np.abs(audio).max() * 0.7, RATE)
    return {**asdict(plan), 'path': path.name, 'seconds': round(len(audio) / RATE, 3)}


def available(plan: list[Utterance]) -> list[Utterance]:
    missing = [family for family, command in (('flite', 'flite'), ('espeak', 'espeak-ng'))
               if shutil.which(command) is None]
    for family in missing:
        print(f'left out: voices of {family}; install it with the system package manager')
    return [item for item in plan if item.voice.partition(':')[0] not in missing]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--text', type=Path, required=True, help='TSV with a column "en"')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--count', type=int, default=4000)
    parser.add_argument('--workers', type=int, default=2)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    plan = available(utterances(sentences(arguments.text), arguments.count))
    seconds = 0.0
    with ProcessPoolExecutor(arguments.workers) as pool, \
            (arguments.out / 'utterances.jsonl').open('w', encoding='utf-8') as lines:
        for line in pool.map(make, plan, [arguments.out] * len(plan), chunksize=16):
            if line is not None:
                seconds += line['seconds']
                lines.write(json.dumps(line, ensure_ascii=False) + '\n')
    print(f'{seconds / 3600:.2f} hours in {arguments.out}')


if __name__ == '__main__':
    main()
