"""
Sounds to be placed in scenes: pieces of recordings of one fold, computed signals and noises.

Owns how often a class is a computed signal, where a piece begins and how long it is. Knows no
scene. All chance comes from the generator that is given.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from train.edge.library import load
from train.sound_head.classes import SoundClasses
from train.sound_head.clips import SoundClip
from train.sounds.signals import LABELS, SIGNALS, make_dry

__all__ = ['COMPUTED', 'Material', 'Piece', 'choose_evenly', 'cut_sounding', 'make_noise']

RATE = SAMPLE_RATE_HZ
COMPUTED = {'smoke_alarm': 1.0, 'co_alarm': 1.0, 'fire_alarm': 0.75, 'car_alarm': 0.8,
            'doorbell': 0.6, 'siren': 0.35, 'reversing_beep': 0.8, 'appliance_beep': 1.0,
            'phone_ring': 0.4, 'alarm_clock': 0.5}
"""How often a class is a computed signal; always where the fold holds no recording of it."""
SLOW = {'co_alarm': 6.5, 'smoke_alarm': 5.0, 'fire_alarm': 4.5, 'appliance_beep': 3.5}
"""Seconds of a piece of what is known by its rhythm."""
LONGEST_S, SHORTEST_S = 3.0, 1.0
SOUNDING_DB = -32.0
PACE = 0.05


@dataclass(frozen=True)
class Piece:
    """A sound [n] float32 as it was recorded or computed, and where it came from."""

    label: str
    samples: np.ndarray
    path: str = ''
    """Of a recording, relative to the folder; else empty."""
    offset: float = 0.0
    """Seconds of that file where it begins."""


def cut_sounding(samples: np.ndarray, below_db: float = SOUNDING_DB) -> tuple[int, int]:
    """Return first and last sample that is heard: frames of 20 ms so far below the loudest."""
    count = len(samples) // 320
    if not count:
        return 0, len(samples)
    power = np.square(samples[:count * 320], dtype=np.float64).reshape(count, 320).mean(1)
    heard = np.flatnonzero(power >= max(float(power.max()), 1e-12) * 10 ** (below_db / 10))
    return int(heard[0]) * 320, int(heard[-1] + 1) * 320


def make_noise(rng: random.Random, count: int) -> np.ndarray:
    """Return noise [count] as of a fan, a room or a line: its spectrum falls, with some hum."""
    chance = np.random.default_rng(rng.randrange(1 << 30))
    spectrum = np.fft.rfft(chance.standard_normal(count))
    hz = np.fft.rfftfreq(count, 1 / RATE)
    spectrum *= np.maximum(hz, 30.0) ** (-rng.uniform(0.0, 1.2))
    noise = np.fft.irfft(spectrum, count)
    noise /= noise.std() + 1e-9
    if rng.random() < 0.3:
        base, times = rng.uniform(45, 240), np.arange(count) / RATE
        for partial in range(1, rng.randrange(2, 9)):
            noise += rng.uniform(0.0, 0.8) / partial * np.sin(
                2 * np.pi * base * partial * times + rng.uniform(0, 6))
    return np.asarray(noise * 0.1, np.float32)


class Material:
    """What can be heard in scenes of one fold."""

    def __init__(self, data: Path, clips: Sequence[SoundClip], classes: SoundClasses,
                 fold: int) -> None:
        self.data, self.classes = data, classes
        self.by_class: dict[str, list[SoundClip]] = defaultdict(list)
        self.unnamed: list[SoundClip] = []
        self.beds: list[SoundClip] = []
        for clip in clips:
            if clip.fold != fold:
                continue
            name = classes.name_of(clip.label)
            if name:
                self.by_class[name].append(clip)
            elif not clip.label.startswith('background_'):
                self.unnamed.append(clip)
            if clip.label.startswith('background_') or (
                    name in classes.others and name != 'speech' and clip.seconds >= 4.0):
                self.beds.append(clip)
        self.signals = {name: [signal for label in sound.labels
                               for signal in LABELS.get(label, ())]
                        for name, sound in classes.all.items()}

    def draw(self, name: str, rng: random.Random) -> Piece | None:
        """Return a piece of a class, None where the fold has neither recording nor signal."""
        clips, signals = self.by_class.get(name, []), self.signals[name]
        if signals and (not clips or rng.random() < COMPUTED.get(name, 0.0)):
            return self.compute(rng.choice(signals), rng)
        return self.cut(choose_evenly(clips, rng), rng) if clips else None

    def draw_unnamed(self, rng: random.Random) -> Piece | None:
        """Return a piece of what is of no class: it may be heard as one or as none."""
        return self.cut(choose_evenly(self.unnamed, rng), rng) if self.unnamed else None

    def compute(self, signal: str, rng: random.Random) -> Piece:
        """Return some seconds of a computed signal, as of one device."""
        name = self.classes.name_of(SIGNALS[signal].label) or SIGNALS[signal].label
        seconds = SLOW.get(name, 2.5) * rng.uniform(0.7, 1.2)
        samples = make_dry(signal, np.random.default_rng(rng.randrange(1 << 30)),
                           seconds=seconds)
        return Piece(SIGNALS[signal].label, samples)

    def cut(self, clip: SoundClip, rng: random.Random) -> Piece:
        """Return at most some seconds of a recording, a little faster or slower."""
        samples = load(self.data / clip.path)
        first, last = cut_sounding(samples)
        name = self.classes.name_of(clip.label)
        longest = round(RATE * SLOW.get(name, LONGEST_S) * rng.uniform(0.5, 1.0))
        if last - first > longest + RATE and rng.random() < 0.5:  # it may be met in its middle
            first += rng.randrange(last - first - longest)
        piece, pace = samples[first:min(last, first + longest)], 1 + PACE * rng.uniform(-1, 1)
        at = np.arange(0.0, max(1, len(piece) - 1), pace)
        return Piece(clip.label, np.interp(at, np.arange(len(piece)), piece).astype(np.float32),
                     clip.path, first / RATE)

    def draw_bed(self, rng: random.Random, count: int) -> Piece:
        """Return what is heard all the time [count]: noise, or a recording that is repeated."""
        if not self.beds or rng.random() < 0.35:
            return Piece('', make_noise(rng, count))
        clip = choose_evenly(self.beds, rng)
        samples = load(self.data / clip.path)
        start = rng.randrange(max(1, len(samples) - count))
        return Piece(clip.label, samples.take(np.arange(start, start + count), mode='wrap'),
                     clip.path, start / RATE)


def choose_evenly(clips: Sequence[SoundClip], rng: random.Random) -> SoundClip:
    """Return a clip: first its label is drawn, by the root of how many there are."""
    by_label = defaultdict(list)
    for clip in clips:
        by_label[clip.label].append(clip)
    labels = sorted(by_label)
    label = rng.choices(labels, [len(by_label[label]) ** 0.5 for label in labels])[0]
    return rng.choice(by_label[label])
