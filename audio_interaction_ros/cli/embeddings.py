"""
What the ears make of recordings: an embedding of each chunk, as the pipeline would hear it.

Owns the tap behind the encoder and the file in which hours of background lie meanwhile.
"""

import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO

import numpy as np

from audio_interaction_ros.assembly import build_pipeline
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.cli.recording import open_recording
from audio_interaction_ros.cli.sounds import hear_blocks, tell_minutes
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.errors import AudioFormatError, ConfigurationError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.runtimes.base import Encoder, Encoding
from audio_interaction_ros.taught.recordings import (
    Bed,
    Embed,
    find_sounding,
    read_chunks,
    read_samples,
)

__all__ = ['Hear', 'embed_with', 'hear_background', 'make_hearer', 'read_clips']

Hear = Callable[[Iterable[np.ndarray]], Iterator[np.ndarray]]
"""An embedding [width] of each chunk of samples that come in pieces [n] of a stream."""


def make_hearer(config: AssistantConfig, encoder: Encoder) -> Hear:
    """Return what hears streams, each from its beginning."""
    # No chunk is passed over for being quiet, so that each has its embedding.
    config = replace(config, audio=replace(config.audio, quiet_below_dbfs=-200.0))
    tap = _Tap(encoder)
    pipeline = build_pipeline(config, tap, taught=())

    def hear(pieces: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        tap.heard.clear()
        pipeline.reset(epoch=1)
        for _ in hear_blocks(pipeline, _stamp(pieces)):
            yield tap.heard.popleft()
        assert not tap.heard, 'each embedding has its chunk'
    return hear


def embed_with(hear: Hear) -> Embed:
    """Return what makes embeddings [chunks, width] of samples [n] that are a stream each."""
    return lambda samples: np.stack([*hear(
        samples[start:start + SAMPLE_RATE_HZ]
        for start in range(0, len(samples), SAMPLE_RATE_HZ))])


class _Tap:
    """An encoder that remembers what it embedded."""

    def __init__(self, encoder: Encoder) -> None:
        self.spec, self._encoder = encoder.spec, encoder
        self.heard = deque[np.ndarray]()

    def encode(self, mel: np.ndarray) -> Encoding:
        """Encode a chunk."""
        encoding = self._encoder.encode(mel)
        self.heard.append(encoding.embedding)
        return encoding

    def skip(self, mel: np.ndarray) -> None:
        """Let a chunk be."""
        self._encoder.skip(mel)

    def reset(self) -> None:
        """Forget all left context."""
        self._encoder.reset()


def _stamp(pieces: Iterable[np.ndarray]) -> Iterator[AudioBlock]:
    start = 0
    for samples in pieces:
        yield AudioBlock(samples=samples, sample_rate_hz=SAMPLE_RATE_HZ,
                         stamp_ns=start * 1_000_000_000 // SAMPLE_RATE_HZ)
        start += len(samples)


def hear_background(room: Iterable[tuple[Path, Iterable[AudioBlock]]], hear: Hear, bed: Bed
                     ) -> np.ndarray:
    """
    Return embeddings [chunks, width] float16 of recordings, one after the other; ``bed`` keeps
    some of the samples.

    They lie in a file without a name, for those of a day are gigabytes, and go with the array.
    """
    with _make_spool() as file:
        for embedding in tell_minutes(hear(_read_all(room, bed))):
            with _explain_no_room():
                file.write(embedding.astype(np.float16).tobytes())
        return np.memmap(file, np.float16, 'r').reshape(-1, len(embedding))


def _make_spool() -> IO[bytes]:
    with _explain_no_room():
        return tempfile.TemporaryFile(buffering=0)


@contextmanager
def _explain_no_room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError(
            'expected room among the temporary files for what is heard of the background, 0.1 GB '
            f'an hour, found none ({error}); free some, or name another folder in TMPDIR'
        ) from error


def read_clips(paths: Iterable[str], topic: str) -> list[np.ndarray]:
    """Return the samples of recordings, in each of which something else sounds."""
    clips = dict[bytes, tuple[str, np.ndarray]]()
    for path in paths:
        samples = read_samples(open_recording(path, topic))
        if not len(samples):
            raise _explain_empty(path)
        try:
            sound = find_sounding(samples).tobytes()
        except AudioFormatError as error:
            raise AudioFormatError(f'{path}: {error}') from error
        if sound in clips:
            raise ConfigurationError(
                f'expected recordings of several times that it sounds, found the same in '
                f'{clips[sound][0]} and {path}; record it once more')
        clips[sound] = path, samples
    return [samples for _, samples in clips.values()]


def _read_all(room: Iterable[tuple[Path, Iterable[AudioBlock]]], bed: Bed
              ) -> Iterator[np.ndarray]:
    for path, blocks in room:
        empty = True
        for chunk in bed.keep(read_chunks(blocks)):
            empty = False
            yield chunk
        if empty:
            raise _explain_empty(path)


def _explain_empty(path: str | Path) -> AudioFormatError:
    return AudioFormatError(f'{path}: expected a recording, found no samples; name another')
