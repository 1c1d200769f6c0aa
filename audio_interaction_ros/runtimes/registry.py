"""
Names of backends to running encoders and decoders.

The only place that knows all backends; each is imported when it is asked for, so that nobody
needs a framework that is not used.
"""

from dataclasses import dataclass
from typing import Any

from audio_interaction_ros.errors import ConfigurationError, MissingDependencyError
from audio_interaction_ros.runtimes.base import Decoder, Encoder

__all__ = ['RUNTIMES', 'Runtime', 'load_runtime']

RUNTIMES = ('torch',)


@dataclass(frozen=True, kw_only=True)
class Runtime:
    """Both halves of a model, ready to run."""

    encoder: Encoder
    decoder: Decoder
    config: Any
    """The model's configuration (model.config.CheckpointConfig): prompts, thresholds, mel."""


def load_runtime(model: str, *, runtime: str = 'torch', device: str = 'cpu',
                 threads: int | None = None, dtype: str = 'auto') -> Runtime:
    """
    Load a model and bring it up on a backend.

    ``model`` is a folder, the name of a shipped model (``edge``) or a Hugging Face repository id.
    Raises ConfigurationError for an unknown backend, CheckpointError for bad weights and
    MissingDependencyError where the backend is not installed.
    """
    if runtime not in RUNTIMES:
        raise ConfigurationError(f'runtime: expected one of {", ".join(RUNTIMES)}, found '
                                 f'{runtime!r}; change model.runtime')
    return _torch(model, device, threads, dtype)


def _torch(model: str, device: str, threads: int | None, dtype: str) -> Runtime:
    try:
        import torch
    except ImportError as error:
        raise MissingDependencyError("runtime 'torch' needs PyTorch; run: pip install torch "
                                     '(CPU wheels: see README)') from error
    from audio_interaction_ros.model.checkpoint import load
    from audio_interaction_ros.runtimes.torch import TorchDecoder, TorchEncoder, best_dtype
    if dtype == 'auto':
        dtype = best_dtype(device)
    if threads is not None:
        torch.set_num_threads(threads)
    loaded = load(model)
    return Runtime(encoder=TorchEncoder(loaded, dtype=dtype, device=device),
                   decoder=TorchDecoder(loaded, dtype=dtype, device=device),
                   config=loaded.config)
