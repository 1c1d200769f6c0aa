"""
Hears clips of ProactiveSound-Bench by the sound head alone, as on a robot whose alerts come of it.

A clip is responded to when a sound of the profile begins in it. Owns that and no file; the lane of
the model, its replies and its context play no part. What begins is what the robot's own detector
says, with thresholds that rise.
"""

import numpy as np

from audio_interaction_ros.assembly import build_detector, build_pipeline
from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.config import AlertsConfig, AssistantConfig
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.offline import TAIL_S
from audio_interaction_ros.runtimes.base import Runtime
from audio_interaction_ros.stream.events import SoundStarted
from eval.hearing.record import HeardReply, Hearing
from held_out.clips import RATE

__all__ = ['SoundListener']


class SoundListener:
    """Takes the place of ``eval.hearing.listener.Listener``: a sound that begins is a reply."""

    def __init__(self, runtime: Runtime, profile: str, lane: str) -> None:
        """Take a model that tells sounds apart, and the lane in whose name they are told."""
        if runtime.sounds is None:
            raise ConfigurationError('--evidence sounds: expected a model that tells sounds '
                                     'apart, found one without a sound head; give another --model')
        self._runtime, self._lane = runtime, lane
        self._config = AssistantConfig(alerts=AlertsConfig(evidence='sounds', profile=profile))

    def hear(self, name: str, samples: np.ndarray) -> Hearing:
        """Return what begins in samples [n] at 16 kHz and in the silence behind them."""
        self._runtime.encoder.reset()
        pipeline = build_pipeline(self._config, self._runtime.encoder, self._runtime.sounds,
                                  taught=())
        detector = build_detector(self._config.alerts)
        block = AudioBlock(samples=samples, sample_rate_hz=RATE, stamp_ns=0)
        begun = [event for chunk in (*pipeline.push(block), *pipeline.flush(TAIL_S))
                 for event in detector.push(chunk) if isinstance(event, SoundStarted)]
        return Hearing(key='', name=name, seconds=len(samples) / RATE, replies=[
            HeardReply(lane=self._lane, at=event.stamp_ns / 1e9, p_respond=event.score,
                       text=event.sound) for event in begun])
