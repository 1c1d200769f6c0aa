"""
Loads a model from a folder or a Hugging Face repository id, whatever its layout.

Owns our own layout (config.yaml, safetensors, tokenizer.json, manifest.json with hashes) and the
choice between layouts; ``released`` and ``edge`` own the other two. Knows nothing of runtimes.
"""

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import safetensors
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from audio_interaction_ros.errors import (
    CheckpointError,
    ConfigurationError,
    MissingDependencyError,
)
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.model.config import (
    CheckpointConfig,
    dump_config,
    load_config,
)
from audio_interaction_ros.model.decoder import Decoder
from audio_interaction_ros.model.tokenizer import Tokenizer
from audio_interaction_ros.resources import shipped

__all__ = [
    'LoadedModel', 'PARTS', 'assign', 'build_modules', 'cache_folder', 'check_shapes', 'file_hash',
    'load', 'load_tensors', 'locate', 'save', 'verify_manifest', 'write_manifest',
]

TOWER_PREFIX = 'audio_tower.'
DECODER_PREFIX = 'decoder.'
PARTS = (TOWER_PREFIX, DECODER_PREFIX)
"""The two halves of a model; encoder and decoder may run in different processes."""


@dataclass(frozen=True, kw_only=True)
class LoadedModel:
    """
    A model in memory, float32 on the CPU, ready for a runtime.

    A half that was not asked for is on torch's meta device: it has shapes and takes no memory.
    """

    config: CheckpointConfig
    tower: AudioTower
    decoder: Decoder
    tokenizer: Tokenizer | None
    """None where the decoder was not asked for."""
    model_id: str
    """Name and hash of the weights; features carry it from encoder to decoder."""


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
    """Write ``manifest.json`` with the hash of every other file of a folder."""
    hashes = {path.relative_to(folder).as_posix(): file_hash(path)
              for path in sorted(folder.rglob('*'))
              if path.is_file() and path.name != 'manifest.json'}
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


def locate(name: str) -> Path:
    """
    Return the folder of a model given as path, name of a shipped model, or repository id.

    A shipped model (``edge``) is looked up in the source tree and in the installed share folder.
    Anything of the form ``owner/name`` that is no folder is fetched from the Hugging Face hub.
    """
    if Path(name).is_dir():
        return Path(name)
    try:
        return shipped(f'models/{name}/config.yaml').parent
    except ConfigurationError:
        pass  # no shipped model is called so; a repository may be
    if name.count('/') != 1 or name.startswith(('.', '/', '~')):
        raise CheckpointError(f'model {name!r}: expected an existing folder, a shipped model or a '
                              'Hugging Face repository id (owner/name), found none of these')
    return _download(name)


def _download(repo_id: str) -> Path:
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingDependencyError(f'fetching {repo_id} needs huggingface_hub; run: pip install '
                                     'huggingface_hub') from error
    try:
        return Path(snapshot_download(repo_id, ignore_patterns=['*.md', '*.png', '*.mp4']))
    except Exception as error:  # the hub raises many kinds; all mean that it cannot be had
        raise CheckpointError(f'{repo_id}: cannot be fetched from the Hugging Face hub ({error}); '
                              'check the name and the network, or give a folder') from error


def load(name: str | Path, *, cache: Path | None = None,
         parts: tuple[str, ...] = PARTS) -> LoadedModel:
    """
    Load a model from a folder, a shipped model's name or a repository id.

    A released checkpoint is converted once into ``cache`` (default: cache_folder()) and read
    from there afterwards. Only the weights of ``parts`` are read into memory, of a model over
    base weights only theirs are fetched; the manifest is checked as a whole, so both halves of
    a model have one model_id.
    """
    folder = locate(str(name))
    if not (folder / 'config.yaml').is_file():
        from audio_interaction_ros.model.released import converted
        folder = converted(folder, cache or cache_folder())
    model_hash = verify_manifest(folder)
    config = load_config(folder / 'config.yaml')
    if config.base is not None:
        from audio_interaction_ros.model.edge import merged_tensors
        tensors, tokenizer_path = merged_tensors(folder, config, parts)
    else:
        tensors = load_tensors(sorted(folder.glob('*.safetensors')), parts)
        tokenizer_path = folder / 'tokenizer.json'
    tower, decoder = build_modules(config)
    modules: dict[str, nn.Module] = {TOWER_PREFIX: tower, DECODER_PREFIX: decoder}
    for prefix, module in ((part, modules[part]) for part in parts):
        assign(module, {key.removeprefix(prefix): value for key, value in tensors.items()
                        if key.startswith(prefix)}, f'{folder} ({prefix[:-1]})')
    return LoadedModel(
        config=config, tower=tower.eval(), decoder=decoder.eval(),
        tokenizer=(Tokenizer(tokenizer_path, structural=config.token_ids.structural)
                   if DECODER_PREFIX in parts else None),
        model_id=f'{config.model}-{model_hash}')
