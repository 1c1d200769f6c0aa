"""
Reader of YAMNet's ONNX file: its convolutions under Yamnet's names.

Owns the order of the graph. The file has weights in float32 with steps of quantisation behind
them, which are left out: we compute in floating point.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.errors import CheckpointError, MissingDependencyError

__all__ = ['yamnet_tensors']


def yamnet_tensors(path: Path) -> dict[str, np.ndarray]:
    """Return weights and biases of all convolutions, in the order in which they are applied."""
    try:
        import onnx
        from onnx import numpy_helper
    except ImportError as error:
        raise MissingDependencyError('reading an ONNX file needs the onnx package: '
                                     'pip install "onnx>=1.16"') from error
    try:
        graph = onnx.load(str(path)).graph
        initializers = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
        return _convolution_tensors(graph, initializers, path)
    except CheckpointError:
        raise
    except Exception as error:  # protobuf, onnx and numpy raise many kinds for a damaged file
        raise CheckpointError(f'{path}: expected an ONNX file with its weights, cannot read it '
                              f'({error}); fetch the weights again') from error


def _convolution_tensors(graph: Any, initializers: Mapping[str, np.ndarray], path: Path,
                         ) -> dict[str, np.ndarray]:
    # The first input of a dequantisation is that of a quantisation, whose first is the weight.
    origin = {node.output[0]: node.input[0] for node in graph.node
              if node.op_type in ('QuantizeLinear', 'DequantizeLinear')}
    tensors: dict[str, np.ndarray] = {}
    for number, node in enumerate(node for node in graph.node if node.op_type == 'Conv'):
        # A convolution may be without its bias; ours all have one.
        for part, name in zip(('weight', 'bias'), [*node.input[1:], ''], strict=False):
            for _ in origin:  # so often at most: a damaged graph may go round in a circle
                name = origin.get(name, name)
            if name not in initializers:
                raise CheckpointError(f'{path}: expected the {part} of convolution {number}, '
                                      f'found no tensor {name!r}; the file is of another version')
            tensors[f'convolutions.{number}.{part}'] = np.array(initializers[name], np.float32)
    return tensors
