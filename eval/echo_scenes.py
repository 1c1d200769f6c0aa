"""
A robot that speaks in a room while something else sounds: what its microphone hears of both.

Owns the room (a shoe box of pyroomacoustics), the loudspeaker (it bends and it is late), the
clocks that differ, and where the other sound lies. A scene depends on its name only. Knows no
model.
"""

import random
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, cast

import numpy as np
from scipy.signal import fftconvolve

from audio_interaction_ros.speech.engine import SpeechEngine
from held_out.clips import RATE, root_mean_square
from held_out.splits import chance_of

__all__ = ['BEGINS_S', 'EchoScene', 'SENTENCES', 'make_scene', 'speak_for']

BEGINS_S = 4.0
"""The other sound begins so long after the robot began to speak."""
ALONE_S = 8.0
AFTER_S = 1.6
RATIOS_DB = (0.0, -10.0, -20.0)
"""How loud the other sound is against the robot's own voice, at the microphone."""
OWN_DBFS, NOISE_DBFS = -20.0, -62.0
DELAY_S = (-0.02, 0.12)
"""From when the reference says that it is played to when it is; it may be stamped too late."""
DRIFT_PPM = 50.0
PLAYED_HZ = 24_000
NS = 1_000_000_000
BEGAN_NS = 1_000 * NS
SENTENCES = (
    'I am bringing a glass of water from the kitchen.', 'The door to the garage is still open.',
    'It is half past nine, and the dishes are done.', 'I could not find your glasses anywhere.',
    'Your next appointment is on Thursday at ten.', 'The parcel is on the table in the hall.',
    'I will clean the living room after lunch.', 'Somebody rang while you were asleep.',
    'The weather tomorrow will be warm and dry.', 'I am going back to my charging station.',
    'Please move the chair, so that I can pass.', 'There are three messages waiting for you.')


