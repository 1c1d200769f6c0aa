"""
Sessions of ONNX Runtime as this package wants them, and arrays that they read and write in place.

Owns threads and the check that a graph is what its reader expects. Knows no network.
"""

import contextlib
import ctypes
import mmap
import platform
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.process_memory import give_back_pages

__all__ = ['ALIGNMENT', 'bind_input', 'bind_output', 'cache_dtype', 'make_aligned', 'make_tidy',
           'open_session']

ALIGNMENT = 64
"""Bytes, of arrays that a session reads and writes in place."""
_LARGE = 4 * 2 ** 20
"""Bytes from which numpy asks for large pages."""
_FLUSH_TO_ZERO, _DENORMALS_ARE_ZERO = 0x8000, 0x0040


def open_session(graph: Path, *, threads: int | None = None, expected: Mapping[str, str] = {},
                 remedy: str = '') -> ort.InferenceSession:
    """
    Load a graph for the CPU; its weights are mapped from the file beside it.

    ``expected`` must be what the graph's metadata say; CheckpointError names what differs and
    ends with ``remedy``. Threads never spin: beside other programs they would wait for each other.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.inter_op_num_threads = 1
    _share_memory()
    options.add_session_config_entry('session.use_env_allocators', '1')
    options.execution_mode = ort.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = 3  # errors
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')
    options.add_session_config_entry('session.inter_op.allow_spinning', '0')
    # For its own threads; it tells the calling one only once in a process.
    options.add_session_config_entry('session.set_denormal_as_zero', '1')
    _flush_denormals()
    try:
        session = ort.InferenceSession(str(graph), options, providers=['CPUExecutionProvider'])
    except Exception as error:  # its kinds have no common base
        raise CheckpointError(f'{graph}: ONNX Runtime {ort.__version__} cannot load it '
                              f'({str(error).splitlines()[0]}); {remedy}') from error
    metadata = session.get_modelmeta().custom_metadata_map
    for key, value in expected.items():
        if metadata.get(key) != value:
            raise CheckpointError(f'{graph}: expected {key} {value!r}, found '
                                  f'{metadata.get(key)!r}; '
                                  f'{remedy}')
    # Most weights were laid out anew. ONNX Runtime keeps the scales of those in 8 bits mapped
    # besides, though it never reads them again: a tenth of the file.
    give_back_pages(graph.with_name(f'{graph.name}.data'))
    return session


def make_tidy() -> ort.RunOptions:
    """Return options for a run that is rare and takes much room, which is given back after it."""
    options = ort.RunOptions()
    options.add_run_config_entry('memory.enable_memory_arena_shrinkage', 'cpu:0')
    return options


@lru_cache(maxsize=1)
def _share_memory() -> None:
    """Let all sessions of this process take their room from one place, no more than they need."""
    room = ort.OrtMemoryInfo('Cpu', ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0,
                             ort.OrtMemType.DEFAULT)
    as_requested = ort.OrtArenaCfg({
        'max_mem': 0, 'arena_extend_strategy': 1, 'initial_chunk_size_bytes': -1,
        'max_dead_bytes_per_chunk': -1})
    ort.create_and_register_allocator(room, as_requested)


def cache_dtype(step: ort.InferenceSession) -> np.dtype:
    """Return the dtype of the keys and values that a decoder's step takes."""
    kind, = (value.type for value in step.get_inputs() if value.name == 'past_keys_0')
    return np.dtype(np.float16 if kind == 'tensor(float16)' else np.float32)


def _flush_denormals() -> None:
    """
    Let this thread, which opens a session and will run it, take denormal numbers as zero.

    The softmax gives what is masked 4e-39 instead of 0, and many processors take far longer for
    products with such numbers: on a Xeon with AVX-512 a lane that sees little of its cache cost a
    quarter more (python -m bench constant). Where it cannot be done (another C library, another
    processor) nothing but that time is lost.
    """
    if platform.machine() != 'x86_64' or platform.libc_ver()[0] != 'glibc':
        return
    for kind in (np.float32, np.float64):
        np.finfo(kind)  # looks for the smallest number once, and warns where there is none
    environment = (ctypes.c_uint32 * 8)()  # fenv_t; the last word is MXCSR
    libm = ctypes.CDLL('libm.so.6')
    if libm.fegetenv(environment) == 0:
        environment[7] |= _FLUSH_TO_ZERO | _DENORMALS_ARE_ZERO
        libm.fesetenv(environment)


def make_aligned(shape: tuple[int, ...], dtype: Any = np.float32) -> np.ndarray:
    """
    Return zeros that begin where vector instructions like it; MemoryError where there is no room.

    Large ones come in small pages: of a cache, lanes that keep little never touch the rest, and
    numpy's pages of 2 MiB would make all of it resident. A step takes the same time with either.
    """
    size = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
    raw = (_map_small_pages if size >= _LARGE else np.zeros)(size + ALIGNMENT, np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start:start + size].view(dtype).reshape(shape)


def _map_small_pages(size: int, dtype: Any) -> np.ndarray:
    try:
        pages = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except (OSError, OverflowError) as error:
        raise MemoryError(f'no memory for {size / 1e6:.0f} MB') from error
    with contextlib.suppress(AttributeError, OSError):  # another system
        pages.madvise(mmap.MADV_NOHUGEPAGE)
    return np.frombuffer(pages, dtype)


def bind_input(binding: ort.IOBinding, name: str, array: np.ndarray) -> None:
    """Let a run read ``array`` where it lies; the caller keeps it alive."""
    assert array.flags.c_contiguous
    binding.bind_input(name, 'cpu', 0, array.dtype, array.shape, array.ctypes.data)


def bind_output(binding: ort.IOBinding, name: str, array: np.ndarray) -> None:
    """Let a run write into ``array``; the caller keeps it alive."""
    assert array.flags.c_contiguous
    binding.bind_output(name, 'cpu', 0, array.dtype, array.shape, array.ctypes.data)
