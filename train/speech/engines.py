"""
Engines by name, made once per process from settings that travel to the workers.

Knows which engines exist and what each needs; nothing of texts.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from audio_interaction_ros.errors import ConfigurationError, MissingDependencyError
from train.responses.language import LanguageModel
from train.speech.cosyvoice import CosyVoice
from train.speech.local import EspeakNg, Flite, Hibari
from train.speech.neural import Kokoro, Piper
from train.speech.protocol import Recogniser, Synthesiser
from train.speech.rewrite import LanguageRewriter, Rewriter, RuleRewriter

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ['NAMES', 'EngineSettings', 'make_engines', 'find_present', 'make_recogniser',
           'make_rewriter']

NAMES = ('hibari', 'espeak-ng', 'flite', 'kokoro', 'piper', 'cosyvoice')


@dataclass(frozen=True, kw_only=True)
class EngineSettings:
    """Which engines speak, and what those need that are not complete in themselves."""

    names: tuple[str, ...] = ('hibari',)
    kokoro_model: str = ''
    kokoro_voices: str = ''
    piper_voices: tuple[str, ...] = ()
    piper_licence: str = ''
    piper_licence_group: str = 'unstated'
    cosyvoice_url: str = ''
    cosyvoice_speakers: tuple[str, ...] = ()
    cosyvoice_rate: int = 22_050
    rewriter_url: str = ''
    """OpenAI-compatible endpoint that rewrites to spoken style; empty: the rules alone."""
    rewriter_model: str = ''


def make_engine(name: str, settings: EngineSettings) -> Synthesiser:
    if name == 'kokoro':
        return Kokoro(Path(settings.kokoro_model), Path(settings.kokoro_voices))
    if name == 'piper':
        return Piper([Path(path) for path in settings.piper_voices],
                     licence=settings.piper_licence, licence_group=settings.piper_licence_group)
    if name == 'cosyvoice':
        return CosyVoice(settings.cosyvoice_url, settings.cosyvoice_speakers,
                         rate=settings.cosyvoice_rate)
    plain: Mapping[str, type[Synthesiser]] = {
        'hibari': Hibari, 'espeak-ng': EspeakNg, 'flite': Flite}
    if name not in plain:
        raise ConfigurationError(f'speech engine: expected one of {NAMES}, got {name!r}; '
                                 'correct the name')
    return plain[name]()


@lru_cache(maxsize=2)
def make_engines(settings: EngineSettings) -> dict[str, Synthesiser]:
    """Return the named engines; raises ConfigurationError for what is wrong or missing."""
    return {name: make_engine(name, settings) for name in settings.names}


def make_rewriter(settings: EngineSettings) -> Rewriter:
    """Return the rewriter of spoken style."""
    if not settings.rewriter_url:
        return RuleRewriter()
    return LanguageRewriter(model=LanguageModel(url=settings.rewriter_url,
                                                model=settings.rewriter_model))


def find_present() -> tuple[str, ...]:
    """Return those of hibari, espeak-ng and flite that can speak English on this machine."""
    names = []
    for name in ('hibari', 'espeak-ng', 'flite'):
        try:
            if make_engine(name, EngineSettings()).voices('en'):
                names.append(name)
        except MissingDependencyError:
            continue
    return tuple(names)


@lru_cache(maxsize=2)
def make_recogniser(language: str) -> Recogniser:
    """Return the recogniser of the runtime's second pass (Whisper base), one core."""
    from audio_interaction_ros.runtimes.registry import load_transcriber
    # The stages run one process per core.
    return load_transcriber(threads=1, language=language, find_speech=False)
