"""
Every sentence of some scripts becomes a checked clip.

Owns which sentence is said by which voice, the file of each and its record. One line is one
record, so the stages can spread, resume and count it. Knows no streams.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from train.compose.audio import write_clip
from train.compose.script import Script
from train.records import Clip
from train.speech.check import speak_checked
from train.speech.protocol import Recogniser, Synthesiser, Voice, resample, trim_quiet
from train.speech.rewrite import Rewriter, RuleRewriter

__all__ = ['Line', 'choose_voices', 'clip_of', 'line_id', 'list_lines']

PEAK = 0.7
SHIFTS = (0.86, 0.92, 1.0, 1.0, 1.07)


@dataclass(frozen=True, kw_only=True)
class Line:
    """One sentence for one voice."""

    id: str
    text: str
    voice: str
    language: str = 'en'
    translation: str = ''


def line_id(text: str, voice: str, language: str) -> str:
    """Return the id of a line: the same sentence of the same voice is spoken once."""
    return 's' + hashlib.sha256(f'{language}|{voice}|{text}'.encode()).hexdigest()[:15]


def choose_voices(engines: Mapping[str, Synthesiser], language: str) -> list[str]:
    """
    Return the voices of some engines for a language, sorted; each also with shifted pitch.

    Raises ConfigurationError when no engine speaks the language.
    """
    voices = [str(Voice(engine=name, name=voice, shift=shift))
              for name, engine in engines.items() for voice in engine.voices(language)
              for shift in sorted(set(SHIFTS) if name == 'hibari' else {1.0})]
    if not voices:
        raise ConfigurationError(f'speech: none of the engines {sorted(engines)} speaks '
                                 f'{language!r} here; install or name another engine')
    return sorted(voices)


def list_lines(scripts: Iterable[Script]) -> list[Line]:
    """Return the distinct lines of scripts that have their voice, in order of appearance."""
    by_id: dict[str, Line] = {}
    for script in scripts:
        for step in script.steps:
            if step.say:
                voice = step.voice or script.voice
                name = line_id(step.say, voice, step.language)
                by_id.setdefault(name, Line(
                    id=name, text=step.say, voice=voice, language=step.language,
                    translation=step.translation))
    return list(by_id.values())


def clip_of(line: Line, engines: Mapping[str, Synthesiser], recogniser: Recogniser | None,
            out: Path, *, folder: str = 'speech', rewriter: Rewriter | None = None) -> Clip:
    """
    Speak a line into ``out/folder/ID.flac`` and return its clip.

    The text of the clip is what was written; what was said is its spoken style. Raises Dropped,
    and ConfigurationError for a voice of an engine that is not there.
    """
    voice = Voice.parse(line.voice)
    if voice.engine not in engines:
        raise ConfigurationError(f'speech: expected an engine of {sorted(engines)}, got '
                                 f'{voice.engine!r}; add it or change the script')
    engine = engines[voice.engine]
    said = (rewriter or RuleRewriter()).rewrite(line.text, line.language).text

    def say(attempt: int) -> np.ndarray:
        rng = np.random.default_rng([attempt, *line.id.encode()])
        samples, rate = engine.speak(said, voice.name, language=line.language, rng=rng)
        return trim_quiet(resample(samples, rate, voice.shift))
    take = speak_checked(line.text, line.language, say, recogniser)
    path = f'{folder}/{line.id}.flac'
    samples = take.samples * (PEAK / max(1e-4, float(np.abs(take.samples).max())))
    write_clip(out / path, samples)
    return Clip(
        id=line.id, path=path, seconds=len(samples) / SAMPLE_RATE_HZ, text=line.text,
        language=line.language, translation=line.translation, speaker=line.voice,
        tags=make_tags(take.wer, take.takes), source=f'synthetic speech ({engine.name})',
        source_id=line.id, licence=engine.licence, licence_group=engine.licence_group,
        generated=True)


def make_tags(wer: float, takes: int) -> tuple[str, ...]:
    checks: Sequence[str] = () if wer < 0 else (f'wer_{wer:.2f}', f'takes_{takes}')
    return ('speech', *checks)
