"""
Who says a text: the first engine, in the order of the configuration, that speaks its language.

Owns making engines from a configuration, and what is said of those that lack something. A text
becomes parts, each spoken as a whole, resampled and at the level that was asked for.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import soxr

from audio_interaction_ros.config import SpeechConfig, split_list
from audio_interaction_ros.errors import (
    AudioInteractionError,
    MissingDependencyError,
)
from audio_interaction_ros.speech import engines
from audio_interaction_ros.speech.engine import (
    SpeechEngine,
    SpeechError,
    guess_language,
    split_text,
)

__all__ = ['Voice', 'load_engines', 'load_voice']

_MAKERS: Mapping[str, Callable[[SpeechConfig], SpeechEngine]] = {
    'hibari': lambda settings: engines.Hibari(speed=settings.speed),
    'espeak-ng': lambda settings: engines.EspeakNg(
        voice_en=settings.voice_en, voice_zh=settings.voice_zh, speed=settings.speed),
    'piper': lambda settings: engines.Piper(
        english=settings.piper_en, chinese=settings.piper_zh, speed=settings.speed),
    'kokoro': lambda settings: engines.Kokoro(
        model=settings.kokoro_model, voices=settings.kokoro_voices, voice_en=settings.voice_en,
        voice_zh=settings.voice_zh, speed=settings.speed),
    'tones': lambda settings: engines.Tones(),
}


def load_engines(settings: SpeechConfig) -> tuple[list[SpeechEngine], list[str]]:
    """
    Return the engines that are there, in order, and why others are not.

    Raises ConfigurationError where something is named wrongly, MissingDependencyError where no
    engine is there at all.
    """
    made, missing = [], []
    for name in split_list(settings.engines):
        try:
            made.append(_MAKERS[name](settings))
        except MissingDependencyError as error:
            missing.append(str(error))
    if not made:
        raise MissingDependencyError('speech.engines: expected one that is installed; '
                                     + '; or '.join(missing))
    return made, missing


class Voice:
    """Speaks texts in parts; one thread at a time."""

    def __init__(self, speakers: Sequence[SpeechEngine], *, volume_db: float = 0.0,
                 missing: Sequence[str] = ()) -> None:
        """Take engines in the order in which they are asked; ``missing`` says who is not there."""
        self._engines, self.missing = tuple(speakers), tuple(missing)
        self._gain = 10.0 ** (volume_db / 20.0)

    @property
    def names(self) -> list[str]:
        """Names of the engines."""
        return [engine.name for engine in self._engines]

    def speak(self, text: str, language: str = '', *, rate_hz: int,
              ) -> Iterator[tuple[np.ndarray, float]]:
        """
        Yield parts: samples [n] float32 at ``rate_hz``, and which share of the text each is.

        Raises SpeechError for a text without words, one in a language that no engine speaks, and
        one that every engine refuses.
        """
        tongue = guess_language(text, language)
        able = [engine for engine in self._engines if tongue in engine.languages]
        if not able:
            raise SpeechError(
                f'expected an engine that speaks {tongue!r}, found {", ".join(self.names)}, which '
                f'do not; add one to speech.engines'
                + ''.join(f' ({reason})' for reason in self.missing))
        parts = split_text(text)
        if not parts:
            raise SpeechError(f'expected words to say, got {text!r}; change the text')
        whole = sum(map(len, parts))
        for part in parts:
            yield self._say_part(able, part, tongue, rate_hz), len(part) / whole

    def _say_part(self, able: Sequence[SpeechEngine], part: str, language: str,
                  rate_hz: int) -> np.ndarray:
        refusals = []
        for engine in able:
            try:
                spoken = engine.speak(part, language)
            except AudioInteractionError as error:
                refusals.append(str(error))
                continue
            samples = np.asarray(spoken.samples, np.float32).reshape(-1)
            if spoken.rate_hz != rate_hz:
                samples = soxr.resample(samples, spoken.rate_hz, rate_hz, quality='HQ')
            loud: np.ndarray = np.clip(samples * self._gain, -1.0, 1.0).astype(np.float32)
            return loud
        raise SpeechError('; '.join(refusals))


def load_voice(settings: SpeechConfig) -> Voice:
    """Return the voice of a configuration; see load_engines for errors."""
    speakers, missing = load_engines(settings)
    return Voice(speakers, volume_db=settings.volume_db, missing=missing)
