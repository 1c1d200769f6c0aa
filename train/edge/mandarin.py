r"""
Mandarin speech for the translation lane: Chinese sentences of a TSV spoken by synthetic voices.

Owns which sentences are spoken by whom; the folder is that of ``train.edge.synthesise``, its lines
also have ``lang`` and the English ``translation``. Held-out pairs
(``held_out.pairs.split_pairs``) are spoken for validation only, by voices that training never
hears. Voices: Kokoro-82M with phonemes of misaki, and espeak-ng, which is given pinyin: many
builds of it lack the dictionary of characters. What is missing is left out with a message. A run
that was stopped goes on.

    python -m train.edge.mandarin --text pairs.tsv --out speech-zh \
        --kokoro-model kokoro.onnx --kokoro-voices voices.npz
"""

import argparse
import random
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import soxr
from pypinyin import Style, lazy_pinyin

from audio_interaction_ros.errors import ConfigurationError
from held_out.pairs import Pair, keep_short, read_pairs, sentence_key, split_pairs
from train.edge.synthesise import RATE, MissingVoicesError, speak_all, trim, write_utterance
from train.edge.synthesise import speak as speak_other
from train.speech.neural import Kokoro
from train.speech.phonemes import words_of_chinese
from train.speech.protocol import SpeechError

__all__ = ['MandarinUtterance', 'find_missing', 'to_pinyin', 'plan_utterances',
           'choose_speakable', 'to_syllables']

TRAIN_VOICES = {
    'kokoro': [f'kokoro:{name}' for name in ('zf_xiaobei', 'zf_xiaoni', 'zf_xiaoxiao',
                                             'zm_yunjian', 'zm_yunxi', 'zm_yunxia')],
    'espeak': [f'espeak:cmn-latn-pinyin+{name}' for name in ('m2', 'm3', 'm5', 'f2', 'f4')]}
VALIDATION_VOICES = {'kokoro': ['kokoro:zf_xiaoyi', 'kokoro:zm_yunyang'],
                     'espeak': ['espeak:cmn-latn-pinyin+m1', 'espeak:cmn-latn-pinyin+f3']}
LETTERS = (2, 14)
"""Chinese characters of a sentence."""
FREQUENT = 100
"""A syllable that training holds less often is not worth a sentence."""
MARKS = str.maketrans('，、；：。？！', ',,,,.?!')
INSTALL = '`apt install espeak-ng` and `pip install -r requirements/voices.txt`'


@dataclass(frozen=True, kw_only=True)
class MandarinUtterance:
    """What is to be said by whom; pace and pitch are drawn from the seed."""

    name: str
    text: str
    translation: str
    voice: str
    seed: int
    split: str
    lang: str = 'zh'


def choose_speakable(pairs: Sequence[Pair], known: set[str] | None = None) -> list[Pair]:
    """
    Return pairs whose Chinese is short and of characters only, each Chinese sentence once.

    With ``known`` all of its syllables have to be among them.
    """
    chosen: dict[str, Pair] = {}
    for pair in pairs:
        bare = sentence_key(pair.zh)
        if LETTERS[0] <= len(bare) <= LETTERS[1] and re.fullmatch(r'[\u4e00-\u9fff]+', bare) and (
                known is None or known.issuperset(to_syllables(bare).split())):
            chosen.setdefault(bare, pair)
    return list(chosen.values())


def frequent_syllables(pairs: Sequence[Pair]) -> set[str]:
    """Return the syllables that are worth learning."""
    counts = Counter(part for pair in pairs for part
                     in to_syllables(sentence_key(pair.zh)).split())
    return {part for part, n in counts.items() if n >= FREQUENT}


def plan_utterances(pairs: Sequence[Pair], counts: dict[str, int],
                    validation: int) -> list[MandarinUtterance]:
    """
    Return validation, then the engines' training utterances evenly mixed.

    ``counts`` says how many each engine speaks; the first one that speaks at all does validation.
    An utterance's name stands for its sentence and voice whatever the counts are, as long as the
    pairs are the same: a folder can be added to. No engine speaks a sentence twice or one of
    another engine; where sentences run out, there are fewer utterances.
    """
    train, held = split_pairs(pairs)
    known = frequent_syllables(train)
    texts = choose_speakable(train, known)
    random.Random(0).shuffle(texts)
    first = next((engine for engine, n in counts.items() if n), 'espeak')
    planned = _plan_side('validation', choose_speakable(keep_short(held), known)[:validation],
                         VALIDATION_VOICES[first])
    mixed: list[tuple[float, MandarinUtterance]] = []
    for index, (engine, count) in enumerate(counts.items()):
        items = _plan_side(engine, texts[index::len(counts)][:count], TRAIN_VOICES[engine])
        mixed += [((n + 0.5) / len(items), item) for n, item in enumerate(items)]
    return planned + [item for _, item in sorted(mixed, key=lambda entry: entry[0])]


