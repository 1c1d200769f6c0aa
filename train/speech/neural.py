"""
Neural voices that are installed on purpose: Kokoro (kokoro-onnx) and Piper.

Model files are named by the caller: nothing is downloaded here. Knows nothing of texts or checks.
"""

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.errors import ConfigurationError, MissingDependencyError
from train.speech.phonemes import ipa_of_chinese
from train.speech.protocol import SpeechError

__all__ = ['Kokoro', 'Piper']

# By the first letter of a Kokoro voice.
ACCENTS = {'a': 'en-us', 'b': 'en-gb'}
LANGUAGES = {'a': 'en', 'b': 'en', 'z': 'zh'}


def require_file(path: Path, engine: str, what: str) -> Path:
    if not path.is_file():
        raise ConfigurationError(f'{engine}: expected {what} at {path}, there is no file; '
                                 'give its path')
    return path


class Kokoro:
    """Kokoro-82M (Apache-2.0) through kokoro-onnx; voices af_*, am_*, bf_*, bm_*, zf_*, zm_*."""

    name, licence, licence_group = 'kokoro', 'Apache-2.0', 'free'
    def __init__(self, model: Path, voices: Path) -> None:
        """Take the ONNX file and the .npz or .bin of voices; both must exist."""
        self._model = require_file(model, self.name, 'the ONNX model')
        self._voices = require_file(voices, self.name, 'the file of voices')

    @cached_property
    def _loaded_engine(self) -> Any:
        try:
            from kokoro_onnx import Kokoro as Engine
        except ImportError as error:
            raise MissingDependencyError(
                'kokoro: expected the package kokoro-onnx, it is not installed; run: '
                'pip install "kokoro-onnx>=0.4,<0.7"') from error
        return Engine(str(self._model), str(self._voices))

    def voices(self, language: str) -> tuple[str, ...]:
        """Return the voices in the file whose first letter stands for the language."""
        return tuple(sorted(name for name in self._loaded_engine.get_voices()
                            if LANGUAGES.get(name[0]) == language))

    def speak(self, text: str, voice: str, *, language: str,
              rng: np.random.Generator) -> tuple[np.ndarray, int]:
        """Return speech at 24 kHz."""
        # Its own phonemes of Chinese are espeak's, which it hardly understands: Whisper base
        # misreads 34 % of the syllables then, and 5 % of them with those that it was trained on.
        how = ({'is_phonemes': True} if voice.startswith('z') else
               {'lang': ACCENTS.get(voice[:1], 'en-us')})
        said = ipa_of_chinese(text) if voice.startswith('z') else text
        try:
            samples, rate = self._loaded_engine.create(
                said, voice=voice, speed=float(rng.uniform(0.9, 1.15)), **how)
        except (AssertionError, ValueError, KeyError, RuntimeError, IndexError) as error:
            raise SpeechError(f'kokoro refused {text!r} with {voice!r} ({error}); correct the '
                              'text or choose another voice') from error
        return np.asarray(samples, np.float32), int(rate)


class Piper:
    """Piper voices (.onnx with .onnx.json beside it); each voice has its own licence."""

    name = 'piper'

    def __init__(self, models: list[Path], *, licence: str = '',
                 licence_group: str = 'unstated') -> None:
        """Take the model files; the licence of the voices is the caller's to state."""
        self._models = {path.stem: require_file(path, self.name, 'a voice') for path in models}
        self._loaded: dict[str, Any] = {}
        self.licence, self.licence_group = licence, licence_group

    def _load_voice(self, name: str) -> Any:
        if name not in self._models:
            raise SpeechError(f'piper: expected one of {sorted(self._models)}, got {name!r}; '
                              'name the voice file')
        if name not in self._loaded:
            try:
                from piper import PiperVoice
            except ImportError as error:
                raise MissingDependencyError(
                    'piper: expected the package piper-tts, it is not installed; run: '
                    'pip install "piper-tts>=1.3,<2"') from error
            self._loaded[name] = PiperVoice.load(str(self._models[name]))
        return self._loaded[name]

    def voices(self, language: str) -> tuple[str, ...]:
        """Return the voices whose file name begins with the language, as in en_US-joe-medium."""
        return tuple(sorted(name for name in self._models if name.startswith(language)))

    def speak(self, text: str, voice: str, *, language: str,
              rng: np.random.Generator) -> tuple[np.ndarray, int]:
        """Return speech at the rate of the voice."""
        engine = self._load_voice(voice)
        from piper import SynthesisConfig
        config = SynthesisConfig(length_scale=float(rng.uniform(0.9, 1.1)))
        chunks = list(engine.synthesize(text, config))
        if not chunks:
            raise SpeechError(f'piper said nothing to {text!r}; correct the text')
        return (np.concatenate([chunk.audio_float_array for chunk in chunks]),
                int(chunks[0].sample_rate))
