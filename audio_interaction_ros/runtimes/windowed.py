"""
The encoder of every backend: a sliding window of mel over a function that keeps nothing.

Owns the left context and the check of what comes in. Numpy only; the backend encodes one window.
"""

from collections.abc import Callable

import numpy as np

from audio_interaction_ros.checkpoints.config import CheckpointConfig
from audio_interaction_ros.runtimes.base import Encoding
from audio_interaction_ros.runtimes.specs import encoder_spec

__all__ = ['WindowedEncoder']


class WindowedEncoder:
    """
    Encodes one chunk at a time; remembers the mel of earlier chunks as left context.

    A shallow copy, reset, is another stream over the same weights: the window is replaced, never
    written into.
    """

    def __init__(self, run: Callable[[np.ndarray], Encoding], config: CheckpointConfig,
                 model_id: str) -> None:
        """
        Take what encodes a window.

        ``run`` returns the encoding, arrays of its own, of mel [rows, window_frames] float32,
        contiguous.
        """
        self.spec = encoder_spec(config, model_id)
        self._run = run
        self._before = config.audio_tower.initial_mel(config.audio_tower.window_frames)
        self.reset()

    def reset(self) -> None:
        """Forget all left context, as at the start of a stream."""
        self._window = self._before

    def encode(self, mel: np.ndarray) -> Encoding:
        """Return the encoding of the window that ends with mel [rows, frames]."""
        self.skip(mel)
        return self._run(self._window)

    def skip(self, mel: np.ndarray) -> None:
        """Move the window on by mel [rows, frames] of a chunk and encode nothing."""
        expected = (self.spec.mel_rows, self.spec.chunk_size.frames)
        if mel.shape != expected:
            raise ValueError(f'expected mel {expected}, found {mel.shape}')
        self._window = np.concatenate((self._window[:, mel.shape[1]:], mel), axis=1,
                                      dtype=np.float32)
