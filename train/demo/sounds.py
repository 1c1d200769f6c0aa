"""
Sounds of the demo corpus: standardised signals, made-up surroundings, and what packages carry.

Owns the recipes of the made-up sounds and the list of package files with their licences. Every
made clip is marked generated: it shows how the path works, it proves nothing about real sounds.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from scipy.signal import butter, sosfilt

from audio_interaction_ros.protocol import SAMPLE_RATE_HZ as RATE
from train.compose.audio import write_clip
from train.records import Clip
from train.sounds import signals
from train.stages import stable_seed

__all__ = ['MADE', 'PACKAGED', 'SyntheticSound', 'PackagedSound', 'make_clip', 'packaged_clips',
           'make_plans']

Rng = np.random.Generator


def band_pass(samples: np.ndarray, low: float, high: float) -> np.ndarray:
    return sosfilt(butter(2, (low, high), 'bandpass', fs=RATE, output='sos'), samples)


def make_envelope(rng: Rng, count: int, seconds: float, depth: float) -> np.ndarray:
    """Return a smooth random envelope [count] around 1 that changes every so many seconds."""
    points = rng.uniform(1 - depth, 1 + depth, max(2, int(count / RATE / seconds) + 2))
    return np.interp(np.linspace(0, len(points) - 1, count), np.arange(len(points)), points)


def make_noise(rng: Rng, count: int, slope: float) -> np.ndarray:
    """Return noise whose power falls by ``slope`` times 3 dB per octave, RMS 1."""
    spectrum = np.fft.rfft(rng.standard_normal(count))
    scale = np.maximum(np.fft.rfftfreq(count, 1 / RATE), 20.0) ** (-slope / 2)
    noise = np.fft.irfft(spectrum * scale, count)
    return noise / noise.std()


def rain(rng: Rng, count: int) -> np.ndarray:
    drops = np.zeros(count)
    at = rng.integers(0, count - 400, int(count / RATE * rng.uniform(40, 120)))
    for start in at:
        length = int(rng.integers(60, 300))
        ring = np.sin(np.arange(length) * rng.uniform(0.4, 1.6)) * np.exp(-np.arange(length) / 40)
        drops[start:start + length] += ring * rng.uniform(0.2, 1.0)
    return band_pass(rng.standard_normal(count), 900, 6500) * 0.6 + drops


def wind(rng: Rng, count: int) -> np.ndarray:
    gusts = make_envelope(rng, count, 1.5, 0.8)
    howl = band_pass(rng.standard_normal(count), 300, 700) * make_envelope(rng, count, 2.0, 0.9)
    return make_noise(rng, count, 2.0) * 0.4 * gusts + howl * gusts


def fan(rng: Rng, count: int) -> np.ndarray:
    time, base = np.arange(count) / RATE, rng.uniform(90, 130)
    hum = sum(np.sin(2 * np.pi * base * k * time) / k for k in range(1, 6))
    return hum * 0.3 + band_pass(rng.standard_normal(count), 150, 2500) * 0.8


def traffic(rng: Rng, count: int) -> np.ndarray:
    passing = sum(np.exp(-((np.arange(count) / RATE - at) / 1.8) ** 2)
                  for at in rng.uniform(0, count / RATE, max(2, count // (4 * RATE))))
    return make_noise(rng, count, 2.0) * 0.3 + band_pass(
        rng.standard_normal(count), 80, 1500) * (0.1 + np.asarray(passing))


def make_strokes(rng: Rng, count: int, times: np.ndarray, hertz: float,
                 decay_s: float) -> np.ndarray:
    out, time = np.zeros(count), np.arange(int(6 * decay_s * RATE)) / RATE
    for at in times:
        tone = np.sin(2 * np.pi * hertz * rng.uniform(0.97, 1.03) * time)
        hit = (tone + 0.5 * rng.standard_normal(len(time))) * np.exp(-time / decay_s)
        start = int(at * RATE)
        out[start:start + len(hit)] += hit[:max(0, count - start)] * rng.uniform(0.7, 1.0)
    return out


def door_knock(rng: Rng, count: int) -> np.ndarray:
    gap = rng.uniform(0.18, 0.3)
    return make_strokes(rng, count, 0.02 + np.arange(int(rng.integers(3, 5))) * gap,
                        rng.uniform(130, 220), 0.03)


def clock_tick(rng: Rng, count: int) -> np.ndarray:
    return make_strokes(rng, count, np.arange(0.02, count / RATE - 0.1, rng.choice([0.5, 1.0])),
                        rng.uniform(2200, 3400), 0.006)


def water_drip(rng: Rng, count: int) -> np.ndarray:
    out, time = np.zeros(count), np.arange(int(0.09 * RATE)) / RATE
    for at in np.cumsum(rng.uniform(0.35, 0.8, 20)):
        start = int((at - 0.3) * RATE)
        sweep = rng.uniform(700, 1100) * (1 + 9 * time)
        drop = np.sin(2 * np.pi * np.cumsum(sweep) / RATE) * np.exp(-time / 0.02)
        if start + len(drop) < count:
            out[start:start + len(drop)] += drop
    return out


def melody(tempo_s: float, rising: bool) -> Callable[[Rng, int], np.ndarray]:
    """Return the maker of a scale that goes up or down, plucked."""
    def make(rng: Rng, count: int) -> np.ndarray:
        scale = np.array([0, 2, 4, 5, 7, 9, 11, 12]) if rising else np.array(
            [12, 11, 9, 7, 5, 4, 2, 0])
        base, out = rng.uniform(220, 330), np.zeros(count)
        time = np.arange(int(3 * tempo_s * RATE)) / RATE
        for index in range(int(count / RATE / tempo_s)):
            hertz = base * 2 ** (scale[index % 8] / 12)
            note = sum(np.sin(2 * np.pi * hertz * k * time) / k ** 1.5 for k in range(1, 6))
            start = int(index * tempo_s * RATE)
            out[start:start + len(time)] += (np.asarray(note) * np.exp(-time / tempo_s))[
                :count - start]
        return out
    return make


def room_tone(rng: Rng, count: int) -> np.ndarray:
    mains = np.sin(2 * np.pi * 50 * np.arange(count) / RATE) * rng.uniform(0, 0.3)
    return make_noise(rng, count, rng.uniform(0.8, 1.6)) + mains


@dataclass(frozen=True, kw_only=True)
class SyntheticSound:
    """A made-up sound: its maker, how long, how many, what it is for."""

    label: str
    make: Callable[[Rng, int], np.ndarray]
    seconds: tuple[float, float]
    count: int = 4
    tags: tuple[str, ...] = ()


MADE = (
    SyntheticSound(label='rain', make=rain, seconds=(15, 20), tags=('noise',)),
    SyntheticSound(label='wind', make=wind, seconds=(15, 20), tags=('noise',)),
    SyntheticSound(label='fan', make=fan, seconds=(15, 20), tags=('noise',)),
    SyntheticSound(label='traffic', make=traffic, seconds=(15, 20), tags=('noise',)),
    SyntheticSound(label='room_tone', make=room_tone, seconds=(8, 12), count=8, tags=('room',)),
    SyntheticSound(label='door_knock', make=door_knock, seconds=(1.2, 1.5)),
    SyntheticSound(label='clock_tick', make=clock_tick, seconds=(2.5, 4.0)),
    SyntheticSound(label='water_drip', make=water_drip, seconds=(2.5, 4.0)),
    SyntheticSound(label='melody_fast_rising', make=melody(0.16, True), seconds=(2.6, 3.9)),
    SyntheticSound(label='melody_fast_falling', make=melody(0.16, False), seconds=(2.6, 3.9)),
    SyntheticSound(label='melody_slow_rising', make=melody(0.45, True), seconds=(3.6, 4.0)),
    SyntheticSound(label='melody_slow_falling', make=melody(0.45, False), seconds=(3.6, 4.0)),
)
SIGNALS_EACH = 4
SIGNAL_S = (2.5, 4.5)


@dataclass(frozen=True, kw_only=True)
class PackagedSound:
    """A recording that a Debian package installs."""

    path: str
    label: str
    package: str
    licence: str
    licence_group: str


THEME = '/usr/share/sounds/freedesktop/stereo'
PACKAGED = (
    PackagedSound(path=f'{THEME}/alarm-clock-elapsed.oga', label='alarm_clock',
                  package='sound-theme-freedesktop', licence='CC-BY-SA-3.0',
                  licence_group='share_alike'),
    PackagedSound(path=f'{THEME}/phone-incoming-call.oga', label='phone_ring',
                  package='sound-theme-freedesktop', licence='GPL-2+',
                  licence_group='share_alike'),
    PackagedSound(path='/usr/share/baresip/ring.wav', label='phone_ring', package='baresip-core',
                  licence='BSD-3-Clause', licence_group='free'),
    PackagedSound(path='/usr/share/sounds/lomiri/ringtones/Call me.ogg', label='phone_ring',
                  package='lomiri-sounds', licence='CC0-1.0', licence_group='free'),
)


@dataclass(frozen=True, kw_only=True)
class SoundPlan:
    """One clip to be made: a name of ``signals.NAMES`` or a label of MADE, and its number."""

    id: str
    name: str
    number: int
    seed: int


def make_plans(seed: int) -> list[SoundPlan]:
    """Return everything that is to be made."""
    wanted = [(name, SIGNALS_EACH) for name in signals.NAMES] + [
        (made.label, made.count) for made in MADE]
    return [SoundPlan(id=f'{name}-{number}', name=name, number=number,
                      seed=stable_seed(seed, name, number) % 2 ** 31)
            for name, count in wanted for number in range(count)]


def make_clip(plan: SoundPlan, *, out: Path, folder: str = 'sounds') -> Clip:
    """Make a sound under ``out/folder`` and return its clip (path relative to out)."""
    rng = np.random.default_rng(plan.seed)
    if plan.name in signals.NAMES:
        seconds = round(float(rng.uniform(*SIGNAL_S)), 2)
        clip = signals.as_clip(plan.name, plan.seed, seconds=seconds, out=out / folder)
        return Clip(**{**vars(clip), 'path': f'{folder}/{clip.path}'})
    made = next(item for item in MADE if item.label == plan.name)
    samples = made.make(rng, int(rng.uniform(*made.seconds) * RATE))
    samples = samples / np.abs(samples).max() * 0.7
    path = f'{folder}/{plan.id}.flac'
    write_clip(out / path, samples.astype(np.float32))
    return Clip(
        id=plan.id, path=path, seconds=len(samples) / RATE, label=made.label, tags=made.tags,
        source='train.demo.sounds', source_id=plan.id, licence='CC0-1.0', licence_group='free',
        generated=True)


def packaged_clips() -> Iterator[Clip]:
    """Yield clips of the listed package files that are on this machine."""
    for item in PACKAGED:
        path = Path(item.path)
        if path.is_file():
            yield Clip(
                id=f'{item.package}-{path.stem}', path=str(path), label=item.label,
                seconds=float(soundfile.info(str(path)).duration), source_id=path.stem,
                source=f'{item.package} (Debian)', licence=item.licence,
                licence_group=item.licence_group)
