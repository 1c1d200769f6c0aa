"""
The encoder on an engine: the tower's graph, window by window, recorded once with its copies.

Owns nothing but the call; the window is that of runtimes.windowed.
"""

import numpy as np

from audio_interaction_ros.checkpoints.config import CheckpointConfig
from audio_interaction_ros.graphs.names import EMBEDDING_OUTPUT, FEATURES_OUTPUT, MEL_INPUT
from audio_interaction_ros.runtimes.base import Encoding
from audio_interaction_ros.runtimes.device_memory import DeviceMemory
from audio_interaction_ros.runtimes.engine_step import Buffer, Engine
from audio_interaction_ros.runtimes.windowed import WindowedEncoder

__all__ = ['EngineTower']


class EngineTower(WindowedEncoder):
    """Encodes one chunk at a time with an engine of the tower."""

    def __init__(self, config: CheckpointConfig, *, model_id: str, tower: Engine,
                 memory: DeviceMemory) -> None:
        """Take the engine; addresses are fixed here, for one window at a time."""
        shape = config.audio_tower
        windows = (1, *shape.initial_mel(shape.window_frames).shape)
        features = (1, shape.features_per_chunk, shape.output_width)
        mel, out = (Buffer(memory, size, np.dtype(np.float32)) for size in (windows, features))
        context = tower.context(0)
        context.bind(MEL_INPUT, mel.address, windows)
        context.bind(FEATURES_OUTPUT, out.address, features)
        widths = [(1, shape.sound_width)] * bool(shape.sounds)
        embeddings = [Buffer(memory, width, np.dtype(np.float32)) for width in widths]
        for buffer, width in zip(embeddings, widths, strict=True):
            context.bind(EMBEDDING_OUTPUT, buffer.address, width)

        def work() -> None:
            mel.send(windows)
            context.run(memory.queue)
            out.fetch(features)
            for buffer, width in zip(embeddings, widths, strict=True):
                buffer.fetch(width)

        work()  # what a first run sets up must not be recorded
        memory.wait()
        encode = memory.record(work)

        def run(window: np.ndarray) -> Encoding:
            mel.view(windows)[0] = window
            encode()
            memory.wait()
            return Encoding(
                features=out.view(features)[0].copy(),
                embedding=embeddings[0].view(widths[0])[0].copy() if embeddings
                else np.empty(0, np.float32))

        super().__init__(run, config, model_id)
