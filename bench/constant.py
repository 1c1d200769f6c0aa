"""
Whether a chunk costs the same after an hour: encoder and decoder at chunk 10 and at chunk 10,000.

The tenth chunk sees a prompt and nine blocks, the ten-thousandth a ring that is full, at positions
that no training reached. Both are measured in turns on the same model and in processor time, so
that other programs change little. What the house around the model costs, the part "hour" tells.
"""

import copy
import time
from collections.abc import Callable

import numpy as np

from audio_interaction_ros.protocol import MEL_FRAMES_PER_CHUNK, listening_block
from audio_interaction_ros.runtimes.base import (
    Allowed,
    DecoderSpec,
    Encoder,
    Runtime,
    StepRequest,
)
from bench.measure import Figure, spread, time_calls

__all__ = ['GOAL', 'listening_at', 'run']

GOAL = 1.05
EARLY, LATE = 10, 10_000
LANES = 3
_PROMPT = 40
_HEARD = 200
"""Chunks that the late encoder heard: its window holds a few, so more would change nothing."""


def run(runtime: Runtime, *, repeat: int, slots: int) -> list[Figure]:
    """Return the cost of both chunks and their ratio."""
    spec, slots = runtime.decoder.spec, min(slots, runtime.decoder.spec.max_positions)
    runtime.decoder.open(lanes=LANES, slots=slots)
    steps = [[listening_at(spec, lane, slots, chunk) for lane in range(LANES)]
             for chunk in (EARLY, LATE)]
    decoder = _in_turns(*(lambda step=step: runtime.decoder.step(step)  # type: ignore[misc]
                          for step in steps), repeat=repeat)
    encoder = _in_turns(*(_stream(runtime.encoder, heard) for heard in (EARLY - 1, _HEARD)),
                        repeat=repeat)
    medians = [sum(float(np.median(part[which])) for part in (encoder, decoder))
               for which in (0, 1)]
    return [*(spread(f'{name} at chunk {chunk}', part[which])
              for name, part in (('encoder', encoder), (f'decoder, {LANES} lanes,', decoder))
              for which, chunk in enumerate((EARLY, LATE))),
            Figure(what=f'chunk {LATE} / chunk {EARLY}', unit='', value=medians[1] / medians[0],
                   samples=2 * repeat, goal=GOAL, note='of medians of processor time, in turns; '
                   f'a ring of {slots} slots; the encoder after {_HEARD} chunks')]


def _in_turns(first: Callable[[], object], second: Callable[[], object], *,
              repeat: int) -> tuple[list[float], list[float]]:
    """Return milliseconds of both, each second turn in the other order."""
    times: tuple[list[float], list[float]] = ([], [])
    for call in (first, second):
        time_calls(call, repeat=1)
    for turn in range(repeat):
        for which in ((0, 1), (1, 0))[turn % 2]:
            times[which].extend(time_calls((first, second)[which], repeat=1, warm_up=0,
                                           clock=time.process_time))
    return times


def _stream(encoder: Encoder, heard: int) -> Callable[[], object]:
    """Return what encodes one more chunk of a stream of its own, over the same weights."""
    stream = copy.copy(encoder)
    stream.reset()
    mel = np.random.default_rng(0).uniform(
        -1.0, 1.0, (encoder.spec.mel_rows, MEL_FRAMES_PER_CHUNK)).astype(np.float32)
    for _ in range(heard):
        stream.encode(mel)
    return lambda: stream.encode(mel)


def listening_at(spec: DecoderSpec, lane: int, slots: int, chunk: int) -> StepRequest:
    """Return the step of a lane that listens to chunk number ``chunk``, counted from 1."""
    ids_of = spec.token_ids
    block = listening_block(ids_of, spec.features_per_chunk, [ids_of.silence])
    length = len(block.ids)
    room = (slots - _PROMPT) // length
    before = chunk - 1
    places = _PROMPT + before % room * length + np.arange(length)
    visible = np.arange(slots) < _PROMPT + min(before, room) * length
    visible[places] = False
    features = np.random.default_rng(lane).standard_normal(
        (len(block.feature_at), spec.feature_width))
    return StepRequest.of_block(
        block, lane=lane, slots=places, visible=visible,
        positions=_PROMPT + before * length + np.arange(length),
        features=(0.02 * features).astype(np.float32), allowed=Allowed.CONTROLS)
