"""
A table of numbers in a file, of which only the rows that are asked for come into memory.

A mapped table would grow in memory with every row that was ever used, and sixteen pages at a time:
after some hours a vocabulary is all there, 54 MiB of the edge model's.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

__all__ = ['RowFile', 'Rows']


class Rows(Protocol):
    """An array [rows, width], or what is looked up like one."""

    def __getitem__(self, ids: Any, /) -> Any:
        """Return rows [..., width] of ids [...]."""
        ...


class RowFile:
    """The rows of an array [rows, width] that numpy saved; for any thread."""

    def __init__(self, path: Path) -> None:
        """Read the head of the file; raises what np.load does."""
        table = np.load(path, mmap_mode='r')
        self.shape, self.dtype = table.shape, table.dtype
        self._begin, self._size = table.offset, self.shape[1] * self.dtype.itemsize
        self._file = path.open('rb', buffering=0)

    def __getitem__(self, ids: np.ndarray | Sequence[int]) -> np.ndarray:
        """Return rows [..., width] of ids [...]; IndexError for one that the table has not."""
        wanted = np.asarray(ids)
        if wanted.size and not 0 <= wanted.min() <= wanted.max() < self.shape[0]:
            raise IndexError(f'expected rows 0 to {self.shape[0] - 1}, found {wanted.min()} to '
                             f'{wanted.max()}')
        rows = np.empty((wanted.size, self.shape[1]), self.dtype)
        raw = rows.view(np.uint8)
        for place, row in enumerate(wanted.ravel().tolist()):
            read = os.preadv(self._file.fileno(), [raw[place]], self._begin + row * self._size)
            if read != self._size:
                raise OSError(f'{self._file.name}: expected {self._size} bytes of row {row}, '
                              f'found {read}')
        return rows.reshape(*wanted.shape, self.shape[1])
