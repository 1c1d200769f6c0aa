"""
Where the time goes: the parts of the assistant over a recording, one after the other.

Owns what a part is: front end with mel, audio tower, tagger, sound head, passes that listen,
passes that reply, second passes, translations of words that were read. The assistant is the one
without nodes, so nothing runs beside it; what it spends between the parts is the rest. The tower's
graph holds the tagger; that is timed alone. All in processor time of all threads, which other
programs on the machine change little.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.assembly import build_pipeline
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.parameter_file import load_configuration
from audio_interaction_ros.protocol import CHUNK_S, CHUNK_SAMPLES, SAMPLE_RATE_HZ
from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.runtimes.base import (
    Allowed,
    Encoding,
    Runtime,
    StepRequest,
    Transcriber,
)
from audio_interaction_ros.runtimes.registry import load_transcriber
from bench.audio import cut_blocks, load_scene
from bench.measure import Figure, spread, time_calls
from bench.tagger import PATCH_SAMPLES, load_tagger, spectrogram

__all__ = ['PARTS', 'Watch', 'run', 'watch']

PARTS = ('front end and mel', 'audio tower', 'tagger', 'sound head', 'listening passes',
         'reply passes', 'second passes', 'translations of words', 'rest')


class Watch:
    """Processor milliseconds of each part, chunk by chunk."""

    def __init__(self) -> None:
        self.chunks: list[dict[str, float]] = []
        """One of each chunk, part to milliseconds."""

    def spend(self, part: str, began: float) -> None:
        """Add what passed since ``began`` to a part of the newest chunk."""
        if self.chunks:
            mine = self.chunks[-1]
            mine[part] = mine.get(part, 0.0) + 1000.0 * (time.process_time() - began)


class _Watched:
    """Anything, one method of which is timed."""

    def __init__(self, inner: Any, watch: Watch) -> None:
        self._inner, self._watch = inner, watch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Encoder(_Watched):
    def encode(self, mel: np.ndarray) -> Encoding:
        self._watch.chunks.append({})
        began = time.process_time()
        encoding: Encoding = self._inner.encode(mel)
        self._watch.spend('audio tower', began)
        return encoding

    def skip(self, mel: np.ndarray) -> None:
        self._watch.chunks.append({})
        self._inner.skip(mel)


class _SoundHead(_Watched):
    def hear(self, embedding: np.ndarray) -> np.ndarray:
        return self._timed(self._inner.hear, embedding)

    def score(self, heard: np.ndarray) -> np.ndarray:
        return self._timed(self._inner.score, heard)

    def _timed(self, layers: Callable[[np.ndarray], np.ndarray], x: np.ndarray) -> np.ndarray:
        began = time.process_time()
        found = layers(x)
        self._watch.spend('sound head', began)
        return found


class _Decoder(_Watched):
    def step(self, requests: Sequence[StepRequest]) -> Any:
        began = time.process_time()
        results = self._inner.step(requests)
        replying = any(request.allowed is not Allowed.CONTROLS for request in requests)
        self._watch.spend('reply passes' if replying else 'listening passes', began)
        return results

    def open_text_net(self, slots: int) -> Any:
        return _TextNet(self._inner.open_text_net(slots), self._watch)


class _TextNet(_Watched):
    def feed(self, ids: Sequence[int], at: int) -> np.ndarray:
        began = time.process_time()
        scores: np.ndarray = self._inner.feed(ids, at)
        self._watch.spend('translations of words', began)
        return scores


class _Transcriber(_Watched):
    def transcribe(self, *arguments: Any, **options: Any) -> Any:
        began = time.process_time()
        found = self._inner.transcribe(*arguments, **options)
        self._watch.spend('second passes', began)
        return found


class _Nothing(_Watched):
    def encode(self, mel: np.ndarray) -> Encoding:
        spec = self._inner.spec
        return Encoding(
            features=np.zeros((spec.features_per_chunk, spec.feature_width), np.float32),
            embedding=np.zeros(spec.embedding_width, np.float32))

    def skip(self, mel: np.ndarray) -> None:
        pass


def run(runtime: Runtime, *, file: Path, seconds: float, threads: int,
        second_pass: bool = True) -> list[Figure]:
    """Let the assistant of config/edge.yaml hear a recording and return what each part took."""
    config = load_configuration(shipped_path('config/edge.yaml'))
    samples, origin = load_scene(seconds, file)
    reader = load_transcriber(threads=threads) if second_pass else None
    seen = watch(runtime, config, samples, reader)
    if runtime.encoder.spec.magnitudes:
        _part_the_tagger(seen, threads)
    return figures(seen, f'{origin}, {len(samples) / SAMPLE_RATE_HZ:.0f} s')


def watch(runtime: Runtime, config: AssistantConfig, samples: np.ndarray,
          reader: Transcriber | None) -> Watch:
    """Return what each part took of each chunk of samples [n] at 16 kHz."""
    seen = Watch()
    watched: Any = replace(
        runtime, encoder=_Encoder(runtime.encoder, seen), decoder=_Decoder(runtime.decoder, seen),
        sounds=None if runtime.sounds is None else _SoundHead(runtime.sounds, seen))
    second: Any = _Transcriber(reader, seen) if reader is not None else None
    assistant = Assistant.over(watched, config, reader=second)
    began = time.process_time()
    for _ in assistant.listen(cut_blocks(samples)):
        pass
    whole = 1000.0 * (time.process_time() - began)
    front = _front_end_ms(runtime, config, samples)
    spent = sum(sum(mine.values()) for mine in seen.chunks)
    for mine in seen.chunks:  # even parts: nobody can tell chunks apart there
        mine['front end and mel'] = front
        mine['rest'] = max(0.0, (whole - spent) / len(seen.chunks) - front)
    del seen.chunks[len(samples) // CHUNK_SAMPLES - 1:]  # the end comes all at once, with a tail
    return seen


def _front_end_ms(runtime: Runtime, config: AssistantConfig, samples: np.ndarray) -> float:
    """Return milliseconds a chunk of the listening side before an encoder that does nothing."""
    nothing: Any = _Nothing(runtime.encoder, Watch())
    pipeline = build_pipeline(config, nothing)
    began = time.process_time()
    count = sum(len(list(pipeline.push(block))) for block in cut_blocks(samples))
    return 1000.0 * (time.process_time() - began) / max(1, count)


def _part_the_tagger(seen: Watch, threads: int) -> None:
    tag, patch = load_tagger(threads), spectrogram(np.zeros(PATCH_SAMPLES, np.float32))
    took = float(np.median(time_calls(lambda: tag(patch), repeat=30, clock=time.process_time)))
    for mine in seen.chunks:
        mine['tagger'] = min(took, mine['audio tower'])
        mine['audio tower'] -= mine['tagger']


def figures(seen: Watch, origin: str) -> list[Figure]:
    """Return a figure for each part and for their sum, each with its values over time."""
    sums = [sum(mine.values()) for mine in seen.chunks]
    made = [spread('all parts', sums, unit='ms/chunk', note=origin,
                   series=_over_time(sums))]
    for part in PARTS:
        values = [mine.get(part, 0.0) for mine in seen.chunks]
        if any(values):
            share = sum(values) / sum(sums)
            made.append(Figure(what=part, unit='ms/chunk', value=float(np.mean(values)),
                               samples=sum(value > 0 for value in values),
                               note=f'mean of all chunks, {share:.0%} of the time',
                               series=_over_time(values)))
    return made


def _over_time(values: Sequence[float]) -> list[tuple[float, float]]:
    return [((number + 1) * CHUNK_S, value) for number, value in enumerate(values)]
