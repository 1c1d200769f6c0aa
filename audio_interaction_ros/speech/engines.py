"""
The engines that speak: hibari-tts, espeak-ng, Piper, Kokoro, and tones for trying things out.

Each is optional; one that lacks something says what to install or to name. Nothing is downloaded.
Owns how each is called. Knows no queue and no loudspeaker.
"""

import io
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from audio_interaction_ros.errors import ConfigurationError, MissingDependencyError
from audio_interaction_ros.speech.engine import SpeechError, Spoken

__all__ = ['EspeakNg', 'Hibari', 'Kokoro', 'Piper', 'Tones', 'play_tone']

_TIMEOUT_S = 60.0
_ESPEAK_WORDS_PER_MINUTE = 165


def play_tone(text: str, rate_hz: int = 24_000) -> np.ndarray:
    """Return 60 ms of a tone per letter [n] float32: not speech, but as long as some."""
    seconds = 0.06 * max(len(text), 1)
    times = np.arange(round(seconds * rate_hz)) / rate_hz
    return (0.2 * np.sin(2 * np.pi * 440.0 * times)).astype(np.float32)


class Tones:
    """A tone of 440 Hz as long as the text; needs nothing, for trying things out."""

    name = 'tones'
    languages: tuple[str, ...] = ('en', 'zh')

    def speak(self, text: str, language: str) -> Spoken:
        """Return the tone."""
        return Spoken(samples=play_tone(text), rate_hz=24_000)


class Hibari:
    """hibari-tts (Apache-2.0): one natural English voice inside the package."""

    name = 'hibari'
    languages: tuple[str, ...] = ('en',)

    def __init__(self, *, speed: float = 1.0) -> None:
        """Load it; raises MissingDependencyError."""
        try:
            from hibari import Hibari as Engine
        except ImportError as error:
            raise MissingDependencyError(
                'hibari: expected the package hibari-tts, it is not installed; run: '
                'pip install "hibari-tts>=0.2.1,<0.3"') from error
        self._engine, self._speed = Engine(), speed

    def speak(self, text: str, language: str) -> Spoken:
        """Return speech at 24 kHz; the same text sounds the same each time."""
        try:
            samples = self._engine(text, speed=self._speed, seed=0)
        except Exception as error:  # noqa: BLE001 - of no public kind
            raise SpeechError(f'hibari refused {text!r} ({error}); change the text') from error
        return Spoken(samples=np.asarray(samples, np.float32), rate_hz=self._engine.sample_rate)


class EspeakNg:
    """espeak-ng (a program, GPL-3): a formant voice, English and Mandarin, on any machine."""

    name = 'espeak-ng'
    languages: tuple[str, ...] = ('en', 'zh')

    def __init__(self, *, voice_en: str = '', voice_zh: str = '', speed: float = 1.0) -> None:
        """Find the program; raises MissingDependencyError."""
        if shutil.which('espeak-ng') is None:
            raise MissingDependencyError('espeak-ng: expected the program espeak-ng, it is not '
                                         'installed; run: sudo apt install espeak-ng')
        self._voices = {'en': voice_en or 'en-us', 'zh': voice_zh or 'cmn'}
        self._pace = round(_ESPEAK_WORDS_PER_MINUTE * speed)

    def speak(self, text: str, language: str) -> Spoken:
        """Return speech at 22.05 kHz."""
        command = ['espeak-ng', '-v', self._voices[language], '-s', str(self._pace), '-b', '1',
                   '--stdin', '--stdout']
        try:
            done = subprocess.run(command, input=text.encode(), check=True, capture_output=True,
                                  timeout=_TIMEOUT_S)
            # a stream has no length in its header, which libsndfile takes as it comes
            samples, rate_hz = soundfile.read(io.BytesIO(done.stdout), dtype='float32')
        except (subprocess.SubprocessError, OSError, soundfile.SoundFileError) as error:
            raise SpeechError(f'espeak-ng refused {text!r} with the voice '
                              f'{self._voices[language]!r} ({error}); change speech.voice_'
                              f'{language} or the text') from error
        return Spoken(samples=samples, rate_hz=rate_hz)


def _require_file(path: str, parameter: str, what: str) -> str:
    if not path or not Path(path).is_file():
        raise ConfigurationError(f'{parameter}: expected {what}, found '
                                 f'{"no file at " + path if path else "no path"}; give its path')
    return path


