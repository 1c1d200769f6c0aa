"""
Weights in 8 or 4 bits: blocks along the input, symmetric, one float32 scale each.

The form is that of com.microsoft.MatMulNBits. A second form serves products of integers, where
many positions meet a weight at once. Knows numpy only.
"""

import numpy as np
import numpy.typing as npt

__all__ = ['BLOCKS', 'COLUMN_BLOCK', 'dequantise', 'quantise', 'quantise_columns',
           'quantise_rows']

BLOCKS = {8: 64, 4: 32}
"""Bits to how many weights share a scale. With 8 bits 64 are as good as 32 (docs/export.md) and,
on the one processor that was tried, took a tenth less memory and time (docs/benchmarks.md)."""
_ROWS = 4096
"""Of a weight that are quantised at a time; what is computed on the way takes five times that."""
COLUMN_BLOCK = 64
"""The same for quantise_columns: the fewest that TensorRT takes."""


def quantise(weight: npt.ArrayLike, bits: int,
             block: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """
    Return weight [out, in] as codes [out, blocks, bytes] uint8 and scales [out, blocks] float32.

    A code stands for (code - half) * scale with half = 2 ** (bits - 1). The weight of a block that
    is furthest from zero becomes code 0 exactly, so the scale carries its sign and no code is
    wasted. Two codes of 4 bits share a byte, the first below. ``block`` is how many weights have
    a scale; None: as BLOCKS says.
    """
    if bits not in (4, 8):
        raise ValueError(f'expected 4 or 8 bits, found {bits}')
    array, block = np.asarray(weight), block or BLOCKS[bits]
    blocks = -(-array.shape[1] // block)
    codes = np.empty((len(array), blocks, block * bits // 8), np.uint8)
    scales = np.empty((len(array), blocks), np.float32)
    for first in range(0, len(array), _ROWS):
        part = slice(first, first + _ROWS)
        codes[part], scales[part] = _quantise_part(array[part], bits, block)
    return codes, scales


def _quantise_part(weight: np.ndarray, bits: int, block: int) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = weight.shape
    blocks = -(-columns // block)
    filled = np.zeros((rows, blocks * block), np.float32)
    filled[:, :columns] = weight
    padded = filled.reshape(rows, blocks, block)
    half = 1 << (bits - 1)
    furthest = np.take_along_axis(padded, np.abs(padded).argmax(axis=2)[..., None], axis=2)
    scales = furthest / np.float32(-half)
    inverse = np.divide(1, scales, out=np.zeros_like(scales), where=scales != 0)
    codes = np.clip(np.rint(padded * inverse) + half, 0, 2 * half - 1).astype(np.uint8)
    if bits == 4:
        codes = codes[..., 0::2] | codes[..., 1::2] << 4
    return codes, scales[..., 0]


def dequantise(codes: np.ndarray, scales: np.ndarray, bits: int, columns: int) -> np.ndarray:
    """Return the weight [out, columns] float32 that quantise's result stands for."""
    if bits == 4:
        codes = np.stack((codes & 15, codes >> 4), axis=-1).reshape(*codes.shape[:2], BLOCKS[4])
    weight = (codes.astype(np.float32) - (1 << (bits - 1))) * scales[..., None]
    return weight.reshape(len(codes), -1)[:, :columns]


def quantise_rows(weight: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """
    Return weight [out, in] as codes [out, in] int8 from -63 to 63, and scales [out] float32.

    Seven bits: without VNNI a CPU adds two products with 8-bit activations in 16 bits, and larger
    weights would not fit.
    """
    weight = np.asarray(weight, np.float32)
    largest = np.abs(weight).max(axis=1, keepdims=True)
    scales = np.where(largest > 0, largest, np.float32(1)) / np.float32(63)
    return np.rint(weight / scales).astype(np.int8), scales[:, 0]


def quantise_columns(weight: npt.ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """
    Return weight [out, in] as codes [in, out] int8 from -8 to 7, and scales [blocks, out] float32.

    The form of DequantizeLinear, which TensorRT reads: blocks of 64 along the input. The scale
    carries the sign of the weight that is furthest from zero, as in quantise.
    """
    array = np.asarray(weight, np.float32)
    rows, columns = array.shape
    if columns % COLUMN_BLOCK:
        raise ValueError(f'expected a multiple of {COLUMN_BLOCK} inputs, found {columns}')
    blocks = array.reshape(rows, -1, COLUMN_BLOCK)
    furthest = np.take_along_axis(blocks, np.abs(blocks).argmax(axis=2)[..., None], axis=2)
    scales = furthest / np.float32(-8)
    inverse = np.divide(1, scales, out=np.zeros_like(scales), where=scales != 0)
    codes = np.clip(np.rint(blocks * inverse), -8, 7).astype(np.int8)
    return (np.ascontiguousarray(codes.reshape(rows, columns).T),
            np.ascontiguousarray(scales[..., 0].T))
