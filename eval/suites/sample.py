"""
Three items of each suite in its public form, cut from the sample scene: to see a suite run.

Nothing of a benchmark is in them. The voices are flite's, as samples/README.md says.
"""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from audio_interaction_ros.resources import shipped_path
from eval.suites.forms import MMAU_FILES, MMAU_SPOKEN
from held_out.clips import RATE, load

__all__ = ['NOTE', 'SOUNDS', 'SPOKEN', 'make_samples']

NOTE = 'no_benchmark.txt'
"""A file beside items of our own that says what they are: no figure of theirs is a benchmark's."""

SPOKEN: dict[str, tuple[float, float, str, str]] = {
    'water': (0.8, 4.4, 'Please bring me a glass of water from the kitchen.',
              '请从厨房给我拿杯水。'),
    'weather': (6.3, 8.8, 'What is the weather like today?', '今天天气怎么样？'),
    'stop': (18.8, 21.6, 'Stop right there and open the door.', '站住，把门打开。')}
"""Name to its place in the scene in seconds, what is said and what that is in Chinese."""
SOUNDS: dict[str, tuple[float, float, str, str, str]] = {
    'alarm': (10.8, 17.0, 'a smoke alarm', 'sound', 'easy'),
    'bell': (23.8, 27.0, 'a door bell', 'sound', 'medium'),
    'voice': (0.8, 4.4, 'a voice', 'speech', 'hard')}
"""Name to its place, what it is called, and its task and difficulty as MMAU has them."""
_ANSWERS = {'water': 'the kitchen', 'weather': 'I do not know', 'stop': 'the door'}


def make_samples(folder: Path, names: Sequence[str]) -> Path:
    """Write ``folder/NAME`` for each suite, where it is missing, and return ``folder``."""
    scene = load(shipped_path('samples/scene.flac'))
    for name in names:
        _MAKERS[name](folder / name, scene)
        (folder / name / NOTE).write_text('three items of the sample scene\n', encoding='utf-8')
    return folder


def _write(path: Path, scene: np.ndarray, begin: float, end: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.is_file():
        soundfile.write(path, scene[round(begin * RATE):round(end * RATE)], RATE)


def _make_mmau(folder: Path, scene: np.ndarray) -> None:
    choices = [sound[2] for sound in SOUNDS.values()]
    rows = []
    for name, (begin, end, answer, task, difficulty) in SOUNDS.items():
        _write(folder / 'test-mini-audios' / f'{name}.wav', scene, begin, end)
        _write(folder / MMAU_SPOKEN / f'{name}.wav', scene, *SPOKEN['weather'][:2])
        rows.append({'id': name, 'audio_id': f'./test-mini-audios/{name}.wav', 'task': task,
                     'question': 'What is heard?', 'choices': choices, 'answer': answer,
                     'difficulty': difficulty, 'sub-category': 'sample', 'split': 'test-mini'})
    (folder / MMAU_FILES[0]).write_text(json.dumps(rows), encoding='utf-8')


def _make_questions(folder: Path, scene: np.ndarray, **fields: Callable[[str], Any]) -> None:
    rows = []
    for name, (begin, end, said, _) in SPOKEN.items():
        _write(folder / f'{name}.wav', scene, begin, end)
        rows.append({'file_name': f'{name}.wav', 'prompt': said}
                    | {field: make(name) for field, make in fields.items()})
    (folder / 'metadata.jsonl').write_text(
        '\n'.join(json.dumps(row) for row in rows) + '\n', encoding='utf-8')


def _make_librispeech(part: str) -> Callable[[Path, np.ndarray], None]:
    def make(folder: Path, scene: np.ndarray) -> None:
        place, lines = folder / part / '1' / '2', []
        for number, (begin, end, said, _) in enumerate(SPOKEN.values()):
            _write(place / f'1-2-{number:04d}.flac', scene, begin, end)
            lines.append(f'1-2-{number:04d} {said.upper().rstrip(".?")}')
        (place / '1-2.trans.txt').write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return make


def _make_covost(part: str, *, swapped: bool) -> Callable[[Path, np.ndarray], None]:
    def make(folder: Path, scene: np.ndarray) -> None:
        lines = ['path\tsentence\ttranslation\tclient_id']
        for name, (begin, end, english, chinese) in SPOKEN.items():
            _write(folder / 'clips' / f'{name}.wav', scene, begin, end)
            pair = (chinese, english) if swapped else (english, chinese)
            lines.append('\t'.join((f'{name}.wav', *pair, 'flite')))
        (folder / f'covost_v2.{part}.tsv').write_text('\n'.join(lines) + '\n', encoding='utf-8')
    return make


_MAKERS: dict[str, Callable[[Path, np.ndarray], None]] = {
    'mmau': _make_mmau, 'mmau-spoken': _make_mmau,
    'llama-questions': lambda folder, scene: _make_questions(folder, scene, Answer=_ANSWERS.get),
    'web-questions': lambda folder, scene: _make_questions(
        folder, scene, answers=lambda name: [_ANSWERS[name], 'nothing']),
    'alpacaeval': _make_questions,
    'sd-qa': lambda folder, scene: _make_questions(
        folder, scene, reference=_ANSWERS.get, region=lambda _: 'usa'),
    'librispeech-clean': _make_librispeech('test-clean'),
    'librispeech-other': _make_librispeech('test-other'),
    'covost-en-zh': _make_covost('en_zh-CN.test', swapped=False),
    'covost-zh-en': _make_covost('zh-CN_en.test', swapped=True)}
