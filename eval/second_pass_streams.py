"""
Test streams of the second pass: held-out speech at a known place, in silence and in noise.

Owns how a clip becomes a stream of whole chunks. Measures nothing.
"""

from collections.abc import Sequence

import numpy as np

from audio_interaction_ros.protocol import CHUNK_SAMPLES
from held_out.clips import (
    AUDIBLE_DB,
    RATE,
    HeldOutClip,
    find_sounding,
    load,
    loop_samples,
    root_mean_square,
)
from held_out.splits import chance_of

__all__ = ['CONDITIONS', 'SPEECH_DBFS', 'make_plain_stream', 'make_stream']

BEFORE_S, AFTER_S = 12.0, 0.8
QUIET_DBFS = -92.0
SPEECH_DBFS = -25.0
CONDITIONS: dict[str, tuple[float, str, float]] = {
    **{f'silence, speech at {level} dBFS': (level, 'white', QUIET_DBFS)
       for level in (-20, -45, -60, -75)},
    **{f'{bed}, {snr} dB': (SPEECH_DBFS, bed, SPEECH_DBFS - snr)
       for bed in ('white', 'pink', 'real') for snr in (20, 10, 5)}}
"""Name -> level of the speech, kind of what lies below, its level; dBFS."""


def _make_noise(kind: str, count: int, name: str, beds: Sequence[HeldOutClip]) -> np.ndarray:
    if kind == 'real':
        return loop_samples(load(beds[int(chance_of(name, 'bed') * len(beds))].path), count, name)
    white = np.random.default_rng(int(chance_of(name) * 2 ** 32)).standard_normal(count)
    if kind == 'white':
        return white
    spectrum = np.fft.rfft(white)
    return np.fft.irfft(spectrum / np.sqrt(np.maximum(1, np.arange(len(spectrum)))), count)


def make_stream(samples: np.ndarray, name: str, condition: tuple[float, str, float],
                beds: Sequence[HeldOutClip], *, before_s: float = BEFORE_S,
                below_db: float = AUDIBLE_DB) -> tuple[np.ndarray, float]:
    """
    Return a stream [n] of whole chunks, as 16 bit has it, and when its speech begins.

    Of the clip is taken what lies within ``below_db`` of its loudest.
    """
    level, kind, floor = condition
    first, last = find_sounding(samples, below_db)
    speech = samples[first:last] * 10 ** (level / 20) / root_mean_square(samples[first:last])
    at = round((before_s + 0.4 * chance_of(name, 'at')) * RATE)
    count = -(-(at + len(speech) + round(AFTER_S * RATE)) // CHUNK_SAMPLES) * CHUNK_SAMPLES
    noise = _make_noise(kind, count, name, beds)
    mixed = noise * 10 ** (floor / 20) / root_mean_square(noise)
    mixed[at:at + len(speech)] += speech
    return (np.round(np.clip(mixed, -1, 1) * 32_767) / 32_768).astype(np.float32), at / RATE


def make_plain_stream(clip: HeldOutClip, level_dbfs: float) -> np.ndarray:
    """Return a clip at a level as a stream [n], with a little of a quiet room around it."""
    stream, _ = make_stream(load(clip.path), clip.name, (level_dbfs, 'white', -78.0), (),
                            before_s=0.6)
    return stream
