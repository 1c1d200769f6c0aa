"""
The encoder on ONNX Runtime: the graph of graphs.audio_tower, window by window.

Owns nothing but the call; the window is that of runtimes.windowed.
"""

import numpy as np
import onnxruntime as ort

from audio_interaction_ros.checkpoints.config import CheckpointConfig
from audio_interaction_ros.graphs.names import EMBEDDING_OUTPUT, FEATURES_OUTPUT, MEL_INPUT
from audio_interaction_ros.runtimes.base import Encoding
from audio_interaction_ros.runtimes.windowed import WindowedEncoder

__all__ = ['OnnxEncoder']


class OnnxEncoder(WindowedEncoder):
    """Encodes one chunk at a time with a session of the tower's graph."""

    def __init__(self, config: CheckpointConfig, *, model_id: str,
                 tower: ort.InferenceSession) -> None:
        names = [FEATURES_OUTPUT, *[EMBEDDING_OUTPUT] * bool(config.audio_tower.sounds)]

        def run(window: np.ndarray) -> Encoding:
            features, *embedding = tower.run(names, {MEL_INPUT: window[None]})
            return Encoding(features=features[0], embedding=embedding[0][0] if embedding
                            else np.empty(0, np.float32))

        super().__init__(run, config, model_id)
        run(self._window)  # the first run takes several times as long, so none of a stream is it
