"""What passes in one forward pass: which ids a lane feeds, and what it gets back."""

import enum
from dataclasses import dataclass

import numpy as np

from audio_interaction_ros.protocol import Block

__all__ = ['Allowed', 'StepRequest', 'StepResult']


class Allowed(enum.Enum):
    """Which ids a pass may choose from at the last position that is read."""

    CONTROLS = 'controls'
    """Nothing is chosen: only the two controls are scored, at every position that is read."""
    FIRST = 'first'
    """The first token of a reply: text, its end, or an emotion."""
    TEXT = 'text'
    """Text or its end."""


@dataclass(frozen=True, kw_only=True)
class StepRequest:
    """
    One lane's share of one forward pass.

    T positions are fed; their keys and values are written to cache slots that the caller chose.
    ``visible`` tells which slots written earlier may be attended to; the new positions see
    these and, causally, each other. With an empty ``read`` the pass only fills the cache.
    """

    lane: int
    ids: np.ndarray  # [T] int64
    slots: np.ndarray  # [T] int64, cache slots to write, all different
    positions: np.ndarray  # [T] int64, absolute RoPE positions
    visible: np.ndarray  # [S_max] bool, slots of earlier steps
    feature_index: np.ndarray  # [F] int64, where in 0..T-1 embeddings are overwritten; may be []
    features: np.ndarray  # [F, feature_width] float32
    read: np.ndarray  # [R] int64, which of 0..T-1 to score
    allowed: Allowed
    """What is chosen from at the last of ``read``."""

    @classmethod
    def of_block(cls, block: Block, *, lane: int, slots: np.ndarray, positions: np.ndarray,
                 visible: np.ndarray, features: np.ndarray, allowed: Allowed) -> 'StepRequest':
        """Return the request that feeds a block of the protocol."""
        return cls(lane=lane, ids=np.array(block.ids, np.int64), slots=slots,
                   positions=positions, visible=visible,
                   feature_index=np.array(block.feature_at, np.int64), features=features,
                   read=np.array(block.read_at, np.int64), allowed=allowed)


@dataclass(frozen=True, kw_only=True)
class StepResult:
    """What one lane gets back from one forward pass."""

    control_logits: np.ndarray  # [R, 2] float32: silence, respond
    token: int | None = None
    """The likeliest of the allowed ids; None where only the controls were asked for."""
    log_prob: float | None = None
    """Of the token, among the allowed ids; NaN where a score of any id is no finite number."""
