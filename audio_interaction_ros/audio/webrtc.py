"""
WebRTC's echo canceller (AEC3), as the package ``livekit`` brings it.

Owns what is asked of that package. No room, no network: only its audio processing is used.
"""

import numpy as np

from audio_interaction_ros.errors import MissingDependencyError
from audio_interaction_ros.protocol import SAMPLE_RATE_HZ

__all__ = ['WebRtcEcho']


class WebRtcEcho:
    """Cancels the echo of one loudspeaker; finds delays of up to some 0.4 s itself."""

    delay = 128
    """Its output is 8 ms late: the overlap of its filter bank."""

    def __init__(self) -> None:
        """Load the library; raises MissingDependencyError."""
        try:
            from livekit import rtc
        except (ImportError, OSError) as error:
            raise MissingDependencyError(
                f'audio.echo: webrtc needs the package livekit, found {error}; run: pip install '
                f'"livekit>=1.2,<2", or set audio.echo to none') from error
        self._frame = rtc.AudioFrame
        self._module = rtc.AudioProcessingModule(echo_cancellation=True)

    def process(self, heard: np.ndarray, played: np.ndarray) -> np.ndarray:
        """Return 10 ms without what was played; float32 [160], 16 kHz, all three."""
        self._module.process_reverse_stream(self._wrap(played))
        frame = self._wrap(heard)
        self._module.process_stream(frame)
        out: np.ndarray = np.frombuffer(frame.data, '<i2').astype(np.float32) / 32768.0
        return out

    def _wrap(self, samples: np.ndarray) -> object:
        data = bytearray((np.clip(samples, -1.0, 1.0) * 32767.0).astype('<i2').tobytes())
        return self._frame(data, SAMPLE_RATE_HZ, 1, len(samples))
