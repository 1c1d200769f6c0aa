"""
Streams and what the encoder hears of them on disk, as training reads them.

Owns where the features of a stream lie in a folder of scenes: ``heard/ID.npy`` [chunks, 5, 4096]
and ``heard/ID.sound.npy`` [chunks, 5632], both float16.
"""

import json
from pathlib import Path

import numpy as np
from safetensors import safe_open

from audio_interaction_ros.checkpoints.config import load_config
from train.records import Stream
from train.stages import read_stage

__all__ = ['feature_files', 'read_features', 'read_sounds', 'read_streams']


def feature_files(folder: Path, stream: Stream) -> tuple[Path, Path]:
    """Return the files of frames and of summaries of a stream."""
    return folder / 'heard' / f'{stream.id}.npy', folder / 'heard' / f'{stream.id}.sound.npy'


def read_streams(folder: Path) -> list[Stream]:
    """Return the streams of a folder whose features are whole; StageError where they are not."""
    return list(read_stage(folder / 'features', Stream))


def read_features(folder: Path, stream: Stream, first: int = 0,
                  last: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return frames and summaries of chunks of a stream, read from disk when touched."""
    frames, heard = (np.load(path, mmap_mode='r')[first:last]
                     for path in feature_files(folder, stream))
    return frames, heard


def read_sounds(path: Path) -> tuple[str, ...]:
    """
    Return the sounds that the sound branch in a file of weights tells apart.

    Of a model's folder the configuration beside the weights names them.
    """
    with safe_open(path, 'np') as file:
        about = file.metadata() or {}
    if 'sounds' in about:
        return tuple(json.loads(about['sounds']))
    return load_config(path.with_name('config.yaml')).audio_tower.sounds
