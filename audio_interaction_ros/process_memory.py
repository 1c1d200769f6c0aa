"""
How a process gets memory from the system and gives it back, where its C library is glibc.

Left to itself glibc gives each thread that allocates a heap of its own, and keeps there what is
freed. A model is loaded in one thread and used in others, and a second pass takes much for a
moment, so more than a hundred MiB lay about that nobody used. Elsewhere nothing is done.

Pages of a mapped file stay in the memory of a process once they were read, whether they are needed
again or not; they too can be given back.
"""

import contextlib
import ctypes
import mmap
import os
import platform
from pathlib import Path

__all__ = ['give_back_freed', 'give_back_pages', 'keep_memory_small']

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


def give_back_freed() -> None:
    """Give back what is free in the heap; worth it after a model was loaded, not after a pass."""
    if platform.libc_ver()[0] == 'glibc':
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL('libc.so.6').malloc_trim(0)


def give_back_pages(path: Path) -> None:
    """
    Give back the pages of a file that are mapped into this process; Linux only.

    Who reads one again gets it from the file again. So it must not have been written to through
    its mapping.
    """
    with contextlib.suppress(OSError, AttributeError):
        libc, name = ctypes.CDLL(None), os.path.realpath(path)
        for line in Path('/proc/self/maps').read_text(encoding='utf-8').splitlines():
            span, _, _, _, _, *mapped = line.split(maxsplit=5)
            if mapped == [name]:
                first, last = (int(address, 16) for address in span.split('-'))
                libc.madvise(ctypes.c_void_p(first), ctypes.c_size_t(last - first),
                             mmap.MADV_DONTNEED)
