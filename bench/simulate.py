"""
``python -m bench simulate COSTS.json``: a stream on a machine that is not here.

A scripted model says what a measured run said, on a clock that moves by what each step would cost
(``bench.costs``): as measured, slower or faster, or by the roofline of a device. Everything else,
queue, lanes and layouts of a backlog, is what serves the robot, not a model of it. Prints what
comes out beside what was measured, and a table of devices. None of it was measured on these.
"""

import argparse
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.checkpoints.config import CheckpointConfig, load_config
from audio_interaction_ros.config import (
    DRAIN_LAYOUTS,
    AssistantConfig,
    FifoConfig,
    LaneConfig,
    ModelConfig,
)
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ, ChunkSize, Emotion
from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.runtimes.scripted import (
    ScriptedDecoder,
    ScriptedEncoder,
    ScriptedTokenizer,
)
from bench.costs import (
    Costs,
    Device,
    Roofline,
    SlowDecoder,
    SlowEncoder,
    StandStill,
    read_costs,
)
from bench.latency import QUEUES, Parts, run
from bench.lateness import figures_of, judge, stall_share
from bench.measure import Figure
from bench.models import RELEASED_SHAPE
from bench.timeline import Timeline

__all__ = ['DEVICES', 'HEADS', 'Story', 'main', 'shape_of', 'simulate',
           'table_of_devices']


@dataclass(frozen=True)
class Story:
    """What the lanes say in a stream."""

    replies: Mapping[str, Sequence[tuple[int, int]]]
    """Of each lane (chunk, passes that write it) of each reply."""
    whole: Collection[str] = ()
    """Lanes whose replies come at once, when they are written to the end."""


DEVICES = (
    Device(name='Jetson Orin Nano 8 GB, 15 W', gb_per_s=68, tflops=10, pass_ms=3, memory_gb=8),
    Device(name='Jetson Orin NX 16 GB', gb_per_s=102, tflops=15, pass_ms=3, memory_gb=16),
    Device(name='Jetson AGX Orin 64 GB', gb_per_s=204, tflops=42, pass_ms=3, memory_gb=64),
    Device(name='Jetson AGX Thor', gb_per_s=273, tflops=250, pass_ms=2, memory_gb=128),
    Device(name='RTX 3060, 12 GB', gb_per_s=360, tflops=25, pass_ms=1, memory_gb=12),
    Device(name='RTX 4090, 24 GB', gb_per_s=1008, tflops=165, pass_ms=1, memory_gb=24))
"""
Bandwidth and dense 16-bit arithmetic of the GPU alone, rounded, from data sheets: of a card with
sums in 32 bits, of a Jetson a quarter of its sparse 8-bit figure. The rest is a guess.
"""
_BUILDS = (('edge', 'edge', 16, 512), ('3B, 16 bit', '3b', 16, 3072),
           ('3B, 4 bit', '3b', 4.25, 3072))
"""What is simulated on each: name, shape, bits of a weight of the layers, slots."""
_SLOTS = 2048  # of a scripted lane, whose tokens are letters
_ROOM = 0.75
"""Share of a device's memory that a model may take; system and other programs have the rest."""


