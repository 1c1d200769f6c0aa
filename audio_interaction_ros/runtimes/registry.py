"""
Names of backends to running encoders and decoders.

The only place that knows all backends. Each is a module with a function ``load``, imported when it
is asked for, so that nobody needs a framework that is not used.
"""

import contextlib
import ctypes
import importlib
from collections.abc import Collection

from audio_interaction_ros.errors import ConfigurationError, MissingDependencyError
from audio_interaction_ros.runtimes.base import HALVES, Runtime

__all__ = ['RUNTIMES', 'load_runtime']

RUNTIMES = {'torch': 'audio_interaction_ros.runtimes.torch'}
"""Name of a backend to its module, which has ``load``."""
_INSTALL = {'torch': 'pip install torch (CPU wheels: see README)'}
"""How to get a framework, by the name of its module."""


def load_runtime(model: str, *, runtime: str = 'torch', device: str = 'cpu',
                 threads: int | None = None, dtype: str = 'auto',
                 rope_index_dtype: str = 'fp32',
                 halves: Collection[str] = HALVES) -> Runtime:
    """
    Load a model and bring it up on a backend.

    ``model`` is a folder, the name of a shipped model (``edge``) or a Hugging Face repository id.
    A process that runs one half asks for that one in ``halves`` and needs memory for no other.
    Raises ConfigurationError for an unknown backend, CheckpointError for bad weights and
    MissingDependencyError where the backend is not installed.
    """
    if runtime not in RUNTIMES:
        raise ConfigurationError(f'runtime: expected one of {", ".join(RUNTIMES)}, found '
                                 f'{runtime!r}; change model.runtime')
    if not halves or not set(halves) <= set(HALVES):
        raise ConfigurationError(f'halves: expected some of {", ".join(HALVES)}, found '
                                 f'{sorted(halves)}; the caller must correct it')
    try:
        backend = importlib.import_module(RUNTIMES[runtime])
    except ModuleNotFoundError as error:
        if error.name not in _INSTALL:
            raise
        raise MissingDependencyError(f'runtime {runtime!r} needs {error.name}; run: '
                                     f'{_INSTALL[error.name]}') from error
    loaded: Runtime = backend.load(model, device=device, threads=threads, dtype=dtype,
                                   rope_index_dtype=rope_index_dtype, halves=halves)
    _give_back()
    return loaded


def _give_back() -> None:
    """
    Give the memory of loading back to the system.

    Weights pass through float32; glibc keeps the freed pages (265 MB with edge) until asked.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
