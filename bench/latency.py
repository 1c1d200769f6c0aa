"""
``python -m bench latency``: how late decisions and words are, with a queue and without one.

Plays one stream twice on one clock (``bench.timeline``), first with encoder and decoder beside
each other and the queue between them, then one after the other. Also with chunks of another size,
another capacity and another layout of a backlog. What the steps cost goes into the JSON, for
``python -m bench simulate``.
"""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.assembly import build_pipeline, build_session, resolve_for
from audio_interaction_ros.config import (
    DRAIN_LAYOUTS,
    OVERFLOW_POLICIES,
    AssistantConfig,
    FifoConfig,
    LaneConfig,
    ModelConfig,
    TranslationConfig,
)
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.parameter_file import load_configuration
from audio_interaction_ros.protocol import CHUNK_S, ChunkSize
from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.runtimes.base import Decoder, Encoder, Tokenizer
from audio_interaction_ros.runtimes.registry import RUNTIMES
from audio_interaction_ros.runtimes.scripted import (
    ScriptedDecoder,
    ScriptedEncoder,
    ScriptedTokenizer,
)
from bench import models, report
from bench.audio import load_scene
from bench.costs import told_costs
from bench.hour import LANES as SCRIPTED_LANES
from bench.hour import make_script
from bench.lateness import figures_of
from bench.measure import Figure
from bench.plot import draw_queues
from bench.stream import LANES as RANDOM_LANES
from bench.timeline import Clock, Timeline, WatchedDecoder, play
from measure import machine

__all__ = ['QUEUES', 'Parts', 'check_chunk', 'main', 'measure', 'run', 'told_story']

QUEUES = {'with the queue': True, 'without the queue': False}
"""Names of the two ways to play."""
CLOCKS: dict[str, Clock] = {'wall': time.perf_counter, 'processor': time.process_time}


@dataclass(frozen=True, kw_only=True)
class Parts:
    """A model's halves and the lanes that listen."""

    encoder: Encoder
    decoder: Decoder
    tokenizer: Tokenizer
    config: AssistantConfig
    """With resolved lanes."""

    @property
    def size(self) -> ChunkSize:
        """Chunks that the model hears."""
        return self.encoder.spec.chunk_size


def run(parts: Parts, samples: np.ndarray, *, queue: bool,
        clock: Clock = time.perf_counter) -> Timeline:
    """Return the timeline of samples [n] at 16 kHz, heard by a model that heard nothing before."""
    parts.encoder.reset()
    decoder = WatchedDecoder(parts.decoder)
    # Every chunk is read, or a quiet one would pass for a fast one.
    config = replace(parts.config, audio=replace(parts.config.audio, quiet_below_dbfs=-200.0))
    session = build_session(config, config.lanes, decoder=decoder, tokenizer=parts.tokenizer,
                            translates=False)
    return play(build_pipeline(config, parts.encoder), session, decoder, samples,
                size=parts.size, queue=queue, clock=clock)


def measure(make_parts: Callable[[], Parts], samples: np.ndarray, *,
            clock: Clock = time.perf_counter) -> dict[str, Timeline]:
    """Return the timelines of both ways to play."""
    return {name: run(make_parts(), samples, queue=queue, clock=clock)
            for name, queue in QUEUES.items()}


def told_story(seen: Timeline, lanes: Sequence[LaneConfig]) -> dict[str, Any]:
    """
    Return what each lane said as plain values.

    ``replies`` holds of each (chunk, passes that wrote it); ``whole`` names the lanes whose
    replies come at once, when they are written to the end.
    """
    return {'replies': {lane.name: [(seq, passes) for name, seq, passes in seen.replies
                                    if name == lane.name] for lane in lanes},
            'whole': [lane.name for lane in lanes if lane.min_confidence > 0]}


def _scripted(config: AssistantConfig, size: ChunkSize, chunks: int) -> Parts:
    return Parts(encoder=ScriptedEncoder(chunk_size=size), tokenizer=ScriptedTokenizer(),
                 decoder=ScriptedDecoder(script=make_script(chunks), chunk_size=size),
                 config=replace(config, lanes=SCRIPTED_LANES))


def _load_parts(options: argparse.Namespace, config: AssistantConfig,
                chunks: int) -> Callable[[], Parts]:
    size = ChunkSize.of_seconds(options.chunk) if options.chunk else None
    if options.model == 'scripted':
        return lambda: _scripted(config, size or ChunkSize(), chunks)
    runtime = models.load(options.model, runtime=options.runtime, threads=options.threads,
                          dtype=options.dtype, device=options.device, chunk_size=size)
    check_chunk(options.model, runtime.encoder.spec.chunk_size, size)
    lanes: tuple[LaneConfig, ...] = (
        RANDOM_LANES if models.is_random(options.model) else resolve_for(runtime, config.lanes))
    return lambda: Parts(encoder=runtime.encoder, decoder=runtime.decoder,
                         tokenizer=runtime.tokenizer, config=replace(config, lanes=lanes))


