"""
What stands beside the translation lane: translators without a language, and Whisper base.

Owns what they say to the same sentences. ``copy``, ``frequent`` and ``nearest`` read the words
that were said (held_out.pairs.baseline_texts). Whisper hears the same audio as a whole: of
Mandarin it writes English itself; to Chinese it cannot translate, so its English words are looked
up, and the translation of the nearest sentence that is trained on stands for it. Knows no metric.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from held_out.clips import load
from held_out.pairs import Pair, baseline_texts
from held_out.spoken_sentences import Sentence
from measure import report
from measure.whisper import Reader, make_reader

__all__ = ['TRANSLATES', 'TRANSLATES_BY_LOOKUP', 'stand_beside']

TRANSLATES = 'Whisper base, translates'
TRANSLATES_BY_LOOKUP = 'Whisper base, nearest'


def stand_beside(sentences: Sequence[Sentence], train: Sequence[Pair], cache: Path, *,
                 threads: int, choice: str = 'auto') -> str:
    """
    Fill in what others say to sentences of one direction; return who read their audio.

    ``train`` may be empty, ``choice`` is that of ``measure.whisper.make_reader``; without one of
    them those that need it say nothing.
    """
    direction = sentences[0].direction
    whisper = make_reader(cache, threads, choice, language=sentences[0].language,
                          task='translate' if direction == 'zh-en' else 'transcribe')
    read = _read_all(sentences, whisper) if whisper is not None else []
    if read and direction == 'zh-en':
        _note_texts(sentences, TRANSLATES, read)
    if train:
        looked_up = read if direction == 'en-zh' else []
        texts = [sentence.text for sentence in sentences]
        for name, said in baseline_texts(train, direction, texts + looked_up).items():
            _note_texts(sentences, name, said[:len(texts)])
            if looked_up and name == 'nearest':
                _note_texts(sentences, TRANSLATES_BY_LOOKUP, said[len(texts):])
    return whisper.name if whisper else 'none'


def _read_all(sentences: Sequence[Sentence], whisper: Reader) -> list[str]:
    """Return what Whisper makes of each, showing how far it is."""
    texts = []
    with report.progress_bar() as bar:
        task = bar.add_task(f'{sentences[0].direction}: Whisper', total=len(sentences))
        for sentence in sentences:
            samples = load(sentence.path)
            digest = hashlib.sha256(samples.tobytes()).hexdigest()[:12]
            texts.append(whisper.read(f'{sentence.name} {digest}', samples)[0])
            bar.advance(task)
    return texts


def _note_texts(sentences: Sequence[Sentence], name: str, said: Sequence[str]) -> None:
    for sentence, text in zip(sentences, said, strict=True):
        sentence.beside[name] = text
