"""The lanes over a stream, and what a model says of those that leave something open."""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from audio_interaction_ros.config.checks import check_ranges, require

__all__ = ['LaneConfig', 'LaneDefaults', 'resolve_lanes']

LANE_KINDS = ('transcript', 'translation', 'reply')


@dataclass(frozen=True, kw_only=True)
class LaneConfig:
    """One always-on instruction context over the stream."""

    name: str
    """Name of the lane, unique."""
    kind: str = 'reply'
    """Which message its replies become: transcript, translation or reply."""
    prompt: str = ''
    """System prompt of the lane; empty: the model's own prompt for a lane of this name."""
    threshold: float = 0.0
    """The lane responds when p_respond reaches this; 0: the model's own threshold."""
    min_confidence: float = 0.0
    """A reply of which the model is less sure is withheld; 0: the model's own, -1: none is."""
    release: float = 1.0
    """Hysteresis: after a reply p_respond must fall below this once before the next one."""
    refractory_s: float = 0.0
    """Seconds of audio after a reply in which the lane stays silent."""
    max_reply_tokens: int = 96
    """Token budget of one reply; the end is forced when it is used up."""
    slots: int = 0
    """Positions that this lane keeps, up to model.slots; 0: the model's own, else model.slots."""
    alerts: bool = False
    """True: replies of this lane may raise alerts."""

    def __post_init__(self) -> None:
        """Check ranges and names."""
        key = f'lane.{self.name}'
        require(bool(self.name), 'lane.name', 'a name', self.name)
        require(self.kind in LANE_KINDS, f'{key}.kind', f'one of {", ".join(LANE_KINDS)}',
                 self.kind)
        check_ranges(self, 'lane', key)
        require(self.min_confidence >= 0 or self.min_confidence == -1,
                 f'{key}.min_confidence', '0 to 1, or -1', self.min_confidence)
        require(self.release > 0, f'{key}.release', 'above 0, up to 1', self.release)
        require(self.slots == 0 or self.slots >= 128, f'{key}.slots', '0, or 128 or more',
                 self.slots)


@dataclass(frozen=True, kw_only=True)
class LaneDefaults:
    """What a model says of a lane that is called so, where the lane leaves it open."""

    prompt: str = ''
    """System prompt that the model was trained with."""
    threshold: float = 0.0
    """Decision threshold, from a validation split; 0: none was measured."""
    min_confidence: float = 0.0
    """Confidence below which a reply is withheld, from a validation split; 0: none is."""
    slots: int = 0
    """Positions that the lane keeps, where that is fewer than it could; 0: all."""


def resolve_lanes(lanes: Iterable[LaneConfig],
                  defaults: Mapping[str, LaneDefaults]) -> tuple[LaneConfig, ...]:
    """Fill in by lane name what a lane leaves to the model: prompt, threshold and so on."""
    return tuple(_resolve(lane, defaults.get(lane.name, LaneDefaults())) for lane in lanes)


def _resolve(lane: LaneConfig, default: LaneDefaults) -> LaneConfig:
    return dataclasses.replace(
        lane, prompt=lane.prompt or default.prompt,
        threshold=lane.threshold or default.threshold or 0.5,
        min_confidence=lane.min_confidence or default.min_confidence,
        slots=lane.slots or default.slots)
