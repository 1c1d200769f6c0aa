"""
What the runtime on TensorRT needs of a GPU: memory at fixed addresses, copies, recorded work.

Only a vocabulary: runtimes.cuda speaks to a GPU, a test may speak to the host's own memory. All
copies and works are queued in order; ``wait`` ends when they are done.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

__all__ = ['Boxes', 'DeviceMemory']


@dataclass(frozen=True, kw_only=True)
class Boxes:
    """
    Pieces of an array that lie alike in each of its blocks: ``blocks`` times ``rows`` of them.

    Rows begin ``row_bytes`` after each other, blocks ``rows_per_block`` such rows.
    """

    blocks: int
    rows: int
    row_bytes: int
    rows_per_block: int
    """Of the whole block, of which ``rows`` are meant."""
    length: int
    """Bytes of each piece."""


class DeviceMemory(Protocol):
    """Memory of a device and the queue of what is done with it."""

    queue: int
    """Handle of the queue, for those who put work into it."""

    def allocate(self, size: int) -> int:
        """Return the address of so many zeroed bytes; ResourceError where there is no room."""
        ...

    def allocate_host(self, size: int) -> np.ndarray:
        """Return zeroed bytes [size] uint8 of the host that the device reads by itself."""
        ...

    def free(self) -> None:
        """Give back all that was allocated; recorded works must not be run again."""
        ...

    def to_device(self, address: int, host: np.ndarray) -> None:
        """Copy an array of allocate_host, or the front of one, to the device."""
        ...

    def to_host(self, host: np.ndarray, address: int) -> None:
        """Copy from the device into an array of allocate_host, or the front of one."""
        ...

    def copy(self, target: int, source: int, boxes: Boxes) -> None:
        """Copy boxes within an array on the device; both addresses are those of the first."""
        ...

    def zero(self, address: int, size: int) -> None:
        """Zero so many bytes."""
        ...

    def record(self, work: Callable[[], None]) -> Callable[[], None]:
        """Return what does again, at once, all that ``work`` puts into the queue."""
        ...

    def wait(self) -> None:
        """Return when all that was queued is done."""
        ...
