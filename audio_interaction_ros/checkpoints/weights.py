"""
Finds a model and reads its weights as numpy arrays, whatever its layout.

Owns where a model is found and the choice between layouts: ``edge`` is the one over base weights,
``released`` that of the published checkpoint, which torch converts once. Knows nothing of
runtimes: torch and graphs take the arrays from here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from audio_interaction_ros.checkpoints.arrays import LazyArray, open_arrays
from audio_interaction_ros.checkpoints.cache import cache_root
from audio_interaction_ros.checkpoints.config import CheckpointConfig, load_config
from audio_interaction_ros.checkpoints.edge import base_identities, load_merged_arrays
from audio_interaction_ros.checkpoints.manifest import (
    PARTS,
    computing_hash,
    read_manifest,
    verify_manifest,
    weight_files,
)
from audio_interaction_ros.errors import (
    CheckpointError,
    ConfigurationError,
    MissingDependencyError,
)
from audio_interaction_ros.resources import shipped_path

__all__ = ['StoredModel', 'identify', 'locate']


@dataclass(frozen=True, kw_only=True)
class StoredModel:
    """A model as it is stored: what it is, and where its weights are."""

    folder: Path
    config: CheckpointConfig
    model_id: str
    """
    Name and hash of all that features and embeddings are computed with; both carry it.

    Not of the sound head, which only reads embeddings: a head that was trained anew leaves graphs,
    features and the sounds that a user taught as they are.
    """
    hashes: Mapping[str, str]
    """sha256 of every file of the folder that its manifest names."""
    base: tuple[str, ...]
    """Identities of the base weights."""

    def arrays(self, parts: tuple[str, ...] = PARTS,
               ) -> tuple[Mapping[str, np.ndarray | LazyArray], Path]:
        """
        Return the weights of some parts, named ``audio_tower.…`` and ``decoder.…``.

        Each is read whenever numpy asks for its numbers, so whoever takes them one by one needs
        memory for one. The path is that of the tokenizer; of no file where the decoder is not
        asked for and the folder has none of its own. Of a model over base weights only theirs are
        fetched.
        """
        if self.config.base is not None:
            return load_merged_arrays(self.folder, self.config, parts)
        files = weight_files(self.folder, sounds=self.config.sounds)
        return open_arrays(files, parts), self.folder / 'tokenizer.json'


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
        return shipped_path(f'models/{name}/config.yaml').parent
    except ConfigurationError:
        pass  # no shipped model is called so; a repository may be
    if name.partition('@')[0].count('/') != 1 or name.startswith(('.', '/', '~')):
        raise ConfigurationError(
            f'model {name!r}: expected an existing folder, a shipped model or a Hugging Face '
            'repository id (owner/name or owner/name@revision), found none of these')
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


def identify(name: str | Path, *, cache: Path | None = None) -> StoredModel:
    """
    Find a model by folder, shipped model's name or repository id, and check its files.

    A released checkpoint is converted once into ``cache`` (default: cache_root()) and read from
    there afterwards. The manifest is checked as a whole, so both halves of a model have one
    model_id. Raises CheckpointError for bad weights, MissingDependencyError where a conversion
    needs torch.
    """
    folder = locate(str(name))
    if (folder / 'config.yaml').is_file():
        hashes = verify_manifest(folder)
    else:
        folder = _ensure_converted(folder, cache or cache_root())
        hashes = read_manifest(folder)  # its files were checked on the way here
    config = load_config(folder / 'config.yaml')
    base = tuple(base_identities(config))
    digest = computing_hash({name: value for name, value in hashes.items()
                             if name != config.sounds}, base, config.computed_with)
    return StoredModel(folder=folder, config=config, model_id=f'{config.model}-{digest}',
                       hashes=hashes, base=base)


def _ensure_converted(folder: Path, cache: Path) -> Path:
    try:
        from audio_interaction_ros.checkpoints.released import ensure_converted
    except ModuleNotFoundError as error:
        raise MissingDependencyError(f'{folder} is of the released layout, which is converted '
                                     'once with torch; run: pip install torch') from error
    return ensure_converted(folder, cache)