class Piper:
    """Piper (GPL-3): voices that the user brings, one file for each language."""

    name = 'piper'

    def __init__(self, *, english: str = '', chinese: str = '', speed: float = 1.0) -> None:
        """Load the voices; raises ConfigurationError and MissingDependencyError."""
        paths = {'en': english, 'zh': chinese}
        if not any(paths.values()):
            raise ConfigurationError('piper: expected a voice in speech.piper_en or '
                                     'speech.piper_zh, found none; give the path of an .onnx')
        try:
            from piper import PiperVoice, SynthesisConfig
        except ImportError as error:
            raise MissingDependencyError('piper: expected the package piper-tts, it is not '
                                         'installed; run: pip install "piper-tts>=1.3,<2"'
                                         ) from error
        self._voices = {language: PiperVoice.load(_require_file(
            path, f'speech.piper_{language}', 'a Piper voice')) for language, path
            in paths.items() if path}
        self._config = SynthesisConfig(length_scale=1.0 / speed)
        self.languages = tuple(self._voices)

    def speak(self, text: str, language: str) -> Spoken:
        """Return speech at the rate of the voice."""
        try:
            chunks = list(self._voices[language].synthesize(text, self._config))
        except Exception as error:  # noqa: BLE001 - of no public kind
            raise SpeechError(f'piper refused {text!r} ({error}); change the text') from error
        if not chunks:
            raise SpeechError(f'piper said nothing to {text!r}; change the text')
        return Spoken(samples=np.concatenate([chunk.audio_float_array for chunk in chunks]),
                      rate_hz=int(chunks[0].sample_rate))


class Kokoro:
    """Kokoro-82M (Apache-2.0) by kokoro-onnx: natural voices, English and Mandarin."""

    name = 'kokoro'

    def __init__(self, *, model: str, voices: str, voice_en: str = '', voice_zh: str = '',
                 speed: float = 1.0) -> None:
        """Load the model that is named; raises ConfigurationError and MissingDependencyError."""
        _require_file(model, 'speech.kokoro_model', 'the ONNX file of Kokoro-82M')
        _require_file(voices, 'speech.kokoro_voices', 'its file of voices')
        try:
            from kokoro_onnx import Kokoro as Engine
        except ImportError as error:
            raise MissingDependencyError('kokoro: expected the package kokoro-onnx, it is not '
                                         'installed; run: pip install "kokoro-onnx>=0.4,<0.7"'
                                         ) from error
        self._engine, self._speed = Engine(model, voices), speed
        self._voices = {'en': voice_en or 'af_heart', 'zh': voice_zh or 'zf_xiaoxiao'}
        present = set(self._engine.get_voices())
        self.languages = tuple(name for name, voice in self._voices.items() if voice in present)
        if not self.languages:
            raise ConfigurationError(f'kokoro: expected one of the voices {self._voices} in '
                                     f'{voices}, found {sorted(present)}; set speech.voice_en')
        self._phonemes = _load_phonemes() if 'zh' in self.languages else None
        if self._phonemes is None:
            self.languages = tuple(name for name in self.languages if name != 'zh')

    def speak(self, text: str, language: str) -> Spoken:
        """Return speech at 24 kHz."""
        voice = self._voices[language]
        accent: dict[str, Any] = {'lang': 'en-gb' if voice.startswith('b') else 'en-us'}
        try:
            if language == 'zh':  # its own phonemes of Chinese are hardly understood
                assert self._phonemes is not None, 'zh is no language of ours without it'
                text, accent = str(self._phonemes(text)[0]), {'is_phonemes': True}
            samples, rate_hz = self._engine.create(text, voice=voice, speed=self._speed, **accent)
        except Exception as error:  # noqa: BLE001 - of no public kind
            raise SpeechError(f'kokoro refused {text!r} with {voice!r} ({error}); change the text '
                              f'or speech.voice_{language}') from error
        return Spoken(samples=np.asarray(samples, np.float32), rate_hz=int(rate_hz))


def _load_phonemes() -> Any:
    """Return what writes Chinese as phonemes; None where misaki[zh] is not installed."""
    try:
        from misaki.zh import ZHG2P
    except ImportError:
        return None
    return ZHG2P()
