"""
Loads a model from a folder or a Hugging Face repository id, whatever its layout.

Owns where a model is found and the choice between layouts: ``layout`` is our own, ``edge`` the one
over base weights, ``released`` that of the published checkpoint. Knows nothing of runtimes.
"""

from dataclasses import dataclass
from pathlib import Path

from torch import nn

from audio_interaction_ros.errors import (
    CheckpointError,
    ConfigurationError,
    MissingDependencyError,
)
from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.model.cache import cache_root
from audio_interaction_ros.model.config import CheckpointConfig, load_config
from audio_interaction_ros.model.decoder import Decoder
from audio_interaction_ros.model.edge import base_identities, merged_tensors
from audio_interaction_ros.model.layout import assign, build_modules, load_tensors
from audio_interaction_ros.model.manifest import (
    DECODER_PREFIX,
    PARTS,
    TOWER_PREFIX,
    computing_hash,
    read_manifest,
    verify_manifest,
    weight_files,
)
from audio_interaction_ros.model.released import converted
from audio_interaction_ros.model.tokenizer import Tokenizer
from audio_interaction_ros.resources import shipped

__all__ = ['LoadedModel', 'load', 'locate']


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
    """Name and hash of all that it computes with: weights, those of the base too, tokenizer and
    configuration but for what a lane may override. Features carry it to the decoder."""


def locate(name: str) -> Path:
    """
    Return the folder of a model given as path, name of a shipped model, or repository id.

    A shipped model (``edge``) is looked up in the source tree and in the installed share folder.
    Anything of the form ``owner/name`` that is no folder is fetched from the Hugging Face hub;
    ``owner/name@revision`` names a commit, a tag or a branch of it.
    """
    if Path(name).is_dir():
        return Path(name)
    try:
        return shipped(f'models/{name}/config.yaml').parent
    except ConfigurationError:
        pass  # no shipped model is called so; a repository may be
    if name.partition('@')[0].count('/') != 1 or name.startswith(('.', '/', '~')):
        raise CheckpointError(f'model {name!r}: expected an existing folder, a shipped model or a '
                              'Hugging Face repository id (owner/name or owner/name@revision), '
                              'found none of these')
    return _download(name)


def _download(name: str) -> Path:
    repo_id, _, revision = name.partition('@')
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingDependencyError(f'fetching {repo_id} needs huggingface_hub; run: pip install '
                                     'huggingface_hub') from error
    try:
        return Path(snapshot_download(repo_id, revision=revision or None,
                                      ignore_patterns=['*.md', '*.png', '*.mp4']))
    except Exception as error:  # the hub raises many kinds; all mean that it cannot be had
        raise CheckpointError(f'{name}: cannot be fetched from the Hugging Face hub ({error}); '
                              'check the name and the network, or give a folder') from error


def load(name: str | Path, *, cache: Path | None = None,
         parts: tuple[str, ...] = PARTS) -> LoadedModel:
    """
    Load a model from a folder, a shipped model's name or a repository id.

    A released checkpoint is converted once into ``cache`` (default: cache_root()) and read
    from there afterwards. Only the weights of ``parts`` are read into memory, of a model over
    base weights only theirs are fetched; the manifest is checked as a whole, so both halves of
    a model have one model_id.
    """
    folder = locate(str(name))
    if (folder / 'config.yaml').is_file():
        hashes = verify_manifest(folder)
    else:
        folder = converted(folder, cache or cache_root())
        hashes = read_manifest(folder)  # its files were checked on the way here
    config = load_config(folder / 'config.yaml')
    if config.base is not None:
        tensors, tokenizer_path = merged_tensors(folder, config, parts)
    else:
        tensors = load_tensors(weight_files(folder), parts)
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
        model_id=f'{config.model}-'
                 f'{computing_hash(hashes, base_identities(config), config.computed_with)}')
