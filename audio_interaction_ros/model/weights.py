"""
The weights of a model as numpy arrays, whatever its layout.

Stands in, over torch, until weights are read and merged without it.
"""

from pathlib import Path

import numpy as np

from audio_interaction_ros.model.cache import cache_root
from audio_interaction_ros.model.checkpoint import locate
from audio_interaction_ros.model.config import CheckpointConfig, load_config
from audio_interaction_ros.model.edge import base_identities, merged_tensors
from audio_interaction_ros.model.layout import load_tensors
from audio_interaction_ros.model.manifest import (
    PARTS,
    read_manifest,
    verify_manifest,
    weight_files,
    weights_hash,
)
from audio_interaction_ros.model.released import converted

__all__ = ['identify', 'load_arrays']


def identify(name: str) -> tuple[Path, CheckpointConfig, str]:
    """Return folder, configuration and model id of a model, without reading its weights."""
    folder = locate(name)
    if (folder / 'config.yaml').is_file():
        hashes = verify_manifest(folder)
    else:
        folder = converted(folder, cache_root())
        hashes = read_manifest(folder)
    config = load_config(folder / 'config.yaml')
    return folder, config, f'{config.model}-{weights_hash(hashes, base_identities(config))}'


def load_arrays(name: str, parts: tuple[str, ...] = PARTS,
                ) -> tuple[CheckpointConfig, dict[str, np.ndarray], Path, str]:
    """Return configuration, prefixed float32 arrays of ``parts``, tokenizer path and model id."""
    folder, config, model_id = identify(name)
    if config.base is not None:
        tensors, tokenizer = merged_tensors(folder, config, parts)
    else:
        tensors, tokenizer = load_tensors(weight_files(folder), parts), folder / 'tokenizer.json'
    return config, {key: value.float().numpy() for key, value in tensors.items()
                    if key.startswith(parts)}, tokenizer, model_id
