"""What is trained is what serves: features, configuration, and attention as gradients see it."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from audio_interaction_ros.checkpoints.config import dump_config, load_config
from audio_interaction_ros.model import decoder
from audio_interaction_ros.model.audio_tower import AudioTower, SoundBranch
from audio_interaction_ros.model.shapes import AudioTowerConfig
from train.edge import adapter
from train.edge.adapter import Edge
from train.edge.layout import IDS, THRESHOLDS
from train.edge.ship import make_configuration
from train.edge.stage_b import exchange_words
from train.tokens import IGNORE

pytestmark = pytest.mark.torch

SMALL = AudioTowerConfig(mel_bins=8, width=16, layers=3, heads=2, mlp_width=32, window_frames=200,
                         keep_frames=20, stack=4, second_look=True, feature_norm=3.2,
                         projector='mlp', projector_hidden=24, output_width=12,
                         sounds=('rain', 'siren'), sound_levels=(1, 2), sound_hidden=8)


class Ears(Edge):
    """The trained side of a tower, without a language model."""

    def __init__(self, tower: AudioTower) -> None:
        nn.Module.__init__(self)
        self.projector, self.sound = tower.projector, SoundBranch(SMALL)
        self.sound.load_state_dict(tower.sound.state_dict())


@torch.no_grad()
def test_training_hears_the_features_that_serve(monkeypatch):
    monkeypatch.setattr(adapter, 'TOWER', SMALL)
    torch.manual_seed(0)
    tower = AudioTower(SMALL).eval()
    mel = torch.randn(3, 8, 200)
    levels = tower.levels(mel)
    frames, heard = tower.stack_frames(levels[-1]), tower.sound_inputs(mel, levels)
    features = Ears(tower).eval().features(frames, heard)
    served = tower(mel)
    assert served.shape == (3, SMALL.features_per_chunk, 12)
    torch.testing.assert_close(features, served.flatten(0, 1))
    taught = Ears(tower).features(frames, heard)
    assert not torch.allclose(taught, features)  # while it learns, parts drop out


def test_some_words_of_replies_are_exchanged_and_nothing_else():
    torch.manual_seed(0)
    said = list(range(100, 160))
    ids = torch.tensor([[IDS.audio_begin, 7, IDS.respond, *said, IDS.text_end]])
    text = torch.tensor([[IGNORE, IGNORE, *said, IDS.text_end, IGNORE]])
    found = exchange_words(ids, text, share=0.5)
    changed = (found != ids)[0]
    assert 15 < changed.sum() < 45 and not changed[:3].any() and not changed[-1]
    assert set(found[0, 3:-1].tolist()) <= set(said)
    assert exchange_words(ids, text, share=0.0).equal(ids)


def test_a_shipped_configuration_is_read_as_it_was_written(tmp_path):
    written = make_configuration(dict(THRESHOLDS), ('rain', 'siren'), {'assistant': 0.7})
    dump_config(written, tmp_path / 'config.yaml')
    read = load_config(tmp_path / 'config.yaml')
    assert read == written
    assert read.audio_tower.sounds == ('rain', 'siren')
    assert {name: lane.threshold for name, lane in read.lanes.items()} == THRESHOLDS
    assert read.lanes['assistant'].min_confidence == 0.7
    assert read.audio_tower.tagger and read.base.tagger == 'yamnet'
    assert read.audio_tower.sound_width == 3 * 3 * 512 + 1024


def test_the_gradient_of_training_on_a_cpu_is_that_of_the_fused_attention():
    torch.manual_seed(0)
    shapes = (2, 6, 9, 8), (2, 2, 9, 8), (2, 2, 9, 8)  # six heads share two of keys and values
    fused = [torch.randn(shape).requires_grad_() for shape in shapes]
    plain = [x.detach().bfloat16().requires_grad_() for x in fused]
    weight = torch.randn(shapes[0])
    expected = F.scaled_dot_product_attention(*fused, is_causal=True, enable_gqa=True)
    (expected * weight).sum().backward()
    found = decoder._attend(*plain, None)
    (found.float() * weight).sum().backward()
    torch.testing.assert_close(found.float(), expected, atol=0.03, rtol=0.03)
    for ours, theirs in zip(plain, fused, strict=True):
        error = (ours.grad.float() - theirs.grad).norm() / theirs.grad.norm()
        assert error < 0.03
