"""``python -m export onnx MODEL --out DIR``: the graphs of a model, weights beside them."""

import argparse
import time
from pathlib import Path

from audio_interaction_ros.checkpoints.weights import identify
from audio_interaction_ros.graphs import manifest
from audio_interaction_ros.graphs.writing import HALVES, write_half

__all__ = ['add_arguments', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('model', metavar='MODEL',
                        help='folder, name of a shipped model (edge) or repository id')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR',
                        help='folder to write: DIR/encoder and DIR/decoder; model.path: DIR with '
                             'model.runtime: onnx runs it')
    parser.add_argument('--precision', default='fp32', choices=sorted(manifest.PRECISIONS),
                        help='of the weights of layers; activations stay float32 (default: fp32)')


def run(options: argparse.Namespace) -> int:
    """Write every half; the weights of one are in memory at a time."""
    stored = identify(options.model)
    for half in HALVES:
        began = time.monotonic()
        folder = options.out / half
        write_half(folder, half, options.precision, stored)
        size = sum(size for _, size in manifest.read(folder).files.values())
        print(f'{folder}: {half} of {stored.model_id}, {options.precision}, {size / 1e6:.0f} MB, '
              f'{time.monotonic() - began:.1f} s')
    return 0
