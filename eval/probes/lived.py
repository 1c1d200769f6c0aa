"""
What a model is fed while it listens to clips, kept so that its nets can be asked again.

Owns one hearing: the assistant that serves the robot runs over a clip, with a decoder around its
decoder that notes every request, and a hook on the projector of its tower. One causal pass over
what a lane was fed gives what the many small ones gave with their cache, replies included, so a
probe sees decisions in the context in which they were made. Knows no figure.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch import nn

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.config import (
    AssistantConfig,
    AudioConfig,
    LaneConfig,
    ModelConfig,
    resolve_lanes,
)
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.runtimes.base import Allowed, Runtime, StepRequest, StepResult
from eval.probes.clips import ProbeClip
from held_out.clips import RATE

__all__ = ['LANES', 'HeardClip', 'Lived', 'listen']

SLOTS = ModelConfig.slots
LANES = tuple(LaneConfig(name=name, kind=kind, slots=SLOTS, min_confidence=-1, max_reply_tokens=48)
              for name, kind in (('transcript', 'transcript'), ('translation', 'translation'),
                                 ('assistant', 'reply')))


@dataclass
class Lived:
    """What one lane was fed during one clip, and the decisions that it was asked for."""

    clip: str
    lane: str
    threshold: float
    """p_respond at which it responds."""
    ids: list[int] = field(default_factory=list)
    features: list[np.ndarray] = field(default_factory=list)
    """Of each chunk, [features_per_chunk, width] float32."""
    feature_at: list[int] = field(default_factory=list)
    """Where in ``ids`` a feature stands, features_per_chunk of them for each chunk."""
    read_at: list[int] = field(default_factory=list)
    """Where the model decided."""
    log_odds: list[float] = field(default_factory=list)
    """Of responding, each time, as the runtime had them."""
    rolled: bool = False
    """The context gave something up; what came after that is left out."""

    def note(self, request: StepRequest, result: StepResult) -> None:
        """Take in one request of the lane and what came back."""
        begin = len(self.ids)
        self.rolled |= int(request.visible.sum()) != begin
        if self.rolled:
            return
        self.ids += request.ids.tolist()
        if len(request.features):
            self.features.append(request.features)
        self.feature_at += (begin + request.feature_index).tolist()
        if request.allowed is Allowed.CONTROLS:
            self.read_at += (begin + request.read).tolist()
            silence, respond = result.control_logits.T
            self.log_odds += (respond - silence).tolist()


@dataclass(frozen=True)
class HeardClip:
    """One clip: the word features of its chunks before and after the projector, and its lanes."""

    name: str
    encoder: np.ndarray
    """What goes into the projector [chunks, word_features, stacked_width] float32."""
    projector: np.ndarray
    """What comes out of it [chunks, word_features, output_width] float32."""
    lanes: tuple[Lived, ...]


class _NotingDecoder:
    """A decoder around a decoder (runtimes.base.Decoder) that notes what each lane is fed."""

    def __init__(self, decoder: Any, lanes: Sequence[Lived]) -> None:
        self.spec = decoder.spec
        self.open, self.forget = decoder.open, decoder.forget
        self._decoder, self._lanes = decoder, lanes

    def step(self, requests: Sequence[StepRequest]) -> list[StepResult]:
        results: list[StepResult] = self._decoder.step(requests)
        for request, result in zip(requests, results, strict=True):
            self._lanes[request.lane].note(request, result)
        return results


def listen(runtime: Runtime, clip: ProbeClip,
           lanes: Sequence[LaneConfig] = LANES) -> HeardClip:
    """
    Return what a model of the torch runtime is fed of a clip, by lanes as on the robot.

    They are shown every chunk, quiet ones too, and keep more of the past than some models'
    lanes do. Raises ConfigurationError for another runtime.
    """
    tower = getattr(runtime.encoder, 'tower', None)
    if tower is None:
        raise ConfigurationError('expected a model of the torch runtime, whose nets can be '
                                 'looked into, found another; give --runtime torch')
    resolved = resolve_lanes(lanes, runtime.config.lanes)
    lived = tuple(Lived(clip.name, lane.name, lane.threshold) for lane in resolved)
    runtime.encoder.reset()
    assistant = Assistant(
        config=AssistantConfig(lanes=resolved, audio=AudioConfig(quiet_below_dbfs=-200.0)),
        encoder=runtime.encoder, tokenizer=runtime.tokenizer,
        decoder=_NotingDecoder(runtime.decoder, lived))
    before, after = list[np.ndarray](), list[np.ndarray]()

    def note(_: nn.Module, given: Any, made: Any) -> None:
        before.append(given[0][0].float().cpu().numpy())
        after.append(made[0].float().cpu().numpy())
    projector = tower.proj if tower.config.projector == 'linear' else tower.projector
    hook = projector.register_forward_hook(note)
    try:
        for _ in assistant.listen([AudioBlock(samples=clip.samples, sample_rate_hz=RATE,
                                              stamp_ns=0)]):
            pass
    finally:
        hook.remove()
    return HeardClip(clip.name, np.stack(before), np.stack(after), lived)
