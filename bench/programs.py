"""
``python -m bench.programs NAME FILE``: one program hears a recording in a process of its own.

Owns what each program does with a stream: ours, and those that people know. Prints one line of
JSON: processor seconds, seconds, memory, and what came of it; or what is missing.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.errors import AudioInteractionError, MissingDependencyError
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.parameter_file import load_configuration
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.resources import shipped_path
from bench.audio import cut_blocks, load_scene
from bench.measure import peak_memory_mib
from bench.tagger import PATCH_SAMPLES, load_tagger, spectrogram

__all__ = ['PROGRAMS', 'main']

Program = Callable[[np.ndarray], str]
"""Hears mono float32 [n] at 16 kHz and says what came of it."""
_HOP = round(0.48 * SAMPLE_RATE_HZ)


def _assistant(threads: int, *, lanes: Sequence[str], second_pass: str) -> Program:
    config = load_configuration(shipped_path('config/edge_lanes.yaml'))
    assistant = Assistant.load(_with(config, threads, lanes, second_pass))

    def hear(samples: np.ndarray) -> str:
        count = sum(1 for _ in assistant.listen(cut_blocks(samples)))
        return (f'{count} events, {assistant.stats.replies} replies, '
                f'{assistant.stats.alerts} alerts')
    return hear


def _with(config: AssistantConfig, threads: int, lanes: Sequence[str],
          second_pass: str) -> AssistantConfig:
    return replace(
        config, lanes=tuple(lane for lane in config.lanes if lane.name in lanes),
        model=replace(config.model, threads=threads)).with_second_pass(second_pass)


def _whisper(threads: int, *, beam: int, every_s: float = 0.0) -> Program:
    """Return faster-whisper behind its voice activity detection, an utterance at a time."""
    try:
        from faster_whisper import WhisperModel
        from faster_whisper.vad import VadOptions, get_speech_timestamps
    except ImportError as error:
        raise MissingDependencyError('this comparison needs faster-whisper; run: pip install -r '
                                     'requirements/compare.txt') from error
    from measure.whisper import ensure_converted
    model: Any = WhisperModel(str(ensure_converted()), device='cpu', compute_type='int8',
                              cpu_threads=threads)
    options = VadOptions(min_silence_duration_ms=500)

    def hear(samples: np.ndarray) -> str:
        passes, words = 0, 0
        for span in get_speech_timestamps(samples, options):
            for end in _ends(span['start'], span['end'], every_s):
                parts, _ = model.transcribe(samples[span['start']:end], language='en',
                                            beam_size=beam, condition_on_previous_text=False)
                text = ' '.join(part.text for part in parts)
                passes += 1
            words += len(text.split())
        return f'{words} words in {passes} passes'
    return hear


def _ends(start: int, end: int, every_s: float) -> Iterator[int]:
    """Yield where an utterance is read: at its end, and before it every so many seconds."""
    if every_s:
        step = round(every_s * SAMPLE_RATE_HZ)
        yield from range(start + step, end, step)
    yield end


def _tagger(threads: int) -> Program:
    tag = load_tagger(threads)

    def hear(samples: np.ndarray) -> str:
        starts = range(0, len(samples) - PATCH_SAMPLES + 1, _HOP)
        for start in starts:
            tag(spectrogram(samples[start:start + PATCH_SAMPLES]))
        return f'{len(starts)} patches'
    return hear


ALL = ('transcript', 'translation', 'assistant')
PROGRAMS: dict[str, tuple[Callable[[int], Program], str]] = {
    'ours, three lanes': (
        partial(_assistant, lanes=ALL, second_pass='none'),
        'words while they are said, their translation, alerts in words'),
    'ours, two lanes': (
        partial(_assistant, lanes=('transcript', 'assistant'), second_pass='none'),
        'words while they are said, alerts in words'),
    'ours, three lanes and second passes': (
        partial(_assistant, lanes=ALL, second_pass='whisper'),
        'the same; final words and translations by Whisper base'),
    'faster-whisper base int8, beam 1': (
        partial(_whisper, beam=1), 'words once an utterance is over'),
    'faster-whisper base int8, beam 5': (
        partial(_whisper, beam=5), 'the same, its default'),
    'faster-whisper base int8, beam 1, every second': (
        partial(_whisper, beam=1, every_s=1.0),
        'words while they are said: what there is of an utterance is read again'),
    'YAMNet': (_tagger, 'tags, a patch of 0.96 s every 0.48 s')}
"""Name of a program to what makes it (threads) and what a user gets of it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Hear a recording; 0 also where something is missing, which the line says."""
    parser = argparse.ArgumentParser(prog='python -m bench.programs')
    parser.add_argument('name', choices=PROGRAMS)
    parser.add_argument('file', type=Path)
    parser.add_argument('--seconds', type=float, default=60.0)
    parser.add_argument('--threads', type=int, default=2)
    options = parser.parse_args(arguments)
    samples, _ = load_scene(options.seconds, options.file)
    began = time.perf_counter()
    try:
        hear = PROGRAMS[options.name][0](options.threads)
    except AudioInteractionError as error:
        print(json.dumps({'missing': str(error)}))
        return 0
    ready, cpu = time.perf_counter(), time.process_time()
    came = hear(samples)
    print(json.dumps({
        'load_s': ready - began, 'seconds': time.perf_counter() - ready,
        'cpu_s': time.process_time() - cpu, 'audio_s': len(samples) / SAMPLE_RATE_HZ,
        'peak_mib': peak_memory_mib(), 'came': came}))
    return 0


if __name__ == '__main__':
    sys.exit(main())
