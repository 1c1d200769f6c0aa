"""
A model's folder in our own layout: tensors, hashes, and the modules they fill.

Owns config.yaml + safetensors + tokenizer.json + manifest.json as files, and the checks of names,
shapes and hashes. Where a folder comes from is checkpoint's business.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.model.config import CheckpointConfig, dump_config
from audio_interaction_ros.model.decoder import Decoder

__all__ = [
    'DECODER_PREFIX', 'PARTS', 'TOWER_PREFIX', 'assign', 'build_modules', 'cache_folder',
    'check_shapes', 'file_hash', 'load_tensors', 'save', 'verify_manifest', 'write_manifest',
]

TOWER_PREFIX = 'audio_tower.'
DECODER_PREFIX = 'decoder.'
PARTS = (TOWER_PREFIX, DECODER_PREFIX)
"""The two halves of a model; encoder and decoder may run in different processes."""


def cache_folder() -> Path:
    """Return the folder for converted and fetched weights ($AUDIO_INTERACTION_CACHE)."""
    named = os.environ.get('AUDIO_INTERACTION_CACHE')
    return Path(named) if named else Path.home() / '.cache' / 'audio_interaction'


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def write_manifest(folder: Path) -> None:
    """Write ``manifest.json`` with the hash of every file of a folder but its card, README.md."""
    hashes = {path.relative_to(folder).as_posix(): file_hash(path)
              for path in sorted(folder.rglob('*'))
              if path.is_file() and path.name not in ('manifest.json', 'README.md')}
    (folder / 'manifest.json').write_text(json.dumps(hashes, indent=1) + '\n', encoding='utf-8')


def verify_manifest(folder: Path) -> str:
    """
    Check the files of a folder against its manifest and return a short hash of its weights.

    Raises CheckpointError naming the file, the expected and the found hash.
    """
    path = folder / 'manifest.json'
    try:
        hashes = dict(json.loads(path.read_text(encoding='utf-8')))
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f'{path}: expected a manifest of hashes ({error}); fetch or convert '
                              'the model again') from error
    for name, expected in hashes.items():
        found = file_hash(folder / name) if (folder / name).is_file() else 'no such file'
        if found != expected:
            raise CheckpointError(f'{folder / name}: expected sha256 {expected}, found {found}; '
                                  'the file is corrupt, fetch or convert the model again')
    weights = ''.join(hashes[name] for name in sorted(hashes) if name.endswith('.safetensors'))
    return hashlib.sha256(weights.encode()).hexdigest()[:16]


def load_tensors(paths: Iterable[Path], prefixes: tuple[str, ...] = ('',)) -> dict[str, Tensor]:
    """
    Return the tensors of safetensors files whose names begin with one of ``prefixes``.

    A damaged file is named with its hash; what is not asked for is not read.
    """
    tensors: dict[str, Tensor] = {}
    for path in paths:
        try:
            with safetensors.safe_open(path, framework='pt') as file:
                tensors.update({key: file.get_tensor(key) for key in file.keys()  # noqa: SIM118
                                if key.startswith(prefixes)})
        except (OSError, safetensors.SafetensorError) as error:
            found = file_hash(path) if path.is_file() else 'no such file'
            raise CheckpointError(f'{path}: expected a safetensors file, cannot read it ({error}; '
                                  f'sha256 {found}); fetch the model again') from error
    return tensors


def check_shapes(module: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Raise CheckpointError naming the first key missing, unknown or of another shape."""
    expected = {key: value.shape for key, value in module.state_dict().items()}
    for key, shape in expected.items():
        if key not in tensors:
            raise CheckpointError(f'{where}: expected {key} {list(shape)}, found no such key; the '
                                  'weights are not of this model')
        if tensors[key].shape != shape:
            raise CheckpointError(f'{where}: expected {key} {list(shape)}, found '
                                  f'{list(tensors[key].shape)}; weights and configuration differ')
    for key in tensors:
        if key not in expected:
            raise CheckpointError(f'{where}: found {key} {list(tensors[key].shape)}, which the '
                                  'configuration does not expect')


def assign(module: nn.Module, tensors: Mapping[str, Tensor], where: str) -> None:
    """Make tensors the module's parameters in float32; check_shapes says what is refused."""
    check_shapes(module, tensors, where)
    module.load_state_dict({key: value.float() for key, value in tensors.items()}, assign=True)


def build_modules(config: CheckpointConfig) -> tuple[AudioTower, Decoder]:
    """Return tower and decoder without storage for weights, to be filled by assign."""
    with torch.device('meta'):
        tower, decoder = AudioTower(config.audio_tower), Decoder(config.decoder)
    tower.place_positions()
    return tower, decoder


def save(folder: Path, config: CheckpointConfig, tensors: Mapping[str, Tensor],
         tokenizer_json: Path) -> None:
    """
    Write a folder in our own layout.

    ``tensors`` are keyed ``audio_tower.`` + name and ``decoder.`` + name, in the dtype to keep.
    """
    folder.mkdir(parents=True, exist_ok=True)
    dump_config(config, folder / 'config.yaml')
    for prefix, name in ((TOWER_PREFIX, 'audio_tower'), (DECODER_PREFIX, 'decoder')):
        part = {key: value.contiguous() for key, value in tensors.items()
                if key.startswith(prefix)}
        save_file(part, folder / f'{name}.safetensors')
    (folder / 'tokenizer.json').write_bytes(tokenizer_json.read_bytes())
    write_manifest(folder)
