"""
Whether a speaker is through, by how it was said: Smart Turn 3.2 (BSD-2-Clause) on ONNX Runtime.

The net hears the last eight seconds up to a pause and tells a voice that has come to its end from
one that only takes breath. Owns how samples are made ready for it. Knows neither words nor how
long a pause is.
"""

from typing import Any

import numpy as np
import onnxruntime as ort

from audio_interaction_ros.audio.mel import whole_file_mel
from audio_interaction_ros.checkpoints.base_weights import fetch
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.runtimes.onnx_session import make_tidy, open_session

__all__ = ['HEARD_S', 'SmartTurn', 'load']

HEARD_S = 8
"""So many seconds are heard, the newest ones; what is missing is silence before them."""
_BINS = 80
_STEADY = 1e-7
"""Added to the variance, so that silence can be scaled as well."""


class SmartTurn:
    """The net and what it wants its samples to be."""

    def __init__(self, session: ort.InferenceSession) -> None:
        """Take a session with one input [1, 80, 800], a mel, and one output, a probability."""
        self._session = session
        self._input = session.get_inputs()[0].name
        self._tidy = make_tidy()

    def __call__(self, samples: np.ndarray) -> float:
        """
        Return how likely it is, 0 to 1, that who speaks in samples [n] at 16 kHz is through.

        They should end with some 0.2 s of silence: the net was trained on pauses that begin.
        """
        mel = whole_file_mel(prepare(samples), _BINS)
        answer: Any = self._session.run(None, {self._input: mel[None]}, self._tidy)[0]
        return float(answer.reshape(-1)[0])


def prepare(samples: np.ndarray) -> np.ndarray:
    """Return the newest eight seconds of samples [n], with mean 0 and variance 1."""
    count = HEARD_S * SAMPLE_RATE_HZ
    newest = np.asarray(samples, np.float32)[-count:]
    heard = np.pad(newest, (count - len(newest), 0))
    scaled: np.ndarray = (heard - heard.mean()) / np.sqrt(heard.var() + _STEADY)
    return scaled


def load(*, threads: int | None = None) -> SmartTurn:
    """Bring the net up, fetched where it is missing; for errors see base_weights.fetch."""
    return SmartTurn(open_session(fetch('smart-turn') / 'model.onnx', threads=threads))
