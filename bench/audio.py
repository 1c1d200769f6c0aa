"""
Audio to measure with: a sample scene where there is one, synthetic sound otherwise.

The same every time. Times do not depend on what is heard, except that replies cost steps.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.mono import to_mono
from audio_interaction_ros.audio.read_blocks import read_blocks
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ

__all__ = ['BLOCK_SAMPLES', 'SAMPLE_SCENE', 'cut_blocks', 'quiet_room', 'load_scene', 'synthesise']

SAMPLE_SCENE = Path(__file__).parents[1] / 'samples' / 'scene.flac'
BLOCK_SAMPLES = SAMPLE_RATE_HZ // 10  # 100 ms, as a microphone would deliver
START_NS = 1_000_000_000


def synthesise(seconds: float, *, seed: int = 0) -> np.ndarray:
    """Return [n] float32: noise in bursts of syllable length over a quiet floor."""
    rng = np.random.default_rng(seed)
    count = round(seconds * SAMPLE_RATE_HZ)
    time_s = np.arange(count, dtype=np.float32) / SAMPLE_RATE_HZ
    bursts = np.clip(np.sin(2 * np.pi * 2.5 * time_s) * np.sin(2 * np.pi * 0.11 * time_s), 0, 1)
    noise = rng.standard_normal(count, dtype=np.float32)
    return ((0.15 * bursts + 0.002) * noise).astype(np.float32)


def quiet_room(seconds: float) -> np.ndarray:
    """Return [n] float32: the noise of a room in which nothing happens, at -60 dBFS."""
    noise = np.random.default_rng(0).standard_normal(
        round(seconds * SAMPLE_RATE_HZ), dtype=np.float32)
    return np.float32(1e-3) * noise


def load_scene(seconds: float, path: Path | None = None) -> tuple[np.ndarray, str]:
    """Return [n] float32 of a length, the sample scene repeated, and what it was made of."""
    path = path or SAMPLE_SCENE
    if not path.is_file():
        return synthesise(seconds), 'synthetic bursts (no sample scene here)'
    once = np.concatenate([to_mono(block) for block in read_blocks(path)])
    count = round(seconds * SAMPLE_RATE_HZ)
    repeats = -(-count // len(once))
    return np.tile(once, repeats)[:count], f'{path.name}, repeated'


def cut_blocks(samples: np.ndarray, *, start_ns: int = START_NS) -> Iterator[AudioBlock]:
    """Cut samples at 16 kHz into stamped blocks of 100 ms."""
    for start in range(0, len(samples), BLOCK_SAMPLES):
        yield AudioBlock(samples=samples[start:start + BLOCK_SAMPLES],
                         sample_rate_hz=SAMPLE_RATE_HZ,
                         stamp_ns=start_ns + start * 1_000_000_000 // SAMPLE_RATE_HZ)
