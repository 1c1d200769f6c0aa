"""
One hour of stream, faster than it plays, with a scripted model.

Shows that streaming itself keeps nothing: memory and cost per chunk are the same at the
beginning and at the end. The model is a script, so the figures are of the house around it.
"""

import time
from dataclasses import dataclass, field

import numpy as np

from audio_interaction_ros.alerts.policy import AlertPolicy
from audio_interaction_ros.alerts.rules import AlertRules, load_rules
from audio_interaction_ros.alerts.settings import AlertSettings
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.audio.frontend import FrontEnd
from audio_interaction_ros.audio.mel import StreamingMel
from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.protocol import CHUNK_NS, CHUNK_SAMPLES, SAMPLE_RATE_HZ, Emotion
from audio_interaction_ros.runtimes.scripted import (
    ScriptedDecoder,
    ScriptedEncoder,
    ScriptedTokenizer,
)
from audio_interaction_ros.stream.events import ReplyFinished
from audio_interaction_ros.stream.listening import ListeningPipeline
from audio_interaction_ros.stream.session import Session
from bench.audio import synthesise
from bench.measure import Figure, resident_mib, spread

__all__ = ['HOUR_CHUNKS', 'LANES', 'RunTrace', 'make_script', 'run', 'run_stream']

HOUR_CHUNKS = 9_000
EARLY = 100
_WINDOW = 50  # chunks on either side that make up the cost "at" a chunk
LANES = (LaneConfig(name='transcript', kind='transcript', threshold=0.5),
          LaneConfig(name='translation', kind='translation', threshold=0.5),
          LaneConfig(name='assistant', threshold=0.5, alerts=True))
_SAYINGS = ('A smoke alarm is sounding.', 'A dog is barking.', 'Good morning.',
            'Somebody is knocking at the door.')


@dataclass(kw_only=True)
class RunTrace:
    """What a long run showed, chunk by chunk."""

    chunk_ms: list[float] = field(default_factory=list)
    resident_mib: dict[int, float] = field(default_factory=dict)
    replies: int = 0
    alerts: int = 0
    used_slots: int = 0
    """Largest number of cache slots in use in any lane at the end."""
    queued: int = 0
    positions: int = 0
    """Positions that the longest lane fed, far more than it has slots."""
    seconds: float = 0.0


def run_stream(*, chunks: int, rules: AlertRules, slots: int = 256) -> RunTrace:
    """Run a stream of so many chunks through the whole core with a scripted model."""
    encoder = ScriptedEncoder()
    pipeline = ListeningPipeline(frontend=FrontEnd(), mel=StreamingMel(bins=80), encoder=encoder)
    session = Session(decoder=ScriptedDecoder(script=make_script(chunks), max_positions=slots),
                      tokenizer=ScriptedTokenizer(), lanes=LANES, slots=slots)
    policy = AlertPolicy(rules, AlertSettings(lanes=('assistant',)))
    minute = synthesise(60.0)
    seen = RunTrace()
    began = time.perf_counter()
    for number in range(chunks):
        start = number * CHUNK_SAMPLES % (len(minute) - CHUNK_SAMPLES)
        block = AudioBlock(samples=minute[start:start + CHUNK_SAMPLES],
                           sample_rate_hz=SAMPLE_RATE_HZ, stamp_ns=number * CHUNK_NS)
        at = time.perf_counter()
        _hear_block(block, pipeline, session, policy, seen)
        seen.chunk_ms.append(1000.0 * (time.perf_counter() - at))
        if number + 1 in (EARLY, chunks // 2, chunks):
            seen.resident_mib[number + 1] = resident_mib()
    seen.seconds = time.perf_counter() - began
    seen.used_slots = max(lane.context.used_slots for lane in session.lanes)
    seen.positions = max(lane.context.position for lane in session.lanes)
    seen.queued = len(session.fifo)
    return seen


def _hear_block(block: AudioBlock, pipeline: ListeningPipeline, session: Session,
                policy: AlertPolicy,
                seen: RunTrace) -> None:
    for chunk in pipeline.push(block):
        session.push(chunk)
        for event in session.drain():
            if isinstance(event, ReplyFinished):
                seen.replies += 1
                seen.alerts += len(policy.on_reply(event))
        seen.alerts += len(policy.tick(chunk.stamp_ns))


def make_script(chunks: int) -> dict[int, dict[int, tuple[Emotion, str]]]:
    """Let each lane say something now and then, each at its own times."""
    return {lane: {chunk: (Emotion.NORMAL, _SAYINGS[chunk // 7 % len(_SAYINGS)])
                   for chunk in range(5 + lane, chunks, 17 + 6 * lane)}
            for lane in range(len(LANES))}


def run(*, rules_path: str, chunks: int = HOUR_CHUNKS) -> list[Figure]:
    """Return cost and memory early and late in the run."""
    seen = run_stream(chunks=chunks, rules=load_rules(rules_path))
    early_at = min(EARLY, chunks // 2)
    early = seen.chunk_ms[max(0, early_at - _WINDOW):early_at + _WINDOW]
    late = seen.chunk_ms[-2 * _WINDOW:]
    grown = seen.resident_mib[chunks] - seen.resident_mib.get(EARLY, float('nan'))
    note = f'{seen.replies} replies, {seen.alerts} alert changes, {seen.queued} chunks queued'
    return [
        spread(f'cost at chunk {early_at}', early, unit='ms/chunk'),
        spread(f'cost at chunk {chunks}', late, unit='ms/chunk'),
        spread('cost of a chunk', seen.chunk_ms, unit='ms/chunk', series=[
            (at * CHUNK_NS / 1e9, float(np.median(seen.chunk_ms[at:at + _WINDOW])))
            for at in range(0, chunks, _WINDOW)]),
        Figure(what='late / early, of medians', unit='', samples=2 * len(late),
               value=float(np.median(late) / np.median(early))),
        *(Figure(what=f'resident memory at chunk {at}', unit='MiB', value=value)
          for at, value in seen.resident_mib.items()),
        Figure(what=f'memory grown from chunk {EARLY} to {chunks}', unit='MiB', value=grown),
        Figure(what='cache slots in use', unit='', value=seen.used_slots,
               note=f'{seen.positions} positions were fed'),
        Figure(what='faster than real time', unit='x',
               value=chunks * CHUNK_NS / 1e9 / seen.seconds, note=note)]
