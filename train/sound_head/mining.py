"""
What a first head takes for an alert in hours without any: learned again with more weight.

Owns which chunks these are. Each chunk is judged by first heads that did not hear its fold, so
what is mined are mistakes of the kind that the robot would make, not what was merely not learned.
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from train.sound_head.calibration import fit_calibration
from train.sound_head.checks import BACKGROUNDS
from train.sound_head.classes import ABSENT
from train.sound_head.heads import Training, score_held_out
from train.sound_head.hours import HOURS
from train.sound_head.net import SoundNet

__all__ = ['MINED_WEIGHT', 'mine']

MINED_WEIGHT = 5.0
SURE = 0.1
"""A chunk is mined where a first head gives any alert that is absent so much."""
QUIET = (HOURS, *BACKGROUNDS)


def mine(training: Training, first: Mapping[str, SoundNet]) -> Tensor:
    """Return the weight of each chunk [chunks] float32: more for mistakes of the first heads."""
    streams = training.dataset.choose(lambda stream: stream.kind not in training.composed)
    logits = score_held_out(training, first, streams)
    targets = [training.dataset.targets[stream.places].numpy() for stream in streams]
    calibration = fit_calibration(np.concatenate(logits), np.concatenate(targets))
    weights, alerts = torch.ones(len(training.dataset.targets)), len(training.classes.alerts)
    for stream, one, target in zip(streams, logits, targets, strict=True):
        if stream.kind in QUIET:
            wrong = (calibration.apply(one) >= SURE) & (target == ABSENT)
            weights[stream.places][torch.from_numpy(wrong[:, :alerts].any(1))] = MINED_WEIGHT
    return weights
