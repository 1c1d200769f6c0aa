"""
Rooms with walls: what a shoe box makes of a sound, by the image sources of pyroomacoustics.

Owns how large rooms are, how much their walls take, and where one listens. The statistical rooms
of ``train.sounds.room`` stand beside them: those reach further (halls, walls in between), these
have the early reflections and the comb that a microphone beside a wall hears. Sounds are float32
at 16 kHz and keep their length; the level is left to whoever mixes.
"""

import random

import numpy as np
from scipy.signal import fftconvolve

from audio_interaction_ros.protocol import SAMPLE_RATE_HZ

__all__ = ['draw_response', 'place_in_shape']

SMALLEST_M, LARGEST_M = (1.8, 1.5, 2.2), (9.0, 7.0, 3.6)
RT60_S = (0.15, 0.7)
WALL_M = 0.25
"""Nobody stands nearer to a wall."""
MOST_ORDER = 17
"""Reflections beyond it are too faint and too many."""


def draw_response(rng: random.Random) -> np.ndarray:
    """Return the impulse response [n] float32 of a room, from its direct sound on."""
    import pyroomacoustics  # a training requirement, which reading cached parts does not need

    size = [rng.uniform(least, most) for least, most in zip(SMALLEST_M, LARGEST_M, strict=True)]
    try:
        absorbed, order = pyroomacoustics.inverse_sabine(rng.uniform(*RT60_S), size)
    except ValueError:  # no wall is that soft: a large room rings longer than that
        absorbed, order = 0.85, MOST_ORDER
    room = pyroomacoustics.ShoeBox(size, fs=SAMPLE_RATE_HZ, max_order=min(order, MOST_ORDER),
                                   materials=pyroomacoustics.Material(absorbed))
    room.add_source(_stand(size, rng))
    room.add_microphone(_stand(size, rng))
    room.compute_rir()
    response = np.asarray(room.rir[0][0])
    direct = int(np.argmax(np.abs(response) > 0.3 * np.abs(response).max()))
    return response[max(0, direct - 8):].astype(np.float32)


def _stand(size: list[float], rng: random.Random) -> list[float]:
    return [rng.uniform(WALL_M, side - WALL_M) for side in size]


def place_in_shape(samples: np.ndarray, rng: random.Random) -> np.ndarray:
    """Return a sound [n] as it is heard somewhere in a room, with the power it had."""
    wet = fftconvolve(samples, draw_response(rng))[:len(samples)]
    before, after = (float(np.mean(np.square(one, dtype=np.float64))) for one in (samples, wet))
    return np.asarray(wet * (before / max(after, 1e-12)) ** 0.5, np.float32)
