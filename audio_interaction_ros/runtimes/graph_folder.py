"""
What lies beside the weights of half a model, as every backend reads it; most do beside graphs.

Owns the check that the configuration is that of the graphs. Runs nothing.
"""

from pathlib import Path
from typing import Any

import numpy as np

from audio_interaction_ros.checkpoints.config import CheckpointConfig, load_config
from audio_interaction_ros.graphs import manifest
from audio_interaction_ros.graphs.manifest import GraphManifest
from audio_interaction_ros.model.sound_head import SoundHead
from audio_interaction_ros.model.tokenizer import Tokenizer
from audio_interaction_ros.runtimes.row_file import RowFile

__all__ = ['describe', 'read_sound_head', 'read_tables', 'read_tokenizer']


def describe(folder: Path, half: str) -> tuple[GraphManifest, CheckpointConfig]:
    """Return what a folder says of itself; CheckpointError where its parts do not belong."""
    said, config = manifest.read(folder), load_config(folder / 'config.yaml')
    manifest.check_spec(folder, said, half=half, spec=config.computed_with)
    return said, config


def read_tables(folder: Path) -> dict[str, Any]:
    """Return what the host of a decoder looks up: ``embeddings`` and ``controls``."""
    return {'embeddings': RowFile(folder / manifest.EMBEDDINGS),
            'controls': np.load(folder / manifest.CONTROLS)}


def read_tokenizer(folder: Path, config: CheckpointConfig) -> Tokenizer:
    """Return the tokenizer of a decoder's folder."""
    return Tokenizer(folder / 'tokenizer.json', structural=config.token_ids.structural)


def read_sound_head(folder: Path, config: CheckpointConfig) -> SoundHead | None:
    """Return what tells sounds apart in an encoder's folder; None where its model does not."""
    if not config.sounds:
        return None
    return SoundHead.read(folder / config.sounds, embedding_width=config.audio_tower.sound_width)
