"""
The tensors of a model's folder in our own layout, and the modules they fill.

Owns reading and writing them and the checks of names and shapes. The hashes are manifest's, where
a folder comes from is checkpoint's business.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from audio_interaction_ros.checkpoints.arrays import (
    LazyArray,
    StoredTensor,
    load_arrays,
    write_tensors,
)
from audio_interaction_ros.checkpoints.config import CheckpointConfig, dump_config
from audio_interaction_ros.checkpoints.manifest import DECODER_PREFIX, TOWER_PREFIX, write_manifest
from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.model.decoder import Decoder

__all__ = ['assign', 'build_modules', 'check_shapes', 'load_tensors', 'save',
           'stored']

_NAMES = {torch.float64: 'F64', torch.float32: 'F32', torch.float16: 'F16',
          torch.bfloat16: 'BF16', torch.int64: 'I64', torch.int32: 'I32', torch.int16: 'I16',
          torch.int8: 'I8', torch.uint8: 'U8', torch.bool: 'BOOL'}
"""What safetensors calls a dtype."""
AnyTensor = Tensor | np.ndarray | LazyArray


def load_tensors(paths: Iterable[Path], prefixes: tuple[str, ...] = ('',)) -> dict[str, Tensor]:
    """Return what load_arrays returns, as tensors."""
    return load_arrays(paths, prefixes, framework='pt')


def check_shapes(module: nn.Module, tensors: Mapping[str, AnyTensor], where: str) -> None:
    """Raise CheckpointError naming the first key missing, unknown or of another shape."""
    expected = {key: value.shape for key, value in module.state_dict().items()}
    for key, shape in expected.items():
        if key not in tensors:
            raise CheckpointError(f'{where}: expected {key} {list(shape)}, found no such key; the '
                                  'weights are not of this model')
        if tuple(tensors[key].shape) != shape:
            raise CheckpointError(f'{where}: expected {key} {list(shape)}, found '
                                  f'{list(tensors[key].shape)}; weights and configuration differ')
    for key in tensors:
        if key not in expected:
            raise CheckpointError(f'{where}: found {key} {list(tensors[key].shape)}, which the '
                                  'configuration does not expect')


def assign(module: nn.Module, tensors: Mapping[str, AnyTensor], where: str) -> None:
    """Make tensors the module's parameters in float32; check_shapes says what is refused."""
    check_shapes(module, tensors, where)
    module.load_state_dict({key: _copy_to_float32(value) for key, value in tensors.items()},
                           assign=True)


def _copy_to_float32(value: AnyTensor) -> Tensor:
    # A copy in any case: what was read may be a view of the file, and whoever writes into that
    # file later would end the process with a bus error.
    if isinstance(value, Tensor):
        return value.to(torch.float32, copy=True)
    return torch.from_numpy(np.array(value, np.float32))


def build_modules(config: CheckpointConfig) -> tuple[AudioTower, Decoder]:
    """Return tower and decoder without storage for weights, to be filled by assign."""
    with torch.device('meta'):
        tower, decoder = AudioTower(config.audio_tower), Decoder(config.decoder)
    tower.place_positions()
    return tower, decoder


def save(folder: Path, config: CheckpointConfig,
         tensors: Mapping[str, Tensor | StoredTensor], tokenizer_json: Path) -> None:
    """
    Write a folder in our own layout.

    ``tensors`` are keyed ``audio_tower.`` + name and ``decoder.`` + name, in the dtype to keep.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dump_config(config, folder / 'config.yaml')
    for prefix, name in ((TOWER_PREFIX, 'audio_tower'), (DECODER_PREFIX, 'decoder')):
        write_tensors(folder / f'{name}.safetensors', {
            key: stored(value) if isinstance(value, Tensor) else value
            for key, value in tensors.items() if key.startswith(prefix)})
    (folder / 'tokenizer.json').write_bytes(tokenizer_json.read_bytes())
    write_manifest(folder)


def stored(value: Tensor) -> StoredTensor:
    """Return what writes a tensor, in its dtype."""
    return StoredTensor(_NAMES[value.dtype], tuple(value.shape), value.nbytes, lambda: (
        value.detach().contiguous().reshape(-1).view(torch.uint8).cpu().numpy()))
