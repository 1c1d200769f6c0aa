"""
The robot's loudspeaker in a scene, played block by block, so that it can answer what is heard.

What is played comes from the playback of ``speech_node``, which may be told to be softer; what the
microphone hears of it, and the reference of the canceller, follow from it. Knows no ears.
"""

from collections.abc import Iterator

import numpy as np

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.speech.playback import Playback
from eval.echo_scenes import BEGAN_NS, NS, PLAYED_HZ, EchoScene

__all__ = ['SceneSpeaker']

_BLOCK = PLAYED_HZ // 50
_AHEAD_S = 0.1
"""So long after it was handed out is a block heard: topics and a sound card."""


class SceneSpeaker:
    """Plays what the robot says in a scene."""

    def __init__(self, scene: EchoScene) -> None:
        """Have played nothing yet."""
        self._scene = scene
        self._playback = Playback(rate_hz=PLAYED_HZ)
        self._playback.begin(1)
        self._playback.put(1, scene.played, 1.0)
        self._played = np.zeros(0, np.float32)
        self._soft: int | None = None  # the first sample that is not as loud as ever
        self.softer_s = 0.0
        """Seconds that were played softer."""

    def soften(self, decibels: float, seconds: float) -> None:
        """Play softer for so many seconds, from the next block on."""
        self._playback.soften(10.0 ** (-decibels / 20.0), seconds)

    def play_until(self, second: float) -> Iterator[AudioBlock]:
        """Yield the blocks of 20 ms, with stamps, that are played up to a time of the scene."""
        while len(self._played) < (second + _AHEAD_S) * PLAYED_HZ:
            at = len(self._played)
            block = self._playback.take(_BLOCK).samples
            loud = self._scene.played[at:at + _BLOCK]
            if not np.array_equal(block[:len(loud)], loud):
                self._soft = at if self._soft is None else self._soft
                self.softer_s += _BLOCK / PLAYED_HZ
            self._played = np.concatenate([self._played, block])
            yield AudioBlock(samples=block, sample_rate_hz=PLAYED_HZ,
                             stamp_ns=BEGAN_NS + at * NS // PLAYED_HZ, seq=at // _BLOCK)

    def hear(self, begin: int, end: int) -> np.ndarray:
        """Return what the microphone hears of all, float32 at 16 kHz, from sample to sample."""
        scene = self._scene
        if self._soft is None:
            return scene.heard[begin:end]
        echo = scene.way.carry(self._played, begin, end)[:len(scene.noise[begin:end])]
        heard = echo + scene.noise[begin:end] + scene.other[begin:end]
        return np.clip(heard, -1.0, 1.0).astype(np.float32)
