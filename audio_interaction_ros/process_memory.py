"""
How a process gets memory from the system and gives it back, where its C library is glibc.

Left to itself glibc gives each thread that allocates a heap of its own, and keeps there what is
freed. A model is loaded in one thread and used in others, and a second pass takes much for a
moment, so more than a hundred MiB lay about that nobody used. Elsewhere nothing is done.
"""

import contextlib
import ctypes
import os
import platform

__all__ = ['keep_memory_small']

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # of malloc.h
_LARGE = 2 ** 20
"""Bytes: what is larger comes from the system and goes back there at once."""
_CHOSEN_BY = ('GLIBC_TUNABLES', 'MALLOC_ARENA_MAX', 'MALLOC_MMAP_THRESHOLD_',
              'MALLOC_TRIM_THRESHOLD_')


def keep_memory_small() -> None:
    """
    Let all threads of this process share one heap, and large pieces go back to the system.

    To be called first of all; does nothing where the environment chose otherwise.
    """
    if platform.libc_ver()[0] != 'glibc' or any(map(os.environ.get, _CHOSEN_BY)):
        return
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL('libc.so.6')
        for option, value in (
                (_ARENA_MAX, 1), (_MMAP_THRESHOLD, _LARGE), (_TRIM_THRESHOLD, _LARGE)):
            libc.mallopt(option, value)
