"""
Writes a network into an ONNX graph: products in few bits or half precision, norms, activations.

Owns the kind of numbers in products. Knows nothing of any network. What is spelt out here (GELU,
RMSNorm) is fused again by ONNX Runtime.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from onnx import TensorProto

from audio_interaction_ros.graphs.graph_file import CONTRIB, OPSET, OPSET_OF_CACHES, GraphFile
from audio_interaction_ros.graphs.quantise import (
    BLOCKS,
    COLUMN_BLOCK,
    quantise,
    quantise_columns,
    quantise_rows,
)
from audio_interaction_ros.graphs.weights import Array, CodesAndScales, list_parts

__all__ = ['GraphBuilder']


class GraphBuilder(GraphFile):
    """A graph that knows products, norms and activations."""

    def __init__(self, name: str, *, bits: int | None = None, half: bool = False,
                 opset: int = OPSET, block: int | None = None) -> None:
        """
        Begin a graph.

        With ``bits`` (8 or 4) the weights of ``linear`` are quantised to so many; opset 24 knows
        4. ``block`` of them have a scale, a power of two (None: as BLOCKS says). With ``half``
        products are of float16: ``narrow`` what goes into one, and ``wide`` what comes out where
        it is added to a sum that goes through all layers.
        """
        super().__init__(name, opset=opset)
        self.bits = bits
        self.block = block or (BLOCKS[bits] if bits else 0)
        self.half = half

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
        parts = list_parts(weight)
        dtype = np.dtype(np.float32) if exact else self.dtype
        if not self.bits or exact:
            out = self._full_product(x, parts, dtype, name)
        elif self.opset >= OPSET_OF_CACHES:
            out = self.node('MatMul', x, self._blocks(parts, name))
        else:
            out = self._quantised_product(x, parts, self.bits, name)
        return self._add_bias(out, None if bias is None else bias.astype(dtype), name)

    def _full_product(self, x: str, parts: Sequence[Array], dtype: np.dtype, name: str) -> str:
        return self.node('MatMul', x, self.add_weight(
            f'{name}.weight', dtype, _shape_of(parts), lambda: np.concatenate(
                [np.asarray(part).T for part in parts], axis=1, dtype=dtype)))

    def _quantised_product(self, x: str, parts: Sequence[Array], bits: int, name: str) -> str:
        (columns, rows), block = _shape_of(parts), self.block
        made = CodesAndScales(partial(quantise, bits=bits, block=block), parts)
        blocks = -(-columns // block)
        codes = self.add_weight(f'{name}.codes', np.dtype(np.uint8),
                                (rows, blocks, block * bits // 8), made.codes)
        scales = self.add_weight(f'{name}.scales', np.dtype(np.float32), (rows, blocks),
                                 made.scales)
        return self.node('MatMulNBits', x, codes, scales, domain=CONTRIB, K=columns, N=rows,
                         bits=bits, block_size=block, accuracy_level=4)

    def _add_bias(self, out: str, bias: np.ndarray | None, name: str) -> str:
        if bias is None:
            return out
        return self.node('Add', out, self.constant(f'{name}.bias', bias))

    def _blocks(self, parts: Sequence[Array], name: str) -> str:
        """Return weights [in, out] that the graph makes of codes of 4 bits."""
        if self.bits != 4:
            raise ValueError(f'expected 4 bits with opset {self.opset}, found {self.bits}')
        columns, rows = _shape_of(parts)
        made = CodesAndScales(quantise_columns, parts, axis=1)
        codes = self.add_weight(f'{name}.codes', np.dtype(np.int8), (columns, rows), made.codes,
                                nibbles=True)
        scales = self.add_weight(f'{name}.scales', self.dtype, (columns // COLUMN_BLOCK, rows),
                                 lambda: made.scales().astype(self.dtype))
        return self.node('DequantizeLinear', codes, scales, axis=0, block_size=COLUMN_BLOCK)

    def integer_linear(self, x: str, weight: Array | Sequence[Array],
                       bias: np.ndarray | None = None, *, name: str) -> str:
        """
        Do as ``linear`` in a product of integers: weights of 7 bits, x of 8, a scale per position.

        Faster than full precision where many positions are computed at once.
        """
        parts = list_parts(weight)
        columns, rows = _shape_of(parts)
        made = CodesAndScales(quantise_rows, parts)
        codes = self.add_weight(f'{name}.codes', np.dtype(np.int8), (columns, rows),
                                lambda: made.codes().T)
        scales = self.add_weight(f'{name}.scales', np.dtype(np.float32), (rows,), made.scales)
        whole, scale = self._quantise_positions(x)
        # The scales of positions follow by themselves: the operator takes one for all of x.
        out = self.node('MatMulIntegerToFloat', whole, codes, self.scalar(1.0), scales,
                        self.scalar(128, np.uint8), domain=CONTRIB)
        return self._add_bias(self.node('Mul', out, scale), bias, name)

    def _quantise_positions(self, x: str) -> tuple[str, str]:
        """Return x in 8 bits around 128, and the scale of each position."""
        largest = self.node('ReduceMax', self.node('Abs', x), self.scalar([-1], np.int64),
                            keepdims=1)
        scale = self.node('Max', self.node('Div', largest, self.scalar(127.0)),
                          self.scalar(1e-12))
        zero = self.scalar(128, np.uint8)
        return self.node('QuantizeLinear', self.node('Div', x, scale), self.scalar(1.0),
                         zero), scale

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


def _shape_of(parts: Sequence[Array]) -> tuple[int, int]:
    """Return (columns, rows) of weights that are stacked."""
    return parts[0].shape[1], sum(len(part) for part in parts)
