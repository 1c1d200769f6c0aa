"""The layer probe names what can be told apart, and nothing else."""

import pytest
import torch

from held_out.splits import fold_of
from train.edge.probe import probe_level

pytestmark = pytest.mark.torch


def test_separable_sounds_are_named_on_recordings_that_were_held_out():
    torch.manual_seed(0)
    labels = [0, 1] * 20
    folds = [i // 2 % 5 for i in range(40)]
    clip = torch.arange(40).repeat_interleave(120)
    noise = torch.randn(4_800, 4)
    told = noise.clone()
    told[:, 0] += torch.tensor(labels)[clip] * 12.0
    assert probe_level(told, clip, labels, folds, {1}) == (1.0, 1.0)
    assert probe_level(noise, clip, labels, folds, {1})[0] < 0.9


def test_clips_of_one_recording_share_a_fold():
    assert fold_of('freesound:1') == fold_of('freesound:1')
    assert {fold_of(f'freesound:{n}') for n in range(50)} == {0, 1, 2, 3, 4}
