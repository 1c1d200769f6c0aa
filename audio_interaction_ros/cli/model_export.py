"""`audio-interaction model export MODEL --out DIR`: the graphs of a model as ONNX."""

import argparse
import time
from pathlib import Path

from audio_interaction_ros.checkpoints.weights import identify
from audio_interaction_ros.graphs import manifest
from audio_interaction_ros.graphs.writer import HALVES, write_half

__all__ = ['add_arguments', 'run']


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('model', metavar='MODEL',
                        help='folder, name of a shipped model (edge) or repository id')
    parser.add_argument('--out', type=Path, required=True, metavar='DIR',
                        help='folder to write: DIR/encoder and DIR/decoder; model.path: DIR with '
                             'model.runtime: onnx runs it')
    parser.add_argument('--precision', default='fp32', choices=sorted(manifest.PRECISIONS),
                        help='of the weights of layers; activations are float16 with fp16, and '
                             'with int4 in the static form, else float32 (default: fp32)')
    parser.add_argument('--form', default=manifest.DELTA, choices=sorted(manifest.FORMS),
                        help='delta (opset 18; the host keeps the cache: for ONNX Runtime, '
                             'TensorRT 10.3) or static (opset 24; the graph writes into it: for '
                             'TensorRT from 10.15 on) (default: delta)')


def run(options: argparse.Namespace) -> int:
    """Write every half; the weights of one are in memory at a time."""
    manifest.numbers(options.precision, options.form)  # or it says so at once
    stored = identify(options.model)
    for half in HALVES:
        began = time.monotonic()
        folder = options.out / half
        write_half(folder, half, options.precision, stored, form=options.form)
        size = sum(size for _, size in manifest.read(folder).files.values())
        print(f'{folder}: {half} of {stored.model_id}, {options.precision}, {options.form}, '
              f'{size / 1e6:.0f} MB, {time.monotonic() - began:.1f} s')
    return 0
