"""
A model's folder in our own layout: tensors, hashes, and the modules they fill.

Owns config.yaml + safetensors + tokenizer.json + manifest.json as files, and the checks of names,
shapes and hashes. Where a folder comes from is checkpoint's business.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.model.cache import sha256
from audio_interaction_ros.model.config import CheckpointConfig, dump_config
from audio_interaction_ros.model.decoder import Decoder

__all__ = [
    'DECODER_PREFIX', 'PARTS', 'TOWER_PREFIX', 'assign', 'build_modules', 'check_shapes',
    'load_tensors', 'read_manifest', 'save', 'verify_manifest', 'weight_files', 'weights_hash',
    'write_manifest',
]

TOWER_PREFIX = 'audio_tower.'
DECODER_PREFIX = 'decoder.'
PARTS = (TOWER_PREFIX, DECODER_PREFIX)
"""The two halves of a model; encoder and decoder may run in different processes."""


def write_manifest(folder: Path) -> None:
    """Write ``manifest.json`` with the hash of every file of a folder but its card, README.md."""
    hashes = {path.relative_to(folder).as_posix(): sha256(path)
              for path in sorted(folder.rglob('*'))
              if path.is_file() and path.name not in ('manifest.json', 'README.md')}
    (folder / 'manifest.json').write_text(json.dumps(hashes, indent=1) + '\n', encoding='utf-8')


def read_manifest(folder: Path) -> dict[str, str]:
    """
    Return the hash of every file that a folder's manifest names, by name.

    CheckpointError for a manifest that is none, that names what lies outside, and for a
    safetensors file in the folder that it does not name.
    """
    path = folder / 'manifest.json'
    try:
        hashes = json.loads(path.read_text(encoding='utf-8'))
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(f'{path}: expected a manifest of hashes ({error}); fetch or convert '
                              'the model again') from error
    if not isinstance(hashes, dict) or not all(
            isinstance(value, str) and _lies_inside(name) for name, value in hashes.items()):
        raise CheckpointError(f'{path}: expected {{"name of a file in this folder": "sha256"}}, '
                              'found something else; fetch or convert the model again')
    for found in sorted(folder.rglob('*.safetensors')):
        if found.relative_to(folder).as_posix() not in hashes:
            raise CheckpointError(
                f'{found}: the manifest of this model does not name this file, so nobody knows '
                f'what it would change; move it away, or fetch the model again')
    return hashes


def _lies_inside(name: str) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and '..' not in path.parts


def verify_manifest(folder: Path) -> dict[str, str]:
    """
    Check the files of a folder against its manifest and return read_manifest's hashes.

    Raises CheckpointError naming the file, the expected and the found hash.
    """
    hashes = read_manifest(folder)
    for name, expected in hashes.items():
        path = folder / name
        try:
            found = sha256(path) if path.is_file() else 'no such file'
        except OSError as error:
            raise CheckpointError(f'{path}: cannot be read ({error}); let this user read it, or '
                                  'fetch the model again') from error
        if found != expected:
            raise CheckpointError(f'{path}: expected sha256 {expected}, found {found}; '
                                  'the file is corrupt, fetch or convert the model again')
    return hashes


def weight_files(folder: Path) -> list[Path]:
    """Return the safetensors files that the manifest names; no other may be read."""
    return [folder / name for name in sorted(read_manifest(folder))
            if name.endswith('.safetensors')]


def weights_hash(hashes: Mapping[str, str], base: Iterable[str] = ()) -> str:
    """
    Return a short hash of all that a model computes with.

    ``hashes`` are those of its manifest, ``base`` the identities of the base weights below it.
    """
    weights = [hashes[name] for name in sorted(hashes) if name.endswith('.safetensors')]
    return hashlib.sha256(''.join([*weights, *base]).encode()).hexdigest()[:16]


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
            found = sha256(path) if path.is_file() else 'no such file'
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
    # A copy in any case: what was read is a view of the file, and whoever writes into that file
    # later would end the process with a bus error.
    module.load_state_dict({key: value.to(torch.float32, copy=True)
                            for key, value in tensors.items()}, assign=True)


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
