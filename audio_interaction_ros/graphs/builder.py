"""
Writes an ONNX graph node by node.

Owns names, initializers and the file format (weights beside the graph, in one raw file). Knows
nothing of any network. Opset 18, which TensorRT 10.3 reads; operators that are spelt out here
(GELU, RMSNorm) are fused again by ONNX Runtime.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, overload

import numpy as np
import onnx
from onnx import TensorProto, helper
from onnx.external_data_helper import set_external_data

from audio_interaction_ros.graphs.quantise import BLOCK, quantise, quantise_rows

__all__ = ['OPSET', 'Array', 'GraphBuilder']

OPSET = 18
_IR_VERSION = 10
_CONTRIB = 'com.microsoft'
_ALIGNMENT = 4096
"""Of weights in the data file, so that a reader may map them."""
_INLINE = 1024
"""Initializers of fewer bytes stay in the graph, where shape inference sees them."""


class Array(Protocol):
    """An array, or what becomes one when numpy asks for its numbers: one that is in a file."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the numbers."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Length of every axis."""
        ...

    def __len__(self) -> int: ...

    def __array__(self) -> np.ndarray: ...


@dataclass(frozen=True)
class _Weight:
    # Made when it is written, so that a copy of all weights, transposed or in few bits, never
    # exists.
    dtype: np.dtype
    shape: tuple[int, ...]
    make: Callable[[], np.ndarray]
    place: tuple[str, int] | None = None
    """Name of another file that holds it, and where in that file it begins."""

    @property
    def size(self) -> int:
        return self.dtype.itemsize * int(np.prod(self.shape, dtype=np.int64))

    def array(self) -> np.ndarray:
        array = np.ascontiguousarray(self.make()).reshape(self.shape)
        assert array.dtype == self.dtype
        return array


class _CodesAndScales:
    # They come together and are written one after the other.
    def __init__(self, make: Callable[[Array], tuple[np.ndarray, np.ndarray]],
                 parts: Sequence[Array]) -> None:
        self._make, self._parts = make, parts
        self._scales: np.ndarray | None = None

    def codes(self) -> np.ndarray:
        codes, self._scales = (np.concatenate(arrays) for arrays in
                               zip(*map(self._make, self._parts), strict=True))
        return codes

    def scales(self) -> np.ndarray:
        if self._scales is None:
            self.codes()
        scales, self._scales = self._scales, None
        assert scales is not None
        return scales


class GraphBuilder:
    """Collects nodes in the order in which they are computed; every value is named by a str."""

    def __init__(self, name: str, *, bits: int | None = None) -> None:
        """With ``bits`` (8 or 4) the weights of ``linear`` are quantised to so many."""
        self.name = name
        self.bits = bits
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._weights: dict[str, _Weight] = {}
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

    def constant(self, name: str, array: Array, *, place: tuple[str, int] | None = None) -> str:
        """
        Return the initializer ``name``; the array must not change before it is written.

        It is not written where ``place`` says which other file of the folder holds its bytes, and
        where in that file.
        """
        return self._weight(name, array.dtype, array.shape, lambda: np.asarray(array), place)

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

    def linear(self, x: str, weight: Array | Sequence[Array],
               bias: np.ndarray | None = None, *, name: str) -> str:
        """
        Return x [..., in] times a weight [out, in], plus a bias.

        Several weights are stacked along ``out``: one pass over x serves all of them.
        """
        parts = _parts(weight)
        columns, rows = parts[0].shape[1], sum(len(part) for part in parts)
        if self.bits:
            made = _CodesAndScales(partial(quantise, bits=self.bits), parts)
            blocks = -(-columns // BLOCK)
            codes = self._weight(f'{name}.codes', np.dtype(np.uint8),
                                 (rows, blocks, BLOCK * self.bits // 8), made.codes)
            scales = self._weight(f'{name}.scales', np.dtype(np.float32), (rows, blocks),
                                  made.scales)
            out = self.node('MatMulNBits', x, codes, scales, domain=_CONTRIB, K=columns,
                            N=rows, bits=self.bits, block_size=BLOCK, accuracy_level=4)
        else:
            out = self.node('MatMul', x, self._weight(
                f'{name}.weight', parts[0].dtype, (columns, rows),
                lambda: np.concatenate([np.asarray(part).T for part in parts], axis=1)))
        if bias is None:
            return out
        return self.node('Add', out, self.constant(f'{name}.bias', bias))

    def integer_linear(self, x: str, weight: Array | Sequence[Array],
                       bias: np.ndarray | None = None, *, name: str) -> str:
        """
        Do as ``linear`` in a product of integers: weights of 7 bits, x of 8, a scale per position.

        Faster than full precision where many positions are computed at once.
        """
        parts = _parts(weight)
        columns, rows = parts[0].shape[1], sum(len(part) for part in parts)
        made = _CodesAndScales(quantise_rows, parts)
        codes = self._weight(f'{name}.codes', np.dtype(np.int8), (columns, rows),
                             lambda: made.codes().T)
        scales = self._weight(f'{name}.scales', np.dtype(np.float32), (rows,), made.scales)
        largest = self.node('ReduceMax', self.node('Abs', x), self.scalar([-1], np.int64),
                            keepdims=1)
        scale = self.node('Max', self.node('Div', largest, self.scalar(127.0)),
                          self.scalar(1e-12))
        zero = self.scalar(128, np.uint8)
        quantised = self.node('QuantizeLinear', self.node('Div', x, scale), self.scalar(1.0), zero)
        # The scales of positions follow by themselves: the operator takes one for all of x.
        out = self.node('MatMulIntegerToFloat', quantised, codes, self.scalar(1.0), scales, zero,
                        domain=_CONTRIB)
        out = self.node('Mul', out, scale)
        if bias is None:
            return out
        return self.node('Add', out, self.constant(f'{name}.bias', bias))

    def layer_norm(self, x: str, weight: Array, bias: Array, eps: float = 1e-5, *,
                   name: str) -> str:
        """Normalise the last axis of x to mean 0 and variance 1, scale and shift it."""
        return self.node('LayerNormalization', x, self.constant(f'{name}.weight', weight),
                         self.constant(f'{name}.bias', bias), axis=-1, epsilon=eps)

    def rms_norm(self, x: str, weight: Array, eps: float, *, name: str) -> str:
        """Scale the last axis of x to a root mean square of 1, then by the weight."""
        mean = self.node('ReduceMean', self.node('Pow', x, self.scalar(2.0)),
                         self.scalar([-1], np.int64), keepdims=1)
        root = self.node('Sqrt', self.node('Add', mean, self.scalar(eps)))
        return self.node('Mul', self.node('Div', x, root),
                         self.constant(f'{name}.weight', weight))

    def gelu(self, x: str) -> str:
        """Return GELU in its exact form."""
        erf = self.node('Erf', self.node('Div', x, self.scalar(np.sqrt(2.0))))
        return self.node('Mul', self.node('Mul', x, self.node('Add', erf, self.scalar(1.0))),
                         self.scalar(0.5))

    def silu(self, x: str) -> str:
        """Return x times its sigmoid."""
        return self.node('Mul', x, self.node('Sigmoid', x))

    def reshape(self, x: str, shape: Sequence[int]) -> str:
        """Reshape x; 0 keeps the size of that axis, one -1 is what remains."""
        return self.node('Reshape', x, self.scalar(list(shape), np.int64))

    def finish(self, *, metadata: Mapping[str, str] | None = None) -> onnx.ModelProto:
        """Return the graph with all weights inside it: for tests and for what is small."""
        model = self._model(metadata or {})
        for name, weight in self._weights.items():
            model.graph.initializer.append(_tensor(name, weight, inline=True))
        return model

    def save(self, path: Path, *, metadata: Mapping[str, str] | None = None) -> None:
        """Write the graph to ``path`` and its weights, one at a time, to ``<path>.data``."""
        model = self._model(metadata or {})
        data = path.with_name(f'{path.name}.data')
        with data.open('wb') as file:
            for name, weight in self._weights.items():
                inline = weight.size < _INLINE and not weight.place
                tensor = _tensor(name, weight, inline=inline)
                if weight.place:
                    _refer(tensor, *weight.place, weight.size)
                elif not inline:
                    file.write(bytes(-file.tell() % _ALIGNMENT))
                    _refer(tensor, data.name, file.tell(), weight.size)
                    file.write(weight.array().reshape(-1).view(np.uint8).data)
                model.graph.initializer.append(tensor)
        if not data.stat().st_size:
            data.unlink()  # all of it is in the graph or elsewhere
        path.write_bytes(model.SerializeToString())

    def _append(self, op: str, inputs: Sequence[str], outputs: Sequence[str], domain: str,
                attributes: Mapping[str, Any]) -> Sequence[str]:
        self._nodes.append(helper.make_node(op, inputs, outputs, name=outputs[0],
                                            domain=domain or None, **attributes))
        return outputs

    def _weight(self, name: str, dtype: np.dtype, shape: tuple[int, ...],
                make: Callable[[], np.ndarray], place: tuple[str, int] | None = None) -> str:
        if name in self._weights:
            raise ValueError(f'expected every constant to have a name of its own, found {name!r} '
                             'twice')
        self._weights[name] = _Weight(np.dtype(dtype), tuple(shape), make, place)
        return name

    def _model(self, metadata: Mapping[str, str]) -> onnx.ModelProto:
        # Without initializers.
        graph = helper.make_graph(self._nodes, self.name, self._inputs, self._outputs)
        opsets = [helper.make_opsetid('', OPSET)]
        if any(node.domain == _CONTRIB for node in self._nodes):
            opsets.append(helper.make_opsetid(_CONTRIB, 1))
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION,
                                  producer_name='audio_interaction_ros')
        helper.set_model_props(model, dict(metadata))
        return model


def _tensor(name: str, weight: _Weight, *, inline: bool) -> TensorProto:
    tensor = TensorProto(name=name, data_type=helper.np_dtype_to_tensor_dtype(weight.dtype),
                         dims=weight.shape)
    if inline:
        tensor.raw_data = weight.array().tobytes()
    return tensor


def _refer(tensor: TensorProto, location: str, offset: int, length: int) -> None:
    tensor.raw_data = b'\0'  # set_external_data asks for a value
    set_external_data(tensor, location, offset=offset, length=length)
    tensor.ClearField('raw_data')


def _parts(weight: Array | Sequence[Array]) -> list[Array]:
    return list(weight) if isinstance(weight, list | tuple) else [weight]  # type: ignore[list-item]


def _value_info(name: str, dtype: Any, shape: Sequence[int | str]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(np.dtype(dtype)), list(shape))
