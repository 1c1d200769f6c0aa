"""
Collects an ONNX graph node by node and writes it, its weights beside it in one raw file.

Owns names, initializers and the file format. Knows no operator. Opset 18, which TensorRT 10.3
reads, or 24, whose operators for language models newer ones take whole.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, overload

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.external_data_helper import set_external_data

from audio_interaction_ros.graphs.weights import Array, Weight

__all__ = ['CONTRIB', 'OPSET', 'OPSET_OF_CACHES', 'GraphFile']

OPSET = 18
OPSET_OF_CACHES = 24
"""The first with TensorScatter, which writes into a cache."""
CONTRIB = 'com.microsoft'
"""Domain of the operators of ONNX Runtime's own."""
_IR_VERSIONS = {OPSET: 10, OPSET_OF_CACHES: 12}
_ALIGNMENT = 4096
"""Of weights in the data file, so that a reader may map them."""
_INLINE = 1024
"""Initializers of fewer bytes stay in the graph, where shape inference sees them."""


class GraphFile:
    """Collects nodes in the order in which they are computed; every value is named by a str."""

    def __init__(self, name: str, *, opset: int = OPSET) -> None:
        self.name = name
        self.opset = opset
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._weights: dict[str, Weight] = {}
        self._scalars: dict[tuple[bytes, str, tuple[int, ...]], str] = {}
        self._count = 0

    def input(self, name: str, dtype: Any, shape: Sequence[int | str]) -> str:
        """Declare an input; a str in ``shape`` names a size that is known at run time only."""
        self._inputs.append(_value_info(name, dtype, shape))
        return name

    def output(self, name: str, dtype: Any, shape: Sequence[int | str]) -> str:
        """Declare that the value ``name`` is an output (see ``rename``)."""
        self._outputs.append(_value_info(name, dtype, shape))
        return name

    def rename(self, value: str, name: str) -> str:
        """Give a value the name that an output shall have."""
        return self._append('Identity', (value,), (name,), '', {})[0]

    def constant(self, name: str, array: Array, *, dtype: Any = None,
                 place: tuple[str, int] | None = None) -> str:
        """
        Return the initializer ``name``, of another dtype where one is named.

        The array must not change before it is written. It is not written where ``place`` says
        which other file of the folder holds its bytes, and where in that file.
        """
        dtype = np.dtype(dtype or array.dtype)
        return self.add_weight(name, dtype, array.shape, lambda: np.asarray(array).astype(
            dtype, copy=False), place=place)

    def scalar(self, value: Any, dtype: Any = np.float32) -> str:
        """Return a small constant (number or short list); equal ones are the same initializer."""
        array = np.asarray(value, dtype)
        key = (array.tobytes(), array.dtype.str, array.shape)
        if key not in self._scalars:
            self._scalars[key] = self.constant(f'constant_{len(self._scalars)}', array)
        return self._scalars[key]

    @overload
    def node(self, op: str, *inputs: str, outputs: None = None, domain: str = '',
             **attributes: Any) -> str: ...

    @overload
    def node(self, op: str, *inputs: str, outputs: int | Sequence[str], domain: str = '',
             **attributes: Any) -> tuple[str, ...]: ...

    def node(self, op: str, *inputs: str, outputs: int | Sequence[str] | None = None,
             domain: str = '', **attributes: Any) -> str | tuple[str, ...]:
        """
        Append a node and return the name of its output.

        A tuple where ``outputs`` says how many there are or which names they have; '' stands for
        any name.
        """
        self._count += 1
        asked = ('',) * (outputs or 1) if not isinstance(outputs, Sequence) else outputs
        names = tuple(name or f'{op}_{self._count}' + (f'_{i}' if i else '')
                      for i, name in enumerate(asked))
        self._append(op, inputs, names, domain, attributes)
        return names if outputs else names[0]

    def add_weight(self, name: str, dtype: np.dtype, shape: tuple[int, ...],
                   make: Callable[[], np.ndarray], *, place: tuple[str, int] | None = None,
                   nibbles: bool = False) -> str:
        """Return the initializer ``name``, whose numbers ``make`` gives when it is written."""
        if name in self._weights:
            raise ValueError(f'expected every constant to have a name of its own, found {name!r} '
                             'twice')
        self._weights[name] = Weight(np.dtype(dtype), tuple(shape), make, place, nibbles)
        return name

    def finish(self, *, metadata: Mapping[str, str] | None = None) -> onnx.ModelProto:
        """Return the graph with all weights inside it: for tests and for what is small."""
        model = self._make_model(metadata or {})
        for name, weight in self._weights.items():
            model.graph.initializer.append(_make_tensor(name, weight, inline=True))
        return model

    def save(self, path: Path, *, metadata: Mapping[str, str] | None = None) -> None:
        """Write the graph to ``path`` and its weights, one at a time, to ``<path>.data``."""
        model = self._make_model(metadata or {})
        data = path.with_name(f'{path.name}.data')
        with data.open('wb') as file:
            model.graph.initializer.extend(
                _write(name, weight, file, data.name) for name, weight in self._weights.items())
        if not data.stat().st_size:
            data.unlink()  # all of it is in the graph or elsewhere
        path.write_bytes(model.SerializeToString())

    def _append(self, op: str, inputs: Sequence[str], outputs: Sequence[str], domain: str,
                attributes: Mapping[str, Any]) -> Sequence[str]:
        self._nodes.append(helper.make_node(op, inputs, outputs, name=outputs[0],
                                            domain=domain or None, **attributes))
        return outputs

    def _make_model(self, metadata: Mapping[str, str]) -> onnx.ModelProto:
        # Without initializers.
        graph = helper.make_graph(self._nodes, self.name, self._inputs, self._outputs)
        opsets = [helper.make_opsetid('', self.opset)]
        if any(node.domain == CONTRIB for node in self._nodes):
            opsets.append(helper.make_opsetid(CONTRIB, 1))
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSIONS[self.opset],
                                  producer_name='audio_interaction_ros')
        helper.set_model_props(model, dict(metadata))
        return model


def _write(name: str, weight: Weight, file: BinaryIO, data: str) -> TensorProto:
    """Return an initializer; what is neither small nor in another file is appended to this one."""
    inline = weight.size < _INLINE and not weight.place
    tensor = _make_tensor(name, weight, inline=inline)
    if weight.place:
        _refer(tensor, *weight.place, weight.size)
    elif not inline:
        file.write(bytes(-file.tell() % _ALIGNMENT))
        _refer(tensor, data, file.tell(), weight.size)
        file.write(weight.array().reshape(-1).view(np.uint8).data)
    return tensor


def _make_tensor(name: str, weight: Weight, *, inline: bool) -> TensorProto:
    kind = (TensorProto.INT4 if weight.nibbles
            else helper.np_dtype_to_tensor_dtype(weight.dtype))
    tensor = TensorProto(name=name, data_type=kind, dims=weight.shape)
    if inline:
        tensor.raw_data = weight.array().tobytes()
    return tensor


def _refer(tensor: TensorProto, location: str, offset: int, length: int) -> None:
    tensor.raw_data = b'\0'  # set_external_data asks for a value
    set_external_data(tensor, location, offset=offset, length=length)
    tensor.ClearField('raw_data')


def _value_info(name: str, dtype: Any, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), list(shape))
