"""
Speech for the edge model: sentences spoken by freely licensed synthetic voices.

Owns voices and inner pauses; each utterance is one FLAC file of 16 kHz mono speech with
the silence around it cut off, and one line in ``utterances.jsonl``. Knows nothing of streams,
tokens or models. Voices: hibari-tts (Apache-2.0) as a Python package, espeak-ng and flite as
system commands; a voice that is missing is left out with a message. A run that was stopped goes
on.

    python -m train.edge.synthesise --text sentences.tsv --out speech

What is said by whom is planned by ``train.edge.speech_plan``.
"""

import argparse
import json
import random
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from held_out.lines import mend_lines
from train.edge.speech_plan import (
    Utterance,
    plan_utterances,
    read_sentences,
    sentences_to_train,
)

__all__ = ['MissingVoicesError', 'check_voices', 'speak', 'speak_all', 'trim', 'trim_with_start',
           'write_utterance']

RATE = SAMPLE_RATE_HZ
INSTALL = '`apt install flite espeak-ng` and `pip install -r requirements/train.txt`'


class MissingVoicesError(AudioInteractionError):
    """No voice of one side is installed; the message names the commands that install them."""


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

    ``work`` writes one item of the plan and returns its line, as ``make`` does.
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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--text', type=Path, required=True, help='TSV with a column "en"')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--share', type=float, default=1.0, help='of the training side')
    parser.add_argument('--workers', type=int, default=2)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    texts = read_sentences(arguments.text)
    plan = check_voices(plan_utterances(texts, arguments.share,
                                        sentences_to_train(arguments.text)))
    seconds = speak_all(plan, arguments.out, arguments.workers)
    print(f'{seconds / 3600:.2f} hours in {arguments.out}')


if __name__ == '__main__':
    main()
