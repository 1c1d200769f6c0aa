"""
The echo canceller of Speex, a linear filter and a suppressor, as the package ``pyaec`` brings it.

Owns what is asked of that package. It takes less of an echo away than WebRTC's, and less of what
somebody else says meanwhile.
"""

import numpy as np

from audio_interaction_ros.errors import MissingDependencyError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ

__all__ = ['SpeexEcho']

_FRAME = 160
_FILTER_S = 0.256
"""Delay and ringing together must be shorter."""


class SpeexEcho:
    """Cancels the echo of one loudspeaker."""

    delay = 0

    def __init__(self) -> None:
        """Load the library; raises MissingDependencyError."""
        try:
            from pyaec import Aec
        except (ImportError, OSError, AttributeError) as error:
            raise MissingDependencyError(
                f'audio.echo: speex needs the package pyaec, found {error}; run: pip install '
                f'"pyaec>=1.0,<2", or set audio.echo to none or webrtc') from error
        self._canceller = Aec(_FRAME, round(_FILTER_S * SAMPLE_RATE_HZ), SAMPLE_RATE_HZ, True)

    def process(self, heard: np.ndarray, played: np.ndarray) -> np.ndarray:
        """Return 10 ms without what was played; float32 [160], 16 kHz, all three."""
        left = self._canceller.cancel_echo(_to_integers(heard), _to_integers(played))
        return np.asarray(left, np.float32) / 32768.0


def _to_integers(samples: np.ndarray) -> list[int]:
    whole: list[int] = (np.clip(samples, -1.0, 1.0) * 32767.0).astype(np.int16).tolist()
    return whole
