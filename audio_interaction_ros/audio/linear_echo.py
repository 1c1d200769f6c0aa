"""
The robot's own voice taken out by a linear filter alone: less of it goes, and nobody else's voice.

Owns a filter that learns the way from loudspeaker to microphone: frequency by frequency, one part
for each 10 ms that the way is long, each with how uncertain it is (a Kalman filter, after Enzner
and Vary, 2006). What such a filter leaves of the robot is loud enough to be read as words, so it
serves only who knows what the robot says. No library has it: of WebRTC's canceller only what is
left after its suppressor comes out, and that suppressor takes a person's "stop" too.
"""

import numpy as np

__all__ = ['LinearEcho']

_FRAME = 160
_PARTS = 26
"""10 ms each; delay and ringing together must be shorter."""
_KEPT = 0.998
"""Of what is known from one frame to the next: rooms and clocks move."""
_SMOOTH = 0.9
_LEAST = 1e-10


class LinearEcho:
    """Cancels the echo of one loudspeaker; an ``audio.echo.EchoProcessor``."""

    delay = 0

    def __init__(self) -> None:
        """Know nothing of the room, and expect its late echoes to be soft."""
        bins = _FRAME + 1
        self._newest = np.zeros(2 * _FRAME)  # of what was played
        self._played = np.zeros((_PARTS, bins), complex)
        self._way = np.zeros((_PARTS, bins), complex)
        self._doubt = np.repeat(10.0 ** (-np.arange(_PARTS)[:, None] / 10), bins, axis=1)
        self._others = np.full(bins, 1e-6)  # power of all that is no echo

    def process(self, heard: np.ndarray, played: np.ndarray) -> np.ndarray:
        """Return 10 ms without what was played; float32 [160], 16 kHz, all three."""
        self._newest = np.concatenate([self._newest[_FRAME:], played])
        self._played = np.roll(self._played, 1, axis=0)
        self._played[0] = np.fft.rfft(self._newest)
        echo = np.fft.irfft((self._played * self._way).sum(axis=0))[_FRAME:]
        left = heard - echo
        self._learn(np.fft.rfft(np.concatenate([np.zeros(_FRAME), left])))
        return np.asarray(left, np.float32)

    def _learn(self, left: np.ndarray) -> None:
        """Move the filter by the spectrum [161] of what is left, as far as it is in doubt."""
        power = np.abs(self._played) ** 2
        self._others = _SMOOTH * self._others + (1 - _SMOOTH) * np.abs(left) ** 2
        pace = self._doubt / ((power * self._doubt).sum(axis=0) / 2 + self._others + _LEAST)
        step = np.fft.irfft(pace * self._played.conj() * left, axis=1)
        step[:, _FRAME:] = 0.0  # a part is 10 ms long, and no circle
        self._way = _KEPT * (self._way + np.fft.rfft(step, axis=1))
        self._doubt = np.maximum(_LEAST, _KEPT ** 2 * (1 - pace * power / 2) * self._doubt
                                 + (1 - _KEPT ** 2) * np.abs(self._way) ** 2)
