"""
What a synthesiser and a recogniser are, and how a voice is named.

Knows no engine. A voice is written ``engine:name`` or ``engine:name@factor``: the factor shifts
pitch and formants, so that an engine with one voice gives several speakers.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import soxr

from audio_interaction_ros.errors import AudioInteractionError, ConfigurationError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.runtimes.base import Recognition

__all__ = ['Recogniser', 'SpeechError', 'Synthesiser', 'Voice', 'resample', 'trim_quiet']

HIGHEST_SHIFT = 1.3


class SpeechError(AudioInteractionError):
    """A text could not be spoken; another voice, or a corrected text, may be."""


class Synthesiser(Protocol):
    """Speaks. One instance per process; loading happens at the first use."""

    name: str
    licence: str
    """Licence of the voices, as far as it bears on the speech they make."""
    licence_group: str

    def voices(self, language: str) -> tuple[str, ...]:
        """Return the names of the voices that speak a language (en, zh); empty if none."""
        ...

    def speak(self, text: str, voice: str, *, language: str,
              rng: np.random.Generator) -> tuple[np.ndarray, int]:
        """Return mono float32 samples [n] and their rate in Hz; raises SpeechError."""
        ...


class Recogniser(Protocol):
    """Hears; the second pass of the runtime is one."""

    def transcribe(self, samples: np.ndarray) -> Recognition:
        """Return what samples [n] float32, 16 kHz say."""
        ...


@dataclass(frozen=True, kw_only=True)
class Voice:
    """One speaker."""

    engine: str
    name: str
    shift: float = 1.0

    @classmethod
    def parse(cls, text: str) -> 'Voice':
        """Read ``engine:name@factor``; raises ConfigurationError."""
        engine, colon, rest = text.partition(':')
        name, _, factor = rest.partition('@')
        try:
            shift = float(factor or 1.0)
        except ValueError:
            shift = 0.0
        if not (engine and colon and name and 1 / HIGHEST_SHIFT <= shift <= HIGHEST_SHIFT):
            raise ConfigurationError(
                f'voice: expected engine:name or engine:name@factor with a factor of '
                f'{1 / HIGHEST_SHIFT:.2f} to {HIGHEST_SHIFT}, got {text!r}; correct the voice')
        return cls(engine=engine, name=name, shift=shift)

    def __str__(self) -> str:
        """Return what ``parse`` reads."""
        return f'{self.engine}:{self.name}' + (f'@{self.shift:g}' if self.shift != 1.0 else '')


def resample(samples: np.ndarray, rate: int, shift: float = 1.0) -> np.ndarray:
    """Return samples [n] at 16 kHz; a shift above 1 raises pitch and shortens."""
    source = round(rate * shift)
    mono = np.asarray(samples, np.float32).reshape(-1)
    return mono if source == SAMPLE_RATE_HZ else soxr.resample(mono, source, SAMPLE_RATE_HZ)


def trim_quiet(samples: np.ndarray, below_db: float = 38.0, keep_s: float = 0.02) -> np.ndarray:
    """Cut what is quieter than the loudest 20 ms by so much at both ends, keeping a little."""
    if len(samples) < 640 or not np.any(samples):
        return samples
    hop = 160
    power = np.convolve(samples ** 2, np.ones(320) / 320, 'same')[::hop]
    loud = np.flatnonzero(power > power.max() * 10 ** (-below_db / 10))
    keep = int(keep_s * SAMPLE_RATE_HZ)
    return samples[max(0, loud[0] * hop - keep):loud[-1] * hop + hop + keep]
