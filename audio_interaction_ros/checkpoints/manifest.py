"""
What a model's folder holds, by name and hash: its ``manifest.json``.

Owns the check of files against it and the hash of all that a model computes with. Reads no
tensor.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from audio_interaction_ros.checkpoints.cache import sha256
from audio_interaction_ros.errors import CheckpointError

__all__ = ['DECODER_PREFIX', 'PARTS', 'TOWER_PREFIX', 'computing_hash', 'read_manifest',
           'verify_manifest', 'weight_files', 'write_manifest']

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
    for weights_file in sorted(folder.rglob('*.safetensors')):
        if weights_file.relative_to(folder).as_posix() not in hashes:
            raise CheckpointError(
                f'{weights_file}: the manifest of this model does not name this file, so nobody '
                f'knows what it would change; move it away, or fetch the model again')
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
            digest = sha256(path) if path.is_file() else 'no such file'
        except OSError as error:
            raise CheckpointError(f'{path}: cannot be read ({error}); let this user read it, or '
                                  'fetch the model again') from error
        if digest != expected:
            raise CheckpointError(f'{path}: expected sha256 {expected}, found {digest}; '
                                  'the file is corrupt, fetch or convert the model again')
    return hashes


def weight_files(folder: Path, *, sounds: str = '') -> list[Path]:
    """
    Return the safetensors files that the manifest names; no other may be read.

    Without that of the sound head, ``sounds``, which is none of either half.
    """
    return [folder / name for name in sorted(read_manifest(folder))
            if name.endswith('.safetensors') and name != sounds]


def computing_hash(hashes: Mapping[str, str], base: Iterable[str], settings: str) -> str:
    """
    Return a short hash of all that a model computes with.

    ``hashes`` are those of its manifest, of which weights and tokenizer count, ``base`` the
    identities of the base weights below it, ``settings`` what its configuration says of it.
    """
    own = [hashes[name] for name in sorted(hashes)
           if name.endswith('.safetensors') or name == 'tokenizer.json']
    return hashlib.sha256('\n'.join([*own, *base, settings]).encode()).hexdigest()[:16]
