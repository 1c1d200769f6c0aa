"""The front end: blocks of 100 ms to the mel of a chunk, for common sources."""

import time

import numpy as np

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.frontend import FrontEnd
from audio_interaction_ros.audio.mel import StreamingMel
from bench.audio import synthesise
from bench.measure import Figure, spread

__all__ = ['run']


def run(*, chunks: int = 500) -> list[Figure]:
    """Return ms per chunk of 400 ms for several sources and both numbers of mel bins."""
    cases = (('16 kHz mono f32, 80 bins', 16_000, 1, 'float32', 80),
             ('16 kHz mono f32, 128 bins', 16_000, 1, 'float32', 128),
             ('48 kHz stereo s16, 80 bins', 48_000, 2, 'int16', 80),
             ('44.1 kHz mono s16, 80 bins', 44_100, 1, 'int16', 80))
    return [_time_case(*case, chunks=chunks) for case in cases]


def _time_case(what: str, rate_hz: int, channels: int, dtype: str, bins: int, *,
               chunks: int) -> Figure:
    frontend, mel = FrontEnd(), StreamingMel(bins=bins)
    second = synthesise(1.0)
    frames = rate_hz // 10
    piece = np.resize(second, (frames, channels)).astype(np.float32)
    samples = piece if dtype == 'float32' else (piece * 32_767).astype(dtype)
    block = AudioBlock(samples=samples, sample_rate_hz=rate_hz, stamp_ns=None)
    times: list[float] = []
    spent_ms, warm_up = 0.0, 10
    while len(times) < chunks + warm_up:
        began = time.perf_counter()
        made = sum(len(mel.push(chunk.samples)) for chunk in frontend.push(block))
        spent_ms += 1000.0 * (time.perf_counter() - began)
        if made:
            times.append(spent_ms / made)
            spent_ms = 0.0
    return spread(what, times[warm_up:], unit='ms/chunk')
