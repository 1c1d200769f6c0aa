"""
What the products of a pass cost by how weights are written: behind the choice of graphs.quantise.

Owns graphs that hold nothing but the four products of a layer of a decoder. All kinds of weights
take their turns, in processor time, so that other work on the machine changes the columns alike.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnxruntime as ort

from audio_interaction_ros.graphs.builder import GraphBuilder
from audio_interaction_ros.model.shapes import DecoderConfig
from audio_interaction_ros.runtimes.onnx_session import open_session
from bench.measure import Figure, spread

__all__ = ['KINDS', 'POSITIONS', 'run']

POSITIONS = (1, 3, 9, 18, 27)
"""Of a token and of a chunk, for one to three lanes."""
_INTEGERS = 'integers of 7 and 8 bits'
KINDS: dict[str, Callable[[str], GraphBuilder]] = {
    'float32': GraphBuilder,
    **{f'8 bits in blocks of {block}': partial(GraphBuilder, bits=8, block=block)
       for block in (32, 64, 128)},
    _INTEGERS: GraphBuilder}
"""What builds a graph of such weights."""


def run(shape: DecoderConfig, *, threads: int, repeat: int = 20,
        positions: Sequence[int] = POSITIONS) -> list[Figure]:
    """Return milliseconds of the products of all layers, by positions and kind of weights."""
    rng = np.random.default_rng(0)
    sizes = _layer_sizes(shape)
    weights = [rng.standard_normal(size, dtype=np.float32) * np.float32(0.05) for size in sizes]
    with TemporaryDirectory(prefix='bench-') as folder:
        sessions = {kind: _open(Path(folder) / f'{number}.onnx', kind, weights, threads)
                    for number, kind in enumerate(KINDS)}
    figures = []
    for count in positions:
        fed = {f'x{place}': rng.standard_normal((count, columns), dtype=np.float32)
               for place, (_, columns) in enumerate(sizes)}
        spent = _take_turns(sessions, fed, repeat)
        figures += [spread(f'{count} positions, {kind}',
                           [shape.layers * each for each in spent[kind]],
                           note=f'all {shape.layers} layers, processor time') for kind in spent]
    return figures


def _layer_sizes(shape: DecoderConfig) -> list[tuple[int, int]]:
    """Return [out, in] of queries with keys and values, output, gate with up, down."""
    heads, keys = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    return [(heads + 2 * keys, shape.width), (shape.width, heads),
            (2 * shape.mlp_width, shape.width), (shape.width, shape.mlp_width)]


def _open(path: Path, kind: str, weights: Sequence[np.ndarray],
          threads: int) -> ort.InferenceSession:
    builder = KINDS[kind]('products')
    write = builder.integer_linear if kind == _INTEGERS else builder.linear
    for place, weight in enumerate(weights):
        x = builder.input(f'x{place}', np.float32, ('positions', weight.shape[1]))
        made = write(x, weight, name=f'weight{place}')
        builder.output(builder.rename(made, f'y{place}'), np.float32,
                       ('positions', weight.shape[0]))
    builder.save(path)
    return open_session(path, threads=threads)


def _take_turns(sessions: dict[str, ort.InferenceSession], fed: dict[str, np.ndarray],
                repeat: int) -> dict[str, list[float]]:
    spent: dict[str, list[float]] = {kind: [] for kind in sessions}
    for turn in range(repeat + 2):
        for kind, session in sessions.items():
            began = time.process_time()
            session.run(None, fed)
            if turn >= 2:  # the first ones lay things out
                spent[kind].append(1000.0 * (time.process_time() - began))
    return spent
