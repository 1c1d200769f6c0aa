"""
The place before what is checked: a robot has heard it for minutes, a check has a second of it.

A threshold that rises with what a place sounds like would be tried where it knows none. So the
first chunks of a check count as though they had lasted LEAD_S. Owns that, and which chunks of a
stream are its place. Knows no detector.
"""

import numpy as np

from audio_interaction_ros.protocol import CHUNK_S
from train.sound_head.checks import CONDITIONS
from train.sound_head.dataset import Stream
from train.sound_head.hours import HOURS

__all__ = ['LEAD_S', 'count_place', 'lengthen']

LEAD_S = 12.0
PLACES = ('ambience', HOURS)
"""Kinds of streams that are a place themselves: nothing stands before them."""
SINGLES_LEAD = 2
"""A single sound or somebody who speaks begins after at least so many chunks of silence."""


def count_place(stream: Stream) -> int:
    """Return how many chunks of a stream come before what is checked in it."""
    if stream.kind in CONDITIONS:
        return int(stream.events[0].start / CHUNK_S)
    return 0 if stream.kind in PLACES else SINGLES_LEAD


def lengthen(scores: np.ndarray, lead: int, lead_s: float = LEAD_S) -> tuple[np.ndarray, int]:
    """Return scores whose first ``lead`` chunks last ``lead_s`` more, and how many these are."""
    if not lead:
        return scores, 0
    more = round(lead_s / CHUNK_S)
    own = scores[min(1, lead - 1):lead]  # the very first window is not full yet
    return np.concatenate([np.resize(own, more), scores]), more
