"""
Reader of YAMNet's ONNX file: its convolutions under Yamnet's names, and its last layer.

Owns the order of the graph. The file has weights in float32 with steps of quantisation behind
them, which are left out: we compute in floating point.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.errors import CheckpointError, MissingDependencyError

__all__ = ['last_layer', 'yamnet_tensors']


def yamnet_tensors(path: Path) -> dict[str, np.ndarray]:
    """Return weights and biases of all convolutions, in the order in which they are applied."""
    return _read(path, 'Conv', 'convolution')


def last_layer(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return weight [classes, width] and bias [classes] of what tells the classes apart."""
    tensors = _read(path, 'Gemm', 'product')
    if not tensors:
        raise CheckpointError(f'{path}: expected a last layer that tells classes apart, found '
                              'none; the file is of another version')
    weight, bias = (tensors[f'products.0.{part}'] for part in ('weight', 'bias'))
    return (weight if len(weight) == len(bias) else weight.T), bias


def _read(path: Path, kind: str, called: str) -> dict[str, np.ndarray]:
    """Return weights and biases of all layers of a kind, in the order of the graph."""
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise MissingDependencyError('reading an ONNX file needs the onnx package: '
                                     'pip install "onnx>=1.16"') from error
    try:
        graph = onnx.load(str(path)).graph
        initializers = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        return _layer_tensors(graph, initializers, path, kind, called)
    except CheckpointError:
        raise
    except Exception as error:  # protobuf, onnx and numpy raise many kinds for a damaged file
        raise CheckpointError(f'{path}: expected an ONNX file with its weights, cannot read it '
                              f'({error}); fetch the weights again') from error


def _layer_tensors(graph: Any, initializers: Mapping[str, np.ndarray], path: Path, kind: str,
                   called: str) -> dict[str, np.ndarray]:
    # The first input of a dequantisation is that of a quantisation, whose first is the weight.
    origin = {node.output[0]: node.input[0] for node in graph.node
              if node.op_type in ('QuantizeLinear', 'DequantizeLinear')}
    tensors: dict[str, np.ndarray] = {}
    for number, node in enumerate(node for node in graph.node if node.op_type == kind):
        # A layer may be without its bias; ours all have one.
        for part, name in zip(('weight', 'bias'), [*node.input[1:], ''], strict=False):
            for _ in origin:  # so often at most: a damaged graph may go round in a circle
                name = origin.get(name, name)
            if name not in initializers:
                raise CheckpointError(f'{path}: expected the {part} of {called} {number}, '
                                      f'found no tensor {name!r}; the file is of another version')
            tensors[f'{called}s.{number}.{part}'] = np.array(initializers[name], np.float32)
    return tensors
