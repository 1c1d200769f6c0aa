"""Thresholds over features on disk."""

import numpy as np
import pytest
import torch

from audio_interaction_ros.model.audio_tower import AudioTower
from audio_interaction_ros.model.shapes import AudioTowerConfig
from train.edge.evaluate import project_stream, sweep_thresholds
from train.edge.feature_folder import feature_files
from train.records import Stream

pytestmark = pytest.mark.torch


def test_sweep_counts_recall_and_false_fires():
    rows = {t: (recall, false) for t, recall, false in sweep_thresholds(
        np.array([0.95, 0.45, 0.35, 0.1]), np.array([1, 1, 0, 0]))}
    assert rows[0.5] == (0.5, 0.0)
    assert rows[0.3] == (1.0, 0.5)


@pytest.mark.parametrize('sounds', [(), ('any', 'siren')])
@torch.inference_mode()
def test_features_from_disk_are_those_of_the_tower(tmp_path, sounds):
    torch.manual_seed(1)
    tower = AudioTower(AudioTowerConfig(
        mel_bins=8, width=16, layers=2, heads=2, mlp_width=32, window_frames=80, stack=4,
        output_width=12, feature_norm=3.0, sounds=sounds, sound_levels=(1, 2) if sounds else ()))
    mel = torch.randn(3, 8, 80)
    levels = tower.levels(mel)
    stream = Stream(id='a', ability='proactive', task='alert', seed=0, path='', chunks=3)
    frames, heard = feature_files(tmp_path, stream)
    frames.parent.mkdir()
    np.save(frames, tower.stack_frames(levels[-1]).numpy())
    np.save(heard, tower.sound_inputs(mel, levels).numpy() if sounds else np.zeros((3, 0)))
    torch.testing.assert_close(project_stream(tower, tmp_path, stream),
                               tower(mel).reshape(-1, 12))