def check_chunk(model: str, found: ChunkSize, size: ChunkSize | None) -> None:
    """Raise ConfigurationError where a model shall hear chunks of another size than it does."""
    if size is not None and size != found:
        raise ConfigurationError(
            f'--chunk: {model} was trained on chunks of {found.s:g} s and hears no other, got '
            f'{size.s:g} s; train a model for these (python -m train fit --chunk), '
            'or take --model random, random-tiny or scripted')


def parse_options(arguments: Sequence[str]) -> argparse.Namespace:
    """Return the options of the command."""
    parser = argparse.ArgumentParser(
        prog='python -m bench latency', description='How late decisions and first words are and '
        'how many chunks stall, with the queue between encoder and decoder and without it.')
    parser.add_argument('--model', default='edge', help='as of python -m bench: a folder, a '
                        'shipped name, random, random-tiny, scripted, … (default: edge)')
    parser.add_argument('--runtime', default=ModelConfig.runtime, choices=sorted(RUNTIMES))
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--dtype', default='auto')
    parser.add_argument('--threads', type=int, default=1,
                        help='of each half; on N cores N / 2, as both work at once (default: 1)')
    parser.add_argument('--seconds', type=float, default=120.0, help='of stream (default: 120)')
    parser.add_argument('--file', type=Path, help='recording to play (default: the sample scene)')
    parser.add_argument('--chunk', type=float, metavar='S', help='seconds of a chunk, of models '
                        f'of chance and scripted ones (default: the model\'s, {CHUNK_S:g})')
    parser.add_argument('--capacity', type=int, default=FifoConfig.capacity,
                        help='chunks that the queue holds (default: %(default)s)')
    parser.add_argument('--overflow', default=FifoConfig.overflow, choices=OVERFLOW_POLICIES)
    parser.add_argument('--drain', default=FifoConfig.drain, choices=DRAIN_LAYOUTS,
                        help='how a backlog is read (docs/protocol.md; default: %(default)s)')
    parser.add_argument('--clock', default='wall', choices=sorted(CLOCKS),
                        help='processor: count the time of the processor, where other programs '
                        'use the machine as well; with --threads 1 (default: %(default)s)')
    parser.add_argument('--params-file', type=Path, default=shipped_path('config/edge.yaml'),
                        help='parameter file that says which lanes listen')
    parser.add_argument('--output', type=Path, help='where the JSON goes')
    parser.add_argument('--png', type=Path, help='where a picture goes')
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    """Measure, print the table, write JSON and picture."""
    options = parse_options(arguments)
    # Nobody reads words here, so no translation can follow them.
    config = replace(load_configuration(options.params_file), translation=TranslationConfig())
    config = replace(config, fifo=replace(config.fifo, capacity=options.capacity,
                                          overflow=options.overflow, drain=options.drain))
    samples, origin = load_scene(options.seconds, options.file)
    told = {**machine.describe(), 'played': origin}
    make = _load_parts(options, config, chunks=int(options.seconds * 10))
    print(f'playing {options.seconds:g} s twice ...', file=sys.stderr, flush=True)
    parts = make()
    run(parts, samples[:4 * parts.size.samples], queue=True)  # what is slow the first time only
    seen = measure(make, samples, clock=CLOCKS[options.clock])
    sections = {name: figures_of(one) for name, one in seen.items()}
    print(report.format_table(told, sections))
    path = write(options, told, sections, seen, make())
    print(f'\nwritten to {path}')
    if options.png:
        options.png.parent.mkdir(parents=True, exist_ok=True)
        print(draw_queues(sections, make().size.s, f'{options.model}, {told["processor"]}, '
                          f'{told["cores"]} cores', options.png))
    return 0


def write(options: argparse.Namespace, told: dict[str, str], sections: dict[str, list[Figure]],
          seen: dict[str, Timeline], parts: Parts) -> Any:
    """Write the JSON: the table, and what a simulation needs of the run with the queue."""
    first = seen[next(iter(QUEUES))]
    return report.write_json(
        options.output, command='latency', machine=told, failures={},
        options={key: str(value) if isinstance(value, Path) else value
                 for key, value in vars(options).items()},
        sections=sections, costs={
            'chunk_s': parts.size.s, 'chunks': len(first.encoder_s),
            **told_story(first, parts.config.lanes), **told_costs(first)})
