"""
What a room and a distance make of a dry sound.

Owns a statistical room (exponentially decaying noise after a direct path and a few early
reflections) and what air and walls take away. Knows no signal and no file. Sounds are float32 at
16 kHz; the level is left to whoever mixes.
"""

from dataclasses import dataclass

import numpy as np
from scipy.signal import butter, fftconvolve, sosfilt

from audio_interaction_ros.protocol import SAMPLE_RATE_HZ

__all__ = ['Room', 'place_in_room']

_RATE = SAMPLE_RATE_HZ
_SPEED_M_PER_S = 343.0


@dataclass(frozen=True, kw_only=True)
class Room:
    """Where a sound is heard."""

    rt60_s: float
    distance_m: float
    critical_m: float = 1.0
    """Distance at which the direct sound is as loud as the reverberation."""
    wall_hz: float = 0.0
    """Above 0: heard through a wall that lets only lower frequencies pass."""

    @classmethod
    def draw(cls, rng: np.random.Generator) -> 'Room':
        """Return a living room to a hall; one sound in five comes through a wall."""
        wall = float(rng.uniform(900, 2500)) if rng.random() < 0.2 else 0.0
        return cls(rt60_s=float(rng.uniform(0.15, 0.9)),
                   distance_m=float(np.exp(rng.uniform(np.log(0.5), np.log(12.0)))),
                   critical_m=float(rng.uniform(0.6, 2.0)), wall_hz=wall)


def _impulse_response(room: Room, rng: np.random.Generator) -> np.ndarray:
    """Return an impulse response float64 that starts with the direct sound at 1."""
    size = max(2, round(room.rt60_s * _RATE))
    times = np.arange(size) / _RATE
    tail = rng.standard_normal(size) * 10.0 ** (-3.0 * times / room.rt60_s)
    tail[:round(0.004 * _RATE)] = 0.0
    for delay in rng.uniform(0.001, 0.03, size=6):
        if delay < times[-1]:
            tail[round(delay * _RATE)] += rng.uniform(2.0, 5.0) * rng.choice([-1, 1])
    tail *= room.distance_m / room.critical_m / max(np.sqrt(np.sum(tail ** 2)), 1e-9)
    tail[0] = 1.0
    return tail


def place_in_room(samples: np.ndarray, room: Room, rng: np.random.Generator) -> np.ndarray:
    """Return the samples [n] float32 as heard in the room, of the same length and power."""
    wet = fftconvolve(samples, _impulse_response(room, rng))[:len(samples)]
    cutoff = 7_500.0 / (1.0 + room.distance_m / 40.0)  # air takes the treble
    if room.wall_hz:
        cutoff = min(cutoff, room.wall_hz)
    wet = sosfilt(butter(2 if room.wall_hz else 1, cutoff, fs=_RATE, output='sos'), wet)
    power, before = float(np.mean(wet ** 2)), float(np.mean(samples.astype(np.float64) ** 2))
    if power > 0.0:
        wet = wet * np.sqrt(before / power)
    return np.asarray(wet, np.float32)
