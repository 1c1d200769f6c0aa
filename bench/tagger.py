"""
YAMNet alone, on ONNX Runtime: the tagger that the edge model listens with, as others run it.

Owns the session of a graph that holds nothing else. It ends at the embedding, for the weights that
the project fetches do not have the last matrix (1,024 x 521, one percent of the arithmetic).
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from audio_interaction_ros.audio.magnitudes import log_magnitudes
from audio_interaction_ros.audio.mel import HISTORY_SAMPLES, windowed_frames
from audio_interaction_ros.checkpoints.arrays import load_arrays
from audio_interaction_ros.checkpoints.base_weights import fetch
from audio_interaction_ros.graphs.builder import GraphBuilder
from audio_interaction_ros.graphs.yamnet import add_yamnet
from audio_interaction_ros.model.shapes import PATCH_FRAMES
from audio_interaction_ros.protocol import MAGNITUDE_BINS, MEL_HOP_SAMPLES
from audio_interaction_ros.runtimes.onnx_session import open_session

__all__ = ['PATCH_SAMPLES', 'load_tagger', 'spectrogram']

PATCH_SAMPLES = 2 * HISTORY_SAMPLES + MEL_HOP_SAMPLES * (PATCH_FRAMES - 1)


def load_tagger(threads: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return what makes an embedding [1024] of a spectrogram [64, 96]."""
    builder = GraphBuilder('yamnet')
    heard = builder.input('spectrogram', np.float32, (1, MAGNITUDE_BINS, PATCH_FRAMES))
    made = add_yamnet(builder, heard, load_arrays([fetch('yamnet') / 'model.safetensors']),
                      frames=PATCH_FRAMES)
    builder.output(builder.rename(made, 'embedding'), np.float32, (1, 1024))
    with tempfile.TemporaryDirectory(prefix='bench-') as folder:
        path = Path(folder) / 'yamnet.onnx'
        builder.save(path)
        session = open_session(path, threads=threads)

    def tag(patch: np.ndarray) -> np.ndarray:
        embedding: np.ndarray = session.run(['embedding'], {'spectrogram': patch[None]})[0][0]
        return embedding
    return tag


def spectrogram(samples: np.ndarray) -> np.ndarray:
    """Return the patch [64, 96] of PATCH_SAMPLES samples."""
    return log_magnitudes(windowed_frames(samples))
