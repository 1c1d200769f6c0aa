"""
Reading the tensors of safetensors files, and the error for a file that is none.

Knows no model and no framework but the one that is asked for.
"""

import importlib.util
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import safetensors

from audio_interaction_ros.checkpoints.cache import sha256
from audio_interaction_ros.errors import CheckpointError

__all__ = ['load_arrays']

if importlib.util.find_spec('ml_dtypes') is not None:
    import ml_dtypes  # noqa: F401 - numpy knows bfloat16 afterwards


def load_arrays(paths: Iterable[Path], prefixes: tuple[str, ...] = ('',), *,
                framework: str = 'np') -> dict[str, Any]:
    """
    Return the tensors of safetensors files whose names begin with one of ``prefixes``.

    They are numpy arrays, or tensors of torch for the framework ``pt``, in the dtype of the file.
    CheckpointError names a damaged file with its hash; what is not asked for is not read.
    """
    arrays: dict[str, Any] = {}
    for path in paths:
        try:
            with safetensors.safe_open(path, framework=framework) as file:
                arrays.update({key: file.get_tensor(key) for key in file.keys()  # noqa: SIM118
                               if key.startswith(prefixes)})
        except (OSError, TypeError, safetensors.SafetensorError) as error:
            found = sha256(path) if path.is_file() else 'no such file'
            raise CheckpointError(f'{path}: expected a safetensors file, cannot read it ({error}; '
                                  f'sha256 {found}); fetch the model again') from error
    return arrays
