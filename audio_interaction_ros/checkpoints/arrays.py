"""
The tensors of safetensors files: read at once, or one by one when they are used.

Owns the error for a file that is none, and the writing of one tensor after another. Knows no
model and no framework but the one that is asked for.
"""

import importlib.util
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors

from audio_interaction_ros.checkpoints.cache import sha256
from audio_interaction_ros.errors import CheckpointError

__all__ = ['LazyArray', 'StoredTensor', 'load_arrays', 'open_arrays', 'write_tensors']

if importlib.util.find_spec('ml_dtypes') is not None:
    import ml_dtypes  # noqa: F401 - numpy knows bfloat16 afterwards

_DTYPES = {'F64': 'float64', 'F32': 'float32', 'F16': 'float16', 'BF16': 'bfloat16',
           'I64': 'int64', 'I32': 'int32', 'I8': 'int8', 'U8': 'uint8', 'BOOL': 'bool'}


@dataclass(frozen=True)
class LazyArray:
    """
    An array that is made anew whenever numpy asks for its numbers.

    A model whose tensors are of this kind takes the memory of one tensor at a time.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    make: Callable[[], np.ndarray]

    def __len__(self) -> int:
        return self.shape[0]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self.make(), dtype or self.dtype)


@contextmanager
def _opened(path: Path, framework: str) -> Iterator[Any]:
    try:
        with safetensors.safe_open(path, framework=framework) as file:
            yield file
    except (OSError, TypeError, safetensors.SafetensorError) as error:
        found = sha256(path) if path.is_file() else 'no such file'
        raise CheckpointError(f'{path}: expected a safetensors file, cannot read it ({error}; '
                              f'sha256 {found}); fetch the model again') from error


def load_arrays(paths: Iterable[Path], prefixes: tuple[str, ...] = ('',), *,
                framework: str = 'np') -> dict[str, Any]:
    """
    Return the tensors of safetensors files whose names begin with one of ``prefixes``.

    They are numpy arrays, or tensors of torch for the framework ``pt``, in the dtype of the file.
    CheckpointError names a damaged file with its hash; what is not asked for is not read.
    """
    arrays: dict[str, Any] = {}
    for path in paths:
        with _opened(path, framework) as file:
            arrays.update({key: file.get_tensor(key) for key in file.keys()  # noqa: SIM118
                           if key.startswith(prefixes)})
    return arrays


def open_arrays(paths: Iterable[Path],
                prefixes: tuple[str, ...] = ('',)) -> dict[str, LazyArray]:
    """Return what load_arrays returns, without reading it: each is read whenever it is used."""
    arrays: dict[str, LazyArray] = {}
    for path in paths:
        with _opened(path, 'np') as file:
            for key in file.keys():  # noqa: SIM118 - it is no mapping
                if key.startswith(prefixes):
                    part = file.get_slice(key)
                    arrays[key] = LazyArray(
                        tuple(part.get_shape()),
                        np.dtype(_DTYPES.get(part.get_dtype(), 'float32')),
                        lambda path=path, key=key: _read(path, key))  # type: ignore[misc]
    return arrays


def _read(path: Path, key: str) -> np.ndarray:
    # The file is mapped for this tensor only, so that what was read before takes no memory.
    with _opened(path, 'np') as file:
        array: np.ndarray = file.get_tensor(key)
    return array


@dataclass(frozen=True)
class StoredTensor:
    """A tensor to be written: its dtype as safetensors names it, and its bytes when asked for."""

    dtype: str
    shape: tuple[int, ...]
    size: int
    """In bytes."""
    make: Callable[[], Any]
    """Returns an object with the buffer protocol."""


def write_tensors(path: Path, tensors: Mapping[str, StoredTensor]) -> None:
    """Write a safetensors file, one tensor at a time; save_file would hold all of them twice."""
    header, end = {}, 0
    for key, tensor in tensors.items():
        header[key] = {'dtype': tensor.dtype, 'shape': list(tensor.shape),
                       'data_offsets': [end, end := end + tensor.size]}
    text = json.dumps(header, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    with path.open('wb') as file:
        file.write(len(text).to_bytes(8, 'little') + text)
        for key, tensor in tensors.items():
            written = file.write(tensor.make())
            assert written == tensor.size, f'{key}: {written} bytes instead of {tensor.size}'