def _plan_side(kind: str, pairs: Sequence[Pair], voices: Sequence[str]) -> list[MandarinUtterance]:
    side = 'validation' if kind == 'validation' else 'train'
    return [MandarinUtterance(name=f'zh-{kind}-{n:05d}', text=pair.zh, translation=pair.en, seed=n,
                              voice=voices[n % len(voices)], split=side) for n,
            pair in enumerate(pairs)]


def to_syllables(zh: str) -> str:
    """Return Chinese as syllables in Latin letters without tones; other text stays as it is."""
    return ' '.join(part.strip() for part in lazy_pinyin(zh) if part.strip())


def to_pinyin(text: str) -> str:
    """
    Return words as syllables with tone numbers, the neutral tone as 5, and Latin punctuation.

    The syllables of a word are not parted: espeak-ng says each of several words on its own.
    """
    words = (''.join(lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True))
             for word in words_of_chinese(text))
    return ' '.join(words).translate(MARKS)


@lru_cache(maxsize=1)
def _load_kokoro(model: Path, voices: Path) -> Kokoro:
    return Kokoro(model, voices)


def speak(item: MandarinUtterance, model: Path, voices: Path) -> np.ndarray:
    """Return float32 speech at 16 kHz; other pitch and formants make more speakers of few."""
    engine, _, name = item.voice.partition(':')
    if engine != 'kokoro':
        return speak_other(to_pinyin(item.text), item.voice, random.Random(item.seed))
    rng = np.random.default_rng(item.seed)
    audio, rate = _load_kokoro(model, voices).speak(item.text, name, language='zh', rng=rng)
    shift = rng.uniform(0.92, 1.1) if item.split == 'train' else 1.0
    return soxr.resample(audio, round(rate * shift), RATE)


def make(item: MandarinUtterance, out: Path, *, model: Path, voices: Path) -> dict | None:
    """Write one utterance and return its line; None when the voice refused the text."""
    try:
        audio = trim(speak(item, model, voices))
    except (SpeechError, subprocess.CalledProcessError, IndexError, ValueError):
        return None
    return write_utterance(item, audio, out)


def find_missing(model: Path | None, voices: Path | None) -> dict[str, str]:
    """Return the engines that cannot speak here, each with what it lacks."""
    lacks = {}
    packages = [name for name in ('kokoro_onnx', 'misaki', 'jieba', 'cn2an')
                if find_spec(name) is None]
    if model is None or voices is None:
        lacks['kokoro'] = '--kokoro-model and --kokoro-voices are not given'
    elif packages:
        lacks['kokoro'] = f'not installed: {", ".join(packages)}; run {INSTALL}'
    else:
        try:
            Kokoro(model, voices)
        except ConfigurationError as error:
            lacks['kokoro'] = str(error)
    if shutil.which('espeak-ng') is None or find_spec('jieba') is None:
        lacks['espeak'] = f'espeak-ng or the package jieba is not installed; run {INSTALL}'
    return lacks


def main(given: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[1])
    parser.add_argument('--text', type=Path, required=True, help='TSV with columns "en", "zh"')
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--kokoro', type=int, default=500, help='training utterances of Kokoro')
    parser.add_argument('--espeak', type=int, default=0, help='training utterances of espeak-ng')
    parser.add_argument('--validation', type=int, default=60)
    parser.add_argument('--kokoro-model', type=Path, help='the ONNX file of Kokoro-82M')
    parser.add_argument('--kokoro-voices', type=Path, help='.npz with the voices zf_* and zm_*')
    parser.add_argument('--workers', type=int, default=2)
    asked = parser.parse_args(given)
    counts = {'kokoro': asked.kokoro, 'espeak': asked.espeak}
    lacking = find_missing(asked.kokoro_model, asked.kokoro_voices)
    for engine, why in lacking.items():
        if counts[engine]:
            print(f'left out: voices of {engine}: {why}')
            counts[engine] = 0
    if not any(counts.values()):
        raise MissingVoicesError(f'expected a voice for Mandarin, there is none '
                                 f'({"; ".join(lacking.values())}); run {INSTALL}')
    asked.out.mkdir(parents=True, exist_ok=True)
    seconds = speak_all(plan_utterances(read_pairs(asked.text), counts, asked.validation),
                        asked.out,
                        asked.workers, partial(make, model=asked.kokoro_model,
                                               voices=asked.kokoro_voices))
    print(f'{seconds / 3600:.2f} hours in {asked.out}')


if __name__ == '__main__':
    main()
