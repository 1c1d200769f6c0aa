"""
Scenes for the edge model: speech, alert sounds and harmless sounds on one time line.

Owns what is mixed with what, how loud, and when each event is over or has become clear. Knows
no tokens, no models and no files: clips come from ``train.edge.library``.
"""

import random
from dataclasses import dataclass, field

import numpy as np
from scipy.signal import fftconvolve, lfilter

from audio_interaction_ros.protocol import Emotion
from held_out.classes import ALERTS
from train.edge.library import RATE, Library, LibraryClip, SoundSpan

__all__ = ['SceneEvent', 'Scene', 'compose', 'scene_name']

CLEAR_AFTER_S = 0.8
LONGEST_S = 24  # 60 chunks, as in the paper
LONG_GAPS_S = (4.0, 6.0, 14.0)
"""The longest pauses of scenes with things far apart."""


@dataclass(frozen=True, kw_only=True)
class SceneEvent:
    """Something that a lane answers to; times in seconds of the scene."""

    kind: str
    """speech | sound"""
    start: float
    end: float
    due: float
    """From here on it is over (speech) or clear (sound), and an answer is due."""
    text: str
    label: str = ''
    emotion: Emotion = Emotion.NORMAL
    language: str = 'en'
    translation: str = ''
    """Of a text that is not English."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """16 kHz mono samples [n] float32 and what happens in them."""

    name: str
    kind: str
    samples: np.ndarray
    events: list[SceneEvent] = field(default_factory=list)
    sounding: list[SoundSpan] = field(default_factory=list)


def rms_level(samples: np.ndarray) -> float:
    return float(np.sqrt((samples ** 2).mean() + 1e-12))


def scale_below(noise: np.ndarray, reference: float, below_db: float) -> np.ndarray:
    return noise / rms_level(noise) * reference * 10 ** (-below_db / 20)


def add_room(samples: np.ndarray, rng: random.Random) -> np.ndarray:
    """Add a short synthetic reverberation, and a tilt of the spectrum as of a cheap microphone."""
    if rng.random() < 0.35:
        time = np.arange(int(0.4 * RATE)) / RATE
        tail = np.random.default_rng(rng.randrange(1 << 30)).standard_normal(len(time))
        tail *= np.exp(-time * rng.uniform(9, 50)) * rng.uniform(0.01, 0.06)
        tail[0] = 1.0
        samples = fftconvolve(samples, tail)[:len(samples)]
    if rng.random() < 0.5:
        samples = lfilter([1.0, rng.uniform(-0.6, 0.6)], [1.0], samples)
    return np.asarray(samples, np.float32)


FAINT_DB = 15
"""A bed so far below the scene is not asked for: it may be heard in a pause, but need not."""


def make_background(library: Library, rng: random.Random, count: int, reference: float,
                    noisy: bool = False) -> tuple[np.ndarray, LibraryClip | None]:
    """
    Return what is heard everywhere: a sound bed, a quiet gap noise, white floor or zeros.

    ``noisy`` makes beds more frequent: alarms are to be heard through them.
    """
    kind = rng.random() ** (0.5 if noisy else 1.0)
    if kind < 0.2:
        return np.zeros(count, np.float32), None
    if kind < 0.4:
        white = np.random.default_rng(rng.randrange(1 << 30)).standard_normal(count)
        return np.asarray(white * 10 ** (-rng.uniform(45, 75) / 20), np.float32), None
    below = rng.uniform(18, 32) if kind < 0.7 else rng.uniform(3, 18)
    bed = library.draw_noise(rng, count)
    return scale_below(bed.samples, reference, below), bed._replace(faint=below >= FAINT_DB)


def make_foreground(library: Library, rng: random.Random, kind: str) -> list[LibraryClip]:
    """Return what happens one after the other."""
    if kind == 'speech':
        items = [library.draw_speech(rng)]
        while rng.random() < 0.45 and sum(len(item.samples) for item in items) < 4 * RATE:
            items.append(library.draw_speech(rng))
        return items
    if kind == 'mandarin':
        return [library.draw_mandarin(rng) for _ in range(rng.choice((1, 1, 2)))] + [
            library.draw_speech(rng) for _ in range(rng.choice((0, 0, 1)))]
    if kind == 'alert':
        return [library.draw_alert(rng)]
    if kind == 'long':
        return [item for part in rng.choices(('speech', 'alert', 'harmless'), (4, 4, 3),
                                             k=rng.choice((2, 3, 4)))
                for item in make_foreground(library, rng, part)[:1]]
    if rng.random() < 0.65:
        return [library.draw_single(rng) for _ in range(rng.choice((2, 3, 4)))]
    return [library.draw_noise(rng, int(rng.uniform(3, 5) * RATE)) for _
            in range(rng.choice([1, 2]))]


def make_event(clip: LibraryClip, start: float, end: float) -> SceneEvent | None:
    """Return the event that a clip makes between these times; a harmless one makes none."""
    if clip.kind == 'speech':
        return SceneEvent(kind='speech', start=start, end=end, due=end + 0.45, text=clip.text,
                          language=clip.language, translation=clip.translation)
    if clip.kind == 'sound':
        text, emotion = ALERTS[clip.label]
        return SceneEvent(kind='sound', start=start, end=end, text=text, label=clip.label,
                          due=min(start + CLEAR_AFTER_S, end), emotion=emotion)
    return None


def scene_name(kind: str, seed: int) -> str:
    """Return what a scene is called in a folder of features."""
    return f'{kind}-{seed:05d}'


def compose(library: Library, seed: int, kind: str) -> Scene:
    """
    Return scene number ``seed`` of a kind: speech, mandarin, alert, harmless or long.

    A long one has two to four things far apart, for else a model would learn that something
    happens soon after a stream begins.
    """
    rng = random.Random(f'{library.split} {kind} {seed}')
    longest_gap_s = rng.choice(LONG_GAPS_S) if kind == 'long' else 1.6
    gap = rng.uniform(0.1, 0.75 * longest_gap_s)
    pieces = [np.zeros(int(gap * RATE), np.float32)]
    events, sounding = list[SceneEvent](), list[SoundSpan]()
    for clip in make_foreground(library, rng, kind):
        start = sum(map(len, pieces)) / RATE
        end = start + len(clip.samples) / RATE
        gain = 10 ** (-rng.uniform(0, 14) / 20) / max(1e-4, float(np.abs(clip.samples).max()))
        pieces.append(add_room(clip.samples * gain * 0.9, rng))
        event = make_event(clip, start, end)
        events += [event] if event else []
        sounding.append(clip.span_in_scene(start, end))
        gap = rng.uniform(0.95, longest_gap_s)
        pieces.append(np.zeros(int(gap * RATE), np.float32))
    samples = np.concatenate(pieces)[:LONGEST_S * RATE]
    noise, bed = make_background(library, rng, len(samples), rms_level(samples),
                                 noisy=kind == 'alert')
    if bed:
        sounding.append(bed.span_in_scene(0.0, len(samples) / RATE))
    samples = np.clip((samples + noise) * 10 ** (-rng.uniform(0, 10) / 20), -1, 1)
    return Scene(name=scene_name(kind, seed), kind=kind, samples=samples, events=events,
                 sounding=sounding)