def simulate(story: Story, costs: Costs, *, chunks: int, size: ChunkSize, queue: bool,
             fifo: FifoConfig) -> Timeline:
    """Return the timeline of so many chunks in which lanes say what a story says."""
    clock = StandStill()
    # A reply of n passes: its tone, n - 2 letters and its end.
    script = {lane: {chunk: (Emotion.NORMAL, _text_of(passes - 2)) for chunk, passes in replies}
              for lane, replies in enumerate(story.replies.values())}
    parts = Parts(
        encoder=SlowEncoder(ScriptedEncoder(chunk_size=size), costs, clock),
        decoder=SlowDecoder(ScriptedDecoder(script=script, chunk_size=size, max_positions=_SLOTS),
                            costs, clock),
        tokenizer=ScriptedTokenizer(), config=AssistantConfig(
            fifo=fifo, model=ModelConfig(slots=_SLOTS), lanes=tuple(
                LaneConfig(name=name, threshold=0.5, max_reply_tokens=1024,
                           min_confidence=0.01 if name in story.whole else 0.0)
                for name in story.replies)))
    silence = np.zeros((chunks + 1) * size.samples, np.float32)[:-(SAMPLE_RATE_HZ // 100)]
    return run(parts, silence, queue=queue, clock=clock)


def _text_of(count: int) -> str:
    """Return so many letters in which nothing repeats, or the lane would take it for a loop."""
    return ''.join(chr(97 + place * place // 3 % 26) for place in range(count))


def _read(path: Path) -> tuple[dict[str, Any], Story]:
    try:
        document = json.loads(path.read_text(encoding='utf-8'))
        story = Story({lane: [(int(chunk), int(passes)) for chunk, passes in replies]
                       for lane, replies in document['costs']['replies'].items()},
                      document['costs']['whole'])
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigurationError(f'{path}: expected what python -m bench latency wrote '
                                 f'({error!r}); give another file') from error
    return document, story


def shape_of(name: str) -> CheckpointConfig:
    """Return the shape of a model that is simulated: edge or 3b."""
    return load_config(RELEASED_SHAPE if name == '3b' else shipped_path('models/edge/config.yaml'))


def _row(seen: Timeline) -> tuple[str, ...]:
    late = judge(seen, len(seen.encoder_s))
    share = stall_share(late)
    busy = sum(each for _, each in seen.passes) + sum(seen.encoder_s)
    return (_percentiles([each for _, each in late.decisions]), _percentiles(late.first_text),
            _percentiles(late.resuming), f'{100 * share.value:.1f}',
            f'{busy / len(seen.encoder_s) / seen.chunk_s:.2f}')


def _percentiles(seconds: Sequence[float]) -> str:
    if not seconds:
        return '–'
    return ' / '.join(f'{1000 * each:.0f}' for each in np.percentile(seconds, (50, 95)))


HEADS = ('device', 'model', 'queue', 'decision', 'first text', 'resuming', 'stalls %', 'load')


def table_of_devices(story: Story, *, chunks: int, fifo: FifoConfig,
                     devices: Sequence[Device] = DEVICES) -> list[tuple[str, ...]]:
    """Return rows of text as ``HEADS`` names them; what does not fit a device is said to be so."""
    rows: list[tuple[str, ...]] = []
    for device in devices:
        for name, shape, bits, slots in _BUILDS:
            config = shape_of(shape)
            costs = Roofline(device=device, config=config, weight_bits=bits, slots=slots)
            if costs.memory_gb > _ROOM * device.memory_gb:
                rows.append((device.name, name, '', f'needs {costs.memory_gb:.1f} GB', *[''] * 4))
                continue
            for how, queue in QUEUES.items():
                rows.append((device.name, name, how.split()[0], *_row(simulate(
                    story, costs, chunks=chunks, size=config.audio_tower.chunk_size, queue=queue,
                    fifo=fifo))))
    return rows


def _beside(how: str, measured: Sequence[Mapping[str, Any]],
            simulated: Sequence[Figure]) -> list[tuple[str, ...]]:
    """Return rows of what was simulated, beside what was measured of the same."""
    known = {one['what']: (one.get('value'), one.get('p95')) for one in measured}
    return [(how, one.what, *(
        '' if value is None else f'{value:.3g}'
        for value in (*known.get(one.what, (None, None)), one.value, one.p95)), one.unit)
        for one in simulated]


def _as_text(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ['---'] * len(heads), *rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def main(arguments: Sequence[str]) -> int:
    """Simulate and print; the tables are Markdown."""
    parser = argparse.ArgumentParser(
        prog='python -m bench simulate', description='What a measured stream would have been with '
        'another queue, on a slower machine, or on devices that are not here (SIMULATED).')
    parser.add_argument('file', type=Path, help='JSON of python -m bench latency')
    parser.add_argument('--slower', type=float, default=1.0, metavar='X',
                        help='every step takes X times as long (default: 1)')
    parser.add_argument('--capacity', type=int, default=FifoConfig.capacity)
    parser.add_argument('--drain', default=FifoConfig.drain, choices=DRAIN_LAYOUTS)
    parser.add_argument('--devices', action='store_true', help='the table of devices as well')
    parser.add_argument('--seed', type=int, default=0, help='of the costs that are drawn')
    options = parser.parse_args(arguments)
    document, story = _read(options.file)
    fifo = replace(FifoConfig(), capacity=options.capacity, drain=options.drain)
    told = document['costs']
    rows: list[tuple[str, ...]] = []
    for how, queue in QUEUES.items():
        costs = read_costs(told, options.file, seed=options.seed, slower=options.slower)
        found = figures_of(simulate(
            story, costs, chunks=told['chunks'], size=ChunkSize.of_seconds(told['chunk_s']),
            queue=queue, fifo=fifo))
        rows += _beside(how, document['results'].get(how, ()), found)
    print(_as_text(('', '', 'measured', 'p95', 'simulated', 'p95', 'unit'), rows))
    if options.devices:
        print('\nSIMULATED from bandwidth and arithmetic, measured on none of these devices; '
              'milliseconds are p50 / p95:\n')
        print(_as_text(HEADS, table_of_devices(story, chunks=told['chunks'], fifo=fifo)))
    return 0
