"""
One protocol for everything that makes a sound on demand, and what comes with the project.

Owns the request, the answer and the chain of generators. Knows no plan and no verification: a
generator may return the wrong sound, whoever asked must check it.
"""

import io
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
import soundfile
import soxr

from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from train.sounds.signals import LABELS, make

__all__ = ['ChainGenerator', 'GenerationError', 'Generator', 'Request', 'SignalGenerator',
           'Sound', 'decode']

_RATE = SAMPLE_RATE_HZ


class GenerationError(AudioInteractionError):
    """No sound came: not offered, timed out, refused or unreadable; the message says which."""


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is wanted."""

    caption: str
    labels: tuple[str, ...]
    """Any of these classes in snake_case will do, the first is meant."""
    seconds: float
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Sound:
    """What came, with the terms under which it may be used."""

    samples: np.ndarray
    """float32 [n] at 16 kHz."""
    label: str
    source: str
    licence: str
    licence_group: str
    tags: tuple[str, ...] = field(default=())


class Generator(Protocol):
    """Anything that makes sounds; ``generate`` raises GenerationError and nothing else."""

    @property
    def name(self) -> str:
        """The name that stands in reports."""
        ...

    def generate(self, request: Request) -> Sound:
        """Return a sound for the request, of about its length."""
        ...


def decode(data: bytes, *, name: str) -> np.ndarray:
    """Return float32 [n] at 16 kHz of a WAV, FLAC, Ogg or MP3 file; GenerationError otherwise."""
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype='float32', always_2d=True)
    except (soundfile.SoundFileError, ValueError) as error:
        raise GenerationError(f'{name}: expected an audio file, got {len(data)} bytes that cannot '
                              f'be read ({error}); check the service') from error
    mono = samples.mean(axis=1)
    if not len(mono) or not np.isfinite(mono).all():
        raise GenerationError(f'{name}: expected sound, got an empty or broken file; '
                              'check the service')
    return np.asarray(soxr.resample(mono, rate, _RATE), np.float32)


class SignalGenerator:
    """The built-in synthesiser: standardised signals only, each request another device."""

    name = 'signals'

    def generate(self, request: Request) -> Sound:
        """Return the signal of the first label that has one."""
        label = next((label for label in request.labels if label in LABELS), None)
        if label is None:
            raise GenerationError(f'{self.name}: expected a label among {sorted(LABELS)}, got '
                                  f'{list(request.labels)}; use a generator of free sounds')
        rng = np.random.default_rng([request.seed, zlib.crc32(label.encode())])
        name = str(rng.choice(LABELS[label]))
        return Sound(samples=make(name, rng, seconds=request.seconds), label=label,
                     source=f'train.sounds.signals:{name}', licence='CC0-1.0',
                     licence_group='free', tags=(name,))


class ChainGenerator:
    """Asks one generator after another until one delivers."""

    def __init__(self, generators: Sequence[Generator]) -> None:
        self.generators = tuple(generators)
        self.name = '+'.join(generator.name for generator in self.generators) or 'none'

    def generate(self, request: Request) -> Sound:
        """Return the first sound; the error of all lists what each said."""
        said = []
        for generator in self.generators:
            try:
                return generator.generate(request)
            except GenerationError as error:
                said.append(str(error))
        raise GenerationError(' | '.join(said) or 'no generator is set up')