@dataclass(frozen=True, kw_only=True)
class Way:
    """What becomes of speech between the loudspeaker, small and late, and the microphone."""

    response: np.ndarray
    """[n]: of the room, at 16 kHz."""
    bend: float
    """Up to 4 dB less at its peaks."""
    skew: float
    """And not the same in both directions."""
    peak: float
    pace: float
    """Of the loudspeaker's clock, seen from the microphone's."""
    late: float
    """Samples at 16 kHz; below 0: the stamps are late."""

    def carry(self, played: np.ndarray, begin: int, end: int) -> np.ndarray:
        """Return what is heard from sample ``begin`` to ``end`` of speech [n] at 24 kHz."""
        import soxr
        first = max(0, begin - len(self.response) - RATE) // RATE * RATE
        last = end + RATE // 2
        samples = soxr.resample(played[first * PLAYED_HZ // RATE:last * PLAYED_HZ // RATE],
                                PLAYED_HZ, RATE).astype(float)
        bent = np.tanh(self.bend * samples / self.peak) / self.bend
        bent += self.skew * bent ** 2
        times = np.arange(first, end) * self.pace - self.late - first
        late = np.interp(times, np.arange(len(bent)), bent, left=0.0, right=0.0)
        return np.asarray(fftconvolve(late, self.response)[begin - first:end - first])


@dataclass(frozen=True, kw_only=True)
class EchoScene:
    """What is played and what is heard; all of it 16 kHz but for what is played."""

    name: str
    ratio_db: float
    said: str
    """What the robot says."""
    played: np.ndarray
    """[n] float32 at 24 kHz, from second 0 on."""
    echo: np.ndarray
    """[n]: what the microphone hears of the robot, with its own noise."""
    noise: np.ndarray
    """[n]: that noise alone."""
    other: np.ndarray
    """[n]: what it hears of the other sound, where there is one."""
    begin: int
    """First sample of that."""
    end: int
    way: 'Way'
    """From the loudspeaker to the microphone."""

    @property
    def heard(self) -> np.ndarray:
        """Return what the microphone hears of both."""
        return np.clip(self.echo + self.other, -1.0, 1.0).astype(np.float32)

    def softer(self, decibels: float) -> 'EchoScene':
        """Return the same with a robot that speaks softer all the time."""
        played = (self.played * 10.0 ** (-decibels / 20.0)).astype(np.float32)
        echo = self.way.carry(played, 0, len(self.noise)) + self.noise
        return replace(self, played=played, echo=echo.astype(np.float32))

    def without_robot(self) -> 'EchoScene':
        """Return the same with a robot that keeps silent."""
        return replace(self, played=np.zeros_like(self.played), echo=self.noise)


def speak_for(engine: SpeechEngine, seconds: float, name: str) -> tuple[str, np.ndarray]:
    """Return a text and its speech [n] at 24 kHz, so many seconds at least, drawn by name."""
    rng, said, parts, count = random.Random(f'{name} says'), list[str](), [], 0
    pause = np.zeros(PLAYED_HZ // 5, np.float32)
    while count < seconds * PLAYED_HZ:
        said.append(rng.choice(SENTENCES))
        parts += [_say(cast(Hashable, engine), said[-1]), pause]
        count = sum(map(len, parts))
    return ' '.join(said), np.concatenate(parts)


@lru_cache(maxsize=64)
def _say(engine: Any, text: str) -> np.ndarray:
    import soxr
    spoken = engine.speak(text, 'en')
    return soxr.resample(spoken.samples, spoken.rate_hz, PLAYED_HZ).astype(np.float32)


def make_scene(name: str, engine: SpeechEngine, other: np.ndarray | None, ratio_db: float, *,
               alone_s: float = ALONE_S) -> EchoScene:
    """
    Return the robot speaking in a room of its own, and ``other`` [n] sounding there.

    None: nothing else sounds, and the robot speaks for ``alone_s`` and a little more.
    """
    rng = random.Random(name)
    length = round((alone_s - BEGINS_S) * RATE) if other is None else len(other)
    seconds = BEGINS_S + length / RATE + AFTER_S
    count = round(seconds * RATE)
    said, played = speak_for(engine, seconds, name)
    near, far = _draw_responses(rng)
    way = _draw_way(played, near, rng)
    echo = way.carry(played, 0, count)
    own = root_mean_square(echo)
    draws = np.random.default_rng(round(chance_of(name, 'noise') * 2 ** 32))
    noise = draws.normal(0, 10 ** (NOISE_DBFS / 20), count).astype(np.float32)
    level = 10 ** (OWN_DBFS / 20)
    way = replace(way, response=way.response * (level / own))
    echo = echo * (level / own) + noise
    begin, heard = round(BEGINS_S * RATE), np.zeros(count)
    if other is not None:
        wet = fftconvolve(other, far)[:count - begin]
        heard[begin:begin + len(wet)] = wet * (
            level * 10 ** (ratio_db / 20) / root_mean_square(wet[:length]))
    return EchoScene(name=name, ratio_db=ratio_db, said=said, played=played, way=way,
                     echo=echo.astype(np.float32), noise=noise, other=heard.astype(np.float32),
                     begin=begin, end=begin + length)


def _draw_way(played: np.ndarray, response: np.ndarray, rng: random.Random) -> Way:
    """Return the way of one room; ``played`` [n] 24 kHz says how loud speech is at its peaks."""
    import soxr
    peak = float(np.abs(soxr.resample(played, PLAYED_HZ, RATE)).max())
    return Way(response=response, peak=peak, bend=rng.uniform(0.3, 1.6),
               skew=rng.uniform(0.0, 0.05), pace=1.0 + rng.uniform(-DRIFT_PPM, DRIFT_PPM) * 1e-6,
               late=rng.uniform(*DELAY_S) * RATE)


def _draw_responses(rng: random.Random) -> tuple[np.ndarray, np.ndarray]:
    """Return what a room does on the way from the robot's loudspeaker, and from elsewhere."""
    import pyroomacoustics
    size = [rng.uniform(3, 8), rng.uniform(2.5, 6), rng.uniform(2.3, 3.2)]
    absorbed, order = pyroomacoustics.inverse_sabine(rng.uniform(0.2, 0.6), size)
    room = pyroomacoustics.ShoeBox(size, fs=RATE, max_order=min(order, 17),
                                   materials=pyroomacoustics.Material(absorbed))
    robot = [rng.uniform(0.5, size[0] - 0.5), rng.uniform(0.5, size[1] - 0.5), 1.0]
    room.add_source([robot[0] + 0.1, robot[1] + rng.uniform(0.05, 0.2), 0.8])
    room.add_source([rng.uniform(0.3, side - 0.3) for side in size])
    room.add_microphone(robot)
    room.compute_rir()
    near, far = (np.asarray(response) for response in room.rir[0])
    return near, far[max(0, int(np.argmax(np.abs(far))) - 8):]


def go_over(names: Sequence[str]) -> Iterator[tuple[str, float]]:
    """Yield names, each with a ratio of loudness, all ratios alike often."""
    for place, name in enumerate(names):
        yield name, RATIOS_DB[place % len(RATIOS_DB)]
