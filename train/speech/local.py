"""
Voices that a fresh machine can have: hibari-tts as a Python package, espeak-ng and flite as
system commands.

Knows nothing of texts or checks. What a draw changes is the pace only; the speaker stays.
"""

import shutil
import subprocess
import tempfile
from functools import lru_cache
from typing import Any

import numpy as np
import soundfile

from audio_interaction_ros.errors import MissingDependencyError
from train.speech.protocol import SpeechError

__all__ = ['EspeakNg', 'Flite', 'Hibari']

TIMEOUT_S = 60


@lru_cache(maxsize=1)
def load_hibari() -> Any:
    try:
        from hibari import Hibari as Engine
    except ImportError as error:
        raise MissingDependencyError('hibari: expected the package hibari-tts, it is not '
                                     'installed; run: pip install "hibari-tts>=0.2.1,<0.3"'
                                     ) from error
    return Engine()


class Hibari:
    """hibari-tts (Apache-2.0): one natural English voice inside the package, many by shifting."""

    name, licence, licence_group = 'hibari', 'Apache-2.0', 'free'

    def voices(self, language: str) -> tuple[str, ...]:
        """Return the voice of the package; others would be downloaded."""
        load_hibari()
        return ('heart',) if language == 'en' else ()

    def speak(self, text: str, voice: str, *, language: str,
              rng: np.random.Generator) -> tuple[np.ndarray, int]:
        """Return speech at 24 kHz."""
        engine = load_hibari()
        if language != 'en' or voice != 'heart':
            raise SpeechError(f'hibari: expected voice heart and English, got {voice!r} and '
                              f'{language!r}; choose another engine')
        audio = engine(text, speed=float(rng.uniform(0.9, 1.15)), seed=int(rng.integers(9999)))
        return np.asarray(audio, np.float32), engine.sample_rate


def run(command: list[str], name: str) -> tuple[np.ndarray, int]:
    if shutil.which(command[0]) is None:
        raise MissingDependencyError(f'{name}: expected the command {command[0]}, it is not '
                                     f'installed; run: sudo apt install {command[0]}')
    with tempfile.NamedTemporaryFile(suffix='.wav') as file:
        try:
            subprocess.run([*command, file.name], check=True, capture_output=True,
                           timeout=TIMEOUT_S)
            return soundfile.read(file.name, dtype='float32')
        except (subprocess.SubprocessError, soundfile.SoundFileError) as error:
            raise SpeechError(f'{name} refused a text ({error}); correct the text or choose '
                              'another voice') from error


class EspeakNg:
    """espeak-ng (GPL-3 program; its output is free): formant voices, English and Mandarin."""

    name, licence, licence_group = 'espeak-ng', 'none on the output', 'free'
    VARIANTS = ('m1', 'm3', 'm7', 'f1', 'f2', 'f4')

    def voices(self, language: str) -> tuple[str, ...]:
        """Return accents with variants; empty where the command is missing."""
        if shutil.which('espeak-ng') is None:
            return ()
        accents = {'en': ('en-us', 'en-gb'), 'zh': ('cmn',)}.get(language, ())
        return tuple(f'{accent}+{variant}' for accent in accents for variant in self.VARIANTS)

    def speak(self, text: str, voice: str, *, language: str,
              rng: np.random.Generator) -> tuple[np.ndarray, int]:
        """Return speech at 22.05 kHz."""
        # a text that begins with a hyphen must not be read as an option
        return run(['espeak-ng', '-v', voice, '-s', str(rng.integers(140, 175)),
                    text.lstrip('- '), '-w'], self.name)


class Flite:
    """flite (BSD-like): diphone and clustergen voices, English."""

    name, licence, licence_group = 'flite', 'BSD-style (CMU)', 'free'

    def voices(self, language: str) -> tuple[str, ...]:
        """Return the built-in voices; empty where the command is missing."""
        installed = language == 'en' and shutil.which('flite') is not None
        return ('slt', 'rms', 'awb', 'kal16') if installed else ()

    def speak(self, text: str, voice: str, *, language: str,
              rng: np.random.Generator) -> tuple[np.ndarray, int]:
        """Return speech at 16 kHz."""
        stretch = f'duration_stretch={rng.uniform(0.9, 1.1):.2f}'
        return run(['flite', '-voice', voice, '--setf', stretch, '-t', text, '-o'], self.name)
