"""
The decoder: one pass for one and three lanes, backlogs, and the wait for a first word.

Passes are asked of the backend directly, with a context as full as after minutes of listening,
so the figures hold for the steady state and not for an empty cache.
"""

import time
from collections.abc import Iterator

import numpy as np

from audio_interaction_ros.config import LaneConfig
from audio_interaction_ros.protocol import CHUNK_NS, Block, listening_block, reply_block
from audio_interaction_ros.runtimes.base import (
    Allowed,
    Decoder,
    DecoderSpec,
    Runtime,
    StepRequest,
)
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.events import ReplyFinished, ReplyText
from audio_interaction_ros.stream.session import Session
from bench.measure import Figure, peak_memory_mib, spread, time_calls

__all__ = ['run']

BACKLOGS = (1, 2, 4, 8, 16)


def run(runtime: Runtime, *, repeat: int = 60, slots: int = 1024,
        backlogs: tuple[int, ...] = BACKLOGS) -> list[Figure]:
    """Return ms per step, per drained backlog, and from a chunk's end to the first text."""
    decoder = runtime.decoder
    slots = min(slots, decoder.spec.max_positions)
    figures: list[Figure] = []
    for lanes in (1, 3):
        decoder.open(lanes=lanes, slots=slots)
        figures += _time_steps(decoder, lanes, slots, repeat)
    decoder.open(lanes=3, slots=slots)
    for chunks in backlogs:
        if 2 * len(_backlog(decoder.spec, chunks).ids) > slots:
            break
        batch = [_listening_request(decoder.spec, lane, slots, chunks) for lane in range(3)]
        times = time_calls(lambda batch=batch: decoder.step(batch),  # type: ignore[misc]
                           repeat=max(5, repeat // chunks))
        figures.append(spread(f'drain {chunks} chunks, 3 lanes', times,
                              note=f'{np.median(times) / chunks:.3g} ms per chunk, one pass'))
    figures.append(_time_first_text(runtime, slots, repeat=max(5, repeat // 6)))
    return [*figures, Figure(what='peak memory', unit='MiB', value=peak_memory_mib())]


def _time_steps(decoder: Decoder, lanes: int, slots: int, repeat: int) -> Iterator[Figure]:
    name = '1 lane' if lanes == 1 else f'{lanes} lanes'
    listening = [_listening_request(decoder.spec, lane, slots, 1) for lane in range(lanes)]
    positions = len(listening[0].ids)
    times = time_calls(lambda: decoder.step(listening), repeat=repeat)
    yield spread(f'listening step, {name}, {positions} positions', times, unit='ms/step')
    speaking = [_speaking_request(decoder.spec, lane, slots) for lane in range(lanes)]
    times = time_calls(lambda: decoder.step(speaking), repeat=repeat)
    yield spread(f'reply step, {name}, 1 position', times, unit='ms/step')


def _listening_request(spec: DecoderSpec, lane: int, slots: int, chunks: int) -> StepRequest:
    """Return a listening step over one or more chunks, at the end of a nearly full context."""
    block = _backlog(spec, chunks)
    rng = np.random.default_rng(lane)
    features = rng.standard_normal((len(block.feature_at), spec.feature_width))
    return _make_request(lane, slots, block, features=features.astype(np.float32) * 0.02,
                         allowed=Allowed.CONTROLS)


def _backlog(spec: DecoderSpec, chunks: int) -> Block:
    ids = spec.token_ids
    return listening_block(ids, spec.features_per_chunk, [ids.silence], chunks=chunks)


def _speaking_request(spec: DecoderSpec, lane: int, slots: int) -> StepRequest:
    return _make_request(lane, slots, reply_block([spec.token_ids.respond]),
                         features=np.zeros((0, spec.feature_width), dtype=np.float32),
                         allowed=Allowed.TEXT)


def _make_request(lane: int, slots: int, block: Block, *, features: np.ndarray,
                  allowed: Allowed) -> StepRequest:
    first = slots - len(block.ids)
    visible = np.zeros(slots, dtype=bool)
    visible[:first] = True
    places = np.arange(first, slots)
    return StepRequest.of_block(block, lane=lane, slots=places, positions=places,
                                visible=visible, features=features, allowed=allowed)


def _time_first_text(runtime: Runtime, slots: int, *, repeat: int) -> Figure:
    """Time from having the mel of a chunk to the first text of the reply that it triggers."""
    lane = LaneConfig(name='assistant', threshold=1e-12, max_reply_tokens=8)
    session = Session(decoder=runtime.decoder, tokenizer=runtime.tokenizer, lanes=(lane,),
                      slots=slots)
    encoder, spec = runtime.encoder, runtime.encoder.spec
    mel = np.random.default_rng(0).uniform(-1, 1, (spec.mel_rows, 40)).astype(np.float32)
    times = []
    for seq in range(repeat + 2):
        began = time.perf_counter()
        session.push(EncodedChunk(
            features=encoder.encode(mel).features, stamp_ns=seq * CHUNK_NS, epoch=1, seq=seq,
            model_id=spec.model_id, rms_dbfs=-20.0))
        times.append(1000.0 * _step_until_text(session, began))
        session.drain()
    return spread('first text, 1 lane, offline', times[2:],
                  note='encode + decision + steps up to the first text')


def _step_until_text(session: Session, began: float) -> float:
    while session.busy:
        events = session.step()
        if any(isinstance(event, ReplyText | ReplyFinished) for event in events):
            break
    return time.perf_counter() - began
