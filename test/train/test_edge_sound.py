"""The sound branch as it is trained: its loss, the choice of an epoch, what is written."""

from argparse import Namespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from audio_interaction_ros.checkpoints.config import dump_config
from audio_interaction_ros.model.audio_tower import SoundBranch
from train.edge.feature_folder import read_sounds
from train.edge.features import tower_config
from train.edge.recipe import Training
from train.edge.ship import make_configuration
from train.edge.sound import (
    NoAlertsError,
    make_branch,
    make_figures,
    save_branch,
    step_loss,
    train,
)
from train.edge.sound_targets import TAGGER_CLASSES, UNKNOWN

pytestmark = pytest.mark.torch

SOUNDS = ('rain', 'siren')


@pytest.fixture
def branch():
    torch.manual_seed(0)
    return SoundBranch(tower_config(SOUNDS))


def test_what_is_written_hears_unscaled_summaries_as_the_branch_hears_scaled_ones(
        branch, tmp_path):
    width = branch.hidden.in_features
    mean, deviation = torch.randn(width), torch.rand(width) + 0.5
    heard = torch.randn(3, width) * deviation + mean
    expected = branch((heard - mean) / deviation)
    save_branch(branch, mean, deviation, SOUNDS, tmp_path / 'sound.safetensors')
    written = {name.removeprefix('sound.'): value
               for name, value in load_file(tmp_path / 'sound.safetensors').items()}
    branch.load_state_dict(written)
    torch.testing.assert_close(branch(heard), expected, atol=1e-4, rtol=1e-4)
    assert read_sounds(tmp_path / 'sound.safetensors') == SOUNDS
    assert [path.name for path in tmp_path.iterdir()] == ['sound.safetensors']


def test_weights_of_a_models_folder_are_told_apart_by_its_configuration(branch, tmp_path):
    dump_config(make_configuration({'assistant': 0.9}, SOUNDS), tmp_path / 'config.yaml')
    save_file(branch.state_dict(), tmp_path / 'trained.safetensors')
    assert read_sounds(tmp_path / 'trained.safetensors') == SOUNDS


def gradient(branch, wanted, soft=None):
    torch.manual_seed(1)
    tagger = torch.nn.Linear(branch.hidden.out_features, TAGGER_CLASSES)
    heard = torch.randn(len(wanted), branch.hidden.in_features)
    branch.zero_grad()
    step_loss(branch, tagger, heard, torch.tensor(wanted), soft, torch.ones(2)).backward()
    return branch.classes.bias.grad.clone(), tagger.weight.grad


def test_what_is_unknown_teaches_nothing(branch):
    classes, _ = gradient(branch, [[UNKNOWN, 1.0], [UNKNOWN, 0.0]])
    assert classes[0] == 0 and classes[1] != 0


def test_chunks_that_the_tagger_did_not_hear_teach_its_head_nothing(branch):
    soft = torch.full((2, TAGGER_CLASSES), UNKNOWN)
    assert gradient(branch, [[0.0, 1.0]] * 2, soft)[1] is None
    soft[1] = 0.5
    assert gradient(branch, [[0.0, 1.0]] * 2, soft)[1].abs().sum() > 0


def test_figures_leave_unknown_chunks_out():
    truth = np.array([[UNKNOWN, 1], [1, 0], [0, 0]])
    scores = np.array([[0.9, 0.8], [0.5, 0.1], [0.2, 0.3]])
    found = make_figures(scores, truth, SOUNDS)
    assert found.by_sound == {'rain': 1.0, 'siren': 1.0}
    assert found.alerts == 1.0 and found.recall == 1.0


def test_validation_without_an_alert_is_refused():
    with pytest.raises(NoAlertsError, match='scenes.alert.validation'):
        make_figures(np.ones((2, 2)), np.array([[1, 0], [0, 0]]), SOUNDS)


def test_a_training_writes_its_best_epoch_and_says_what_it_hears(branch, tmp_path, capsys):
    heard = torch.randn(8, branch.hidden.in_features)
    wanted = torch.tensor([[0.0, 1.0], [1.0, 0.0]] * 3 + [[UNKNOWN, 0.0]] * 2)
    scenes = Namespace(heard=heard, targets=wanted, tagged=torch.rand(8, TAGGER_CLASSES))
    train(branch, scenes, scenes, SOUNDS,
          Training(minutes=1e-9, rate=1e-3), tmp_path / 'sound.safetensors')
    assert read_sounds(tmp_path / 'sound.safetensors') == SOUNDS
    said = capsys.readouterr().out
    assert said.startswith('epoch 1: loss') and 'siren' in said.splitlines()[-1]


def test_a_branch_with_strength_says_little_of_what_it_hardly_hears(monkeypatch):
    monkeypatch.setattr('train.edge.sound.embed_names', lambda sounds: torch.ones(len(sounds),
                                                                                  576))
    heard = torch.randn(1, tower_config(SOUNDS).sound_width)
    strength, direction = (make_branch(SOUNDS, sound_feature=each)(heard).norm().item()
                           for each in ('strength', 'direction'))
    assert direction == pytest.approx(3.2, rel=1e-3) and strength < 0.4
