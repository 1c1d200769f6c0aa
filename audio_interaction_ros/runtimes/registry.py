"""
Names of backends to running encoders and decoders.

The only place that knows all backends; each is imported when it is asked for, so that nobody
needs a framework that is not used.
"""

import contextlib
import ctypes
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from audio_interaction_ros.errors import ConfigurationError, MissingDependencyError
from audio_interaction_ros.runtimes.base import Decoder, Encoder

__all__ = ['HALVES', 'RUNTIMES', 'NotLoaded', 'Runtime', 'load_runtime']

RUNTIMES = ('torch',)
HALVES = ('encoder', 'decoder')


class NotLoaded:
    """Stands where a half of a model was not asked for; any use says so."""

    def __init__(self, half: str) -> None:
        """Remember which half is missing."""
        self._half = half

    def __getattr__(self, name: str) -> Any:
        """Raise ConfigurationError."""
        raise ConfigurationError(f'expected the {self._half} of the model to be loaded, found '
                                 f'only the other half; ask load_runtime for both halves')


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """The halves of a model, ready to run; NotLoaded for one that was not asked for."""

    encoder: Encoder
    decoder: Decoder
    config: Any
    """The model's configuration (model.config.CheckpointConfig): prompts, thresholds, mel."""


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
    return _torch(model, device, threads, dtype, rope_index_dtype, halves)


def _torch(model: str, device: str, threads: int | None, dtype: str, rope_index_dtype: str,
           halves: Collection[str]) -> Runtime:
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError("runtime 'torch' needs PyTorch; run: pip install torch "
                                     '(CPU wheels: see README)') from error
    from audio_interaction_ros.model.checkpoint import load
    from audio_interaction_ros.model.manifest import DECODER_PREFIX, TOWER_PREFIX
    from audio_interaction_ros.runtimes.torch import TorchDecoder, TorchEncoder, best_dtype
    kind = device.partition(':')[0]
    if kind == 'cuda' and not torch.cuda.is_available():
        raise ConfigurationError(
            f'device: expected one that torch {torch.__version__} can use here, found {device!r} '
            f'without a usable GPU; change model.device, or install the driver and a torch with '
            f'CUDA')
    if dtype == 'auto':
        dtype = best_dtype(device)
    if threads is not None:
        torch.set_num_threads(threads)
    prefixes = {'encoder': TOWER_PREFIX, 'decoder': DECODER_PREFIX}
    loaded = load(model, parts=tuple(prefixes[half] for half in HALVES if half in halves))
    encoder: Any = NotLoaded('encoder')
    decoder: Any = NotLoaded('decoder')
    if 'encoder' in halves:
        encoder = TorchEncoder(loaded, dtype=dtype, device=device)
    if 'decoder' in halves:
        decoder = TorchDecoder(loaded, dtype=dtype, device=device,
                               rope_index_dtype=rope_index_dtype)
    config = loaded.config
    del loaded
    _give_back()
    return Runtime(encoder=encoder, decoder=decoder, config=config)


def _give_back() -> None:
    """
    Give the memory of loading back to the system.

    Weights pass through float32; glibc keeps the freed pages (265 MB with edge) until asked.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)
