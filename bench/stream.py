"""
A long stream through a real model, faster than it plays: does it keep up, and does memory stay?

Three lanes, of which one replies every twenty seconds. Chunks are fed one after another; what a
robot would have seen follows from their cost on a clock of its own: a chunk arrives every 400 ms,
waits for those before it, and has stalled when its decision comes more than 400 ms after it.
"""

import time
from collections.abc import Sequence

import numpy as np

from audio_interaction_ros.assembly import build_pipeline
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.config import AssistantConfig, AudioConfig, LaneConfig
from audio_interaction_ros.protocol import CHUNK_NS, CHUNK_SAMPLES, SAMPLE_RATE_HZ
from audio_interaction_ros.runtimes.base import Runtime
from audio_interaction_ros.stream.events import ReplyFinished
from audio_interaction_ros.stream.session import Session
from bench.audio import load_scene
from bench.measure import Figure, resident_mib, spread

__all__ = ['LANES', 'latencies', 'run']

LANES = (LaneConfig(name='transcript', kind='transcript', threshold=1.0, prompt='a'),
          LaneConfig(name='translation', kind='translation', threshold=1.0, prompt='a'),
          LaneConfig(name='assistant', threshold=1e-12, refractory_s=20.0, max_reply_tokens=16,
                     prompt='a'))
_CHUNK_MS = CHUNK_NS / 1e6
FLAT_MIB = 32.0


def run(runtime: Runtime, *, chunks: int, device: str, slots: int = 1024) -> list[Figure]:
    """Return cost, latency, stalls and memory of a stream of so many chunks."""
    # Every chunk is read, or a quiet one would pass for a fast one.
    pipeline = build_pipeline(AssistantConfig(audio=AudioConfig(quiet_below_dbfs=-200.0)),
                              runtime.encoder)
    session = Session(decoder=runtime.decoder, tokenizer=runtime.tokenizer, lanes=LANES,
                      slots=min(slots, runtime.decoder.spec.max_positions))
    samples, _ = load_scene(60.0)
    cost, memory, replies = [], {}, 0
    early = max(1, min(100, chunks // 4))
    for number in range(chunks):
        start = number * CHUNK_SAMPLES % (len(samples) - CHUNK_SAMPLES)
        block = AudioBlock(samples=samples[start:start + CHUNK_SAMPLES],
                           sample_rate_hz=SAMPLE_RATE_HZ, stamp_ns=number * CHUNK_NS)
        began = time.perf_counter()
        for chunk in pipeline.push(block):
            session.push(chunk)
            replies += sum(isinstance(event, ReplyFinished) for event in session.drain())
        cost.append(1e3 * (time.perf_counter() - began))
        if number + 1 in (early, chunks):
            memory[number + 1] = _memory_mib(device)
    late = latencies(cost)
    steady = np.array(cost[early:])
    tenth = max(1, len(steady) // 10)
    return [
        spread('cost of a chunk', cost, unit='ms/chunk', note=f'{replies} replies'),
        spread('decision after the end of a chunk', late),
        Figure(what='stalls', unit='', samples=chunks, goal=0,
               value=float(np.sum(np.array(late) > _CHUNK_MS))),
        Figure(what='last tenth / first tenth, of medians', unit='x',
               value=float(np.median(steady[-tenth:]) / np.median(steady[:tenth]))),
        Figure(what='real-time factor', unit='', value=float(np.mean(cost)) / _CHUNK_MS),
        *(Figure(what=f'memory of {where} grown from chunk {early} to {chunks}', unit='MiB',
                 value=after - before, goal=FLAT_MIB, note=f'{after:.0f} MiB at the end')
          for (where, before), after in zip(memory[early].items(), memory[chunks].values(),
                                            strict=True))]


def latencies(cost_ms: Sequence[float]) -> list[float]:
    """Return when each decision comes after its chunk, if chunks arrive every 400 ms."""
    free, found = 0.0, []
    for number, cost in enumerate(cost_ms):
        arrived = number * _CHUNK_MS
        free = max(free, arrived) + cost
        found.append(free - arrived)
    return found


def _memory_mib(device: str) -> dict[str, float]:
    found = {'the process': resident_mib()}
    if device.startswith('cuda'):
        import torch
        found['the GPU'] = torch.cuda.memory_reserved(device) / 2 ** 20
    return found
