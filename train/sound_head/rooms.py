"""
What a place, a microphone and a line make of a sound: rooms, tilts, narrow bands and codecs.

Owns how often each occurs. Rooms are those of ``train.sounds.room``. Sounds are float32 at 16 kHz,
and keep their length.
"""

import io
import random

import numpy as np
import soundfile
from scipy.signal import butter, lfilter, sosfilt

from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from train.sounds.room import Room, place_in_room

__all__ = ['pass_through_line', 'place_somewhere']

ROOM_SHARE = 0.5
TILT_SHARE, NARROW_SHARE, CODEC_SHARE, CLIPPED_SHARE = 0.5, 0.2, 0.15, 0.05


def place_somewhere(samples: np.ndarray, rng: random.Random) -> np.ndarray:
    """Return a sound [n] as it comes from a place: every second one in a room."""
    if rng.random() >= ROOM_SHARE or not samples.any():
        return samples
    chance = np.random.default_rng(rng.randrange(1 << 30))
    return place_in_room(samples, Room.draw(chance), chance)


def pass_through_line(samples: np.ndarray, rng: random.Random) -> np.ndarray:
    """Return a scene [n] as some microphone, amplifier and codec pass it on."""
    if rng.random() < TILT_SHARE:
        samples = lfilter([1.0, rng.uniform(-0.6, 0.6)], [1.0], samples)
    if rng.random() < NARROW_SHARE:
        band = [rng.uniform(60, 300), rng.uniform(3400, 7400)]
        samples = sosfilt(butter(2, band, 'bandpass', fs=SAMPLE_RATE_HZ, output='sos'), samples)
    if rng.random() < CLIPPED_SHARE:
        top = float(np.abs(samples).max()) * rng.uniform(0.3, 0.8)
        samples = np.clip(samples, -top, top)
    samples = np.clip(samples, -1.0, 1.0).astype(np.float32)
    return _encode_vorbis(samples) if rng.random() < CODEC_SHARE else samples


def _encode_vorbis(samples: np.ndarray) -> np.ndarray:
    """Return samples after a lossy codec, of the same length."""
    coded = io.BytesIO()
    soundfile.write(coded, samples, SAMPLE_RATE_HZ, format='OGG', subtype='VORBIS')
    coded.seek(0)
    decoded, _ = soundfile.read(coded, dtype='float32')
    return np.pad(decoded, (0, max(0, len(samples) - len(decoded))))[:len(samples)]
