"""
Writes an ONNX graph node by node.

Owns names, initializers, the kind of numbers in products, and the file format (weights beside the
graph, in one raw file). Knows nothing of any network. Opset 18, which TensorRT 10.3 reads, or 24,
whose operators for language models newer ones take whole; those that are spelt out here (GELU,
RMSNorm) are fused again by ONNX Runtime.
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

from audio_interaction_ros.graphs.quantise import (
    BLOCKS,
    COLUMN_BLOCK,
    quantise,
    quantise_columns,
    quantise_rows,
)

__all__ = ['OPSET', 'OPSET_OF_CACHES', 'Array', 'GraphBuilder']

OPSET = 18
OPSET_OF_CACHES = 24
"""The first with TensorScatter, which writes into a cache."""
_IR_VERSIONS = {OPSET: 10, OPSET_OF_CACHES: 12}
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
    nibbles: bool = False
    """Whole numbers from -8 to 7, two in a byte, the first below."""

    @property
    def size(self) -> int:
        count = self.dtype.itemsize * int(np.prod(self.shape, dtype=np.int64))
        return count // 2 if self.nibbles else count

    @property
    def kind(self) -> int:
        return (TensorProto.INT4 if self.nibbles
                else helper.np_dtype_to_tensor_dtype(self.dtype))

    def array(self) -> np.ndarray:
        array = np.ascontiguousarray(self.make()).reshape(self.shape)
        assert array.dtype == self.dtype
        if self.nibbles:
            both = array.reshape(-1, 2).view(np.uint8) & 15
            array = both[:, 0] | both[:, 1] << 4
        return array


class _CodesAndScales:
    # They come together and are written one after the other.
    def __init__(self, make: Callable[[Array], tuple[np.ndarray, np.ndarray]],
                 parts: Sequence[Array], *, axis: int = 0) -> None:
        self._make, self._parts, self._axis = make, parts, axis
        self._scales: np.ndarray | None = None

    def codes(self) -> np.ndarray:
        codes, self._scales = (np.concatenate(arrays, self._axis) for arrays in
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

    def __init__(self, name: str, *, bits: int | None = None, half: bool = False,
                 opset: int = OPSET, block: int | None = None) -> None:
        """
        Begin a graph.

        With ``bits`` (8 or 4) the weights of ``linear`` are quantised to so many; opset 24 knows
        4. ``block`` of them have a scale, a power of two (None: as BLOCKS says). With ``half``
        products are of float16: ``narrow`` what goes into one, and ``wide`` what comes out where
        it is added to a sum that goes through all layers.
        """
        self.name = name
        self.bits = bits
        self.block = block or (BLOCKS[bits] if bits else 0)
        self.half = half
        self.opset = opset
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

    def constant(self, name: str, array: Array, *, dtype: Any = None,
                 place: tuple[str, int] | None = None) -> str:
        """
        Return the initializer ``name``, of another dtype where one is named.

        The array must not change before it is written. It is not written where ``place`` says
        which other file of the folder holds its bytes, and where in that file.
        """
        dtype = np.dtype(dtype or array.dtype)
        return self._add_weight(name, dtype, array.shape, lambda: np.asarray(array).astype(
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

    @property
    def dtype(self) -> np.dtype:
        """What numbers products are of."""
        return np.dtype(np.float16 if self.half else np.float32)

    def narrow(self, x: str) -> str:
        """Return x, float32, in the numbers of products."""
        return self.node('Cast', x, to=TensorProto.FLOAT16) if self.half else x

    def wide(self, x: str) -> str:
        """Return x, in the numbers of products, in float32."""
        return self.node('Cast', x, to=TensorProto.FLOAT) if self.half else x

    def linear(self, x: str, weight: Array | Sequence[Array],
               bias: np.ndarray | None = None, *, name: str, exact: bool = False) -> str:
        """
        Return x [..., in] times a weight [out, in], plus a bias, in the numbers of products.

        Several weights are stacked along ``out``: one pass over x serves all of them. With
        ``exact``, all is in float32, whatever the builder was told.
        """
        parts = _parts(weight)
        columns, rows = parts[0].shape[1], sum(len(part) for part in parts)
        dtype = np.dtype(np.float32) if exact else self.dtype
        if self.bits and not exact and self.opset >= OPSET_OF_CACHES:
            out = self.node('MatMul', x, self._blocks(parts, name))
        elif self.bits and not exact:
            block = self.block
            made = _CodesAndScales(partial(quantise, bits=self.bits, block=block), parts)
            blocks = -(-columns // block)
            codes = self._add_weight(f'{name}.codes', np.dtype(np.uint8),
                                     (rows, blocks, block * self.bits // 8), made.codes)
            scales = self._add_weight(f'{name}.scales', np.dtype(np.float32), (rows, blocks),
                                      made.scales)
            out = self.node('MatMulNBits', x, codes, scales, domain=_CONTRIB, K=columns,
                            N=rows, bits=self.bits, block_size=block, accuracy_level=4)
        else:
            out = self.node('MatMul', x, self._add_weight(
                f'{name}.weight', dtype, (columns, rows), lambda: np.concatenate(
                    [np.asarray(part).T for part in parts], axis=1, dtype=dtype)))
        if bias is None:
            return out
        return self.node('Add', out, self.constant(f'{name}.bias', bias.astype(dtype)))

    def _blocks(self, parts: Sequence[Array], name: str) -> str:
        """Return weights [in, out] that the graph makes of codes of 4 bits."""
        if self.bits != 4:
            raise ValueError(f'expected 4 bits with opset {self.opset}, found {self.bits}')
        columns, rows = parts[0].shape[1], sum(len(part) for part in parts)
        made = _CodesAndScales(quantise_columns, parts, axis=1)
        codes = self._add_weight(f'{name}.codes', np.dtype(np.int8), (columns, rows), made.codes,
                                 nibbles=True)
        scales = self._add_weight(f'{name}.scales', self.dtype, (columns // COLUMN_BLOCK, rows),
                                  lambda: made.scales().astype(self.dtype))
        return self.node('DequantizeLinear', codes, scales, axis=0, block_size=COLUMN_BLOCK)

    def integer_linear(self, x: str, weight: Array | Sequence[Array],
                       bias: np.ndarray | None = None, *, name: str) -> str:
        """
        Do as ``linear`` in a product of integers: weights of 7 bits, x of 8, a scale per position.

        Faster than full precision where many positions are computed at once.
        """
        parts = _parts(weight)
        columns, rows = parts[0].shape[1], sum(len(part) for part in parts)
        made = _CodesAndScales(quantise_rows, parts)
        codes = self._add_weight(f'{name}.codes', np.dtype(np.int8), (columns, rows),
                                 lambda: made.codes().T)
        scales = self._add_weight(f'{name}.scales', np.dtype(np.float32), (rows,), made.scales)
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

    def gelu(self, x: str, dtype: Any = np.float32) -> str:
        """Return GELU of x, which is of this dtype, in its exact form."""
        root, one, half = (self.scalar(value, dtype) for value in (np.sqrt(2.0), 1.0, 0.5))
        erf = self.node('Erf', self.node('Div', x, root))
        return self.node('Mul', self.node('Mul', x, self.node('Add', erf, one)), half)

    def silu(self, x: str) -> str:
        """Return x times its sigmoid."""
        return self.node('Mul', x, self.node('Sigmoid', x))

    def reshape(self, x: str, shape: Sequence[int]) -> str:
        """Reshape x; 0 keeps the size of that axis, one -1 is what remains."""
        return self.node('Reshape', x, self.scalar(list(shape), np.int64))

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
            for name, weight in self._weights.items():
                inline = weight.size < _INLINE and not weight.place
                tensor = _make_tensor(name, weight, inline=inline)
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

    def _add_weight(self, name: str, dtype: np.dtype, shape: tuple[int, ...],
                    make: Callable[[], np.ndarray], *, place: tuple[str, int] | None = None,
                    nibbles: bool = False) -> str:
        if name in self._weights:
            raise ValueError(f'expected every constant to have a name of its own, found {name!r} '
                             'twice')
        self._weights[name] = _Weight(np.dtype(dtype), tuple(shape), make, place, nibbles)
        return name

    def _make_model(self, metadata: Mapping[str, str]) -> onnx.ModelProto:
        # Without initializers.
        graph = helper.make_graph(self._nodes, self.name, self._inputs, self._outputs)
        opsets = [helper.make_opsetid('', self.opset)]
        if any(node.domain == _CONTRIB for node in self._nodes):
            opsets.append(helper.make_opsetid(_CONTRIB, 1))
        model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSIONS[self.opset],
                                  producer_name='audio_interaction_ros')
        helper.set_model_props(model, dict(metadata))
        return model


def _make_tensor(name: str, weight: _Weight, *, inline: bool) -> TensorProto:
    tensor = TensorProto(name=name, data_type=weight.kind, dims=weight.shape)
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
