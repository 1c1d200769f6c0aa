"""The encoder: mel of one chunk to its features."""

import numpy as np

from audio_interaction_ros.runtimes.base import Encoder
from bench.measure import Figure, peak_memory_mib, spread, time_calls

__all__ = ['run']


def run(encoder: Encoder, *, repeat: int = 100) -> list[Figure]:
    """Return ms per chunk."""
    spec = encoder.spec
    mel = np.random.default_rng(0).uniform(-1.0, 1.0, (spec.mel_rows, 40)).astype(np.float32)
    encoder.reset()
    times = time_calls(lambda: encoder.encode(mel), repeat=repeat)
    shape = f'{spec.mel_rows} rows to {spec.features_per_chunk} x {spec.feature_width}'
    return [spread('encode', times, unit='ms/chunk', note=shape),
            Figure(what='peak memory', unit='MiB', value=peak_memory_mib())]
