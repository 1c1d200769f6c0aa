"""
Weights on their way into a graph: each is made when it is written.

So a copy of all weights, transposed or in few bits, never exists. Knows no file format.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

__all__ = ['Array', 'CodesAndScales', 'Weight', 'list_parts']


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
class Weight:
    """What an initializer will hold."""

    dtype: np.dtype
    shape: tuple[int, ...]
    make: Callable[[], np.ndarray]
    place: tuple[str, int] | None = None
    """Name of another file that holds it, and where in that file it begins."""
    nibbles: bool = False
    """Whole numbers from -8 to 7, two in a byte, the first below."""

    @property
    def size(self) -> int:
        """Its bytes."""
        count = self.dtype.itemsize * int(np.prod(self.shape, dtype=np.int64))
        return count // 2 if self.nibbles else count

    def array(self) -> np.ndarray:
        """Make its numbers, or its bytes where two of them share one."""
        array = np.ascontiguousarray(self.make()).reshape(self.shape)
        assert array.dtype == self.dtype
        if self.nibbles:
            both = array.reshape(-1, 2).view(np.uint8) & 15
            array = both[:, 0] | both[:, 1] << 4
        return array


class CodesAndScales:
    """Quantised weights: both come together, and are written one after the other."""

    def __init__(self, make: Callable[[Array], tuple[np.ndarray, np.ndarray]],
                 parts: Sequence[Array], *, axis: int = 0) -> None:
        self._make, self._parts, self._axis = make, parts, axis
        self._scales: np.ndarray | None = None

    def codes(self) -> np.ndarray:
        """Make both, and return the codes."""
        codes, self._scales = (np.concatenate(arrays, self._axis) for arrays in
                               zip(*map(self._make, self._parts), strict=True))
        return codes

    def scales(self) -> np.ndarray:
        """Return the scales, once for each time that codes were made."""
        if self._scales is None:
            self.codes()
        scales, self._scales = self._scales, None
        assert scales is not None
        return scales


def list_parts(weight: Array | Sequence[Array]) -> list[Array]:
    """Return one weight, or several that are stacked, as a list."""
    return list(weight) if isinstance(weight, list | tuple) else [weight]  # type: ignore[list-item]
