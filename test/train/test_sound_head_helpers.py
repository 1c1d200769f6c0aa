"""A head that is helped: what the file says is the mean of the head and its two helpers."""

import numpy as np
import pytest
import torch

from audio_interaction_ros.model.sound_head import SoundHead
from train.sound_head.baselines import Branch
from train.sound_head.calibration import Calibration
from train.sound_head.classes import AudioSetClass, SoundClass, SoundClasses
from train.sound_head.helpers import FLOOR, Helpers, Shares
from train.sound_head.net import (
    HeadShape,
    Scaling,
    SoundNet,
    find_context,
    merge_heads,
    prepare_inputs,
)
from train.sound_head.tagger import TaggerClasses

pytestmark = pytest.mark.torch

WIDTH, TAGGER, CONTEXT = 12, 4, 3
CLASSES = SoundClasses(
    alerts={'glass': SoundClass(('glass_break', 'dish_break'), (AudioSetClass(2, '/m/2', '2'),)),
            'siren': SoundClass(('siren',), (AudioSetClass(0, '/m/0', '0'),
                                             AudioSetClass(1, '/m/1', '1')))},
    others={'hum': SoundClass(('hum',), ())})
NAMES = ('siren', 'dish_break', 'glass_break', 'nothing_of_ours')


@pytest.fixture
def helpers():
    torch.manual_seed(0)
    chance = np.random.default_rng(0)
    branch = Branch(NAMES, torch.randn(5, WIDTH), torch.randn(5), torch.randn(4, 5),
                    torch.randn(4))
    tagger = TaggerClasses(chance.standard_normal((3, TAGGER)).astype(np.float32),
                           np.zeros(3, np.float32))
    return Helpers(branch, tagger, CLASSES, Shares(head=0.5, branch=0.3, tagger=0.2))


def test_the_merged_head_says_what_the_joined_logits_say(helpers):
    shape = HeadShape(width=WIDTH, tagger_width=TAGGER, own=6, context=CONTEXT, mixed=8)
    scaling = Scaling.of(torch.randn(40, WIDTH))
    nets = [SoundNet(shape, CLASSES, helpers.tagger, scaling).eval() for _ in range(2)]
    own = Calibration(np.array([1.5, 0.5, 1.0]), np.array([-1.0, 0.0, 0.5]))
    joined = Calibration(np.array([1.2, 0.9, 1.0]), np.array([0.3, -0.2, 0.1]))
    heard, places = torch.randn(9, WIDTH), find_context([9], CONTEXT)
    inputs = prepare_inputs(heard, scaling, helpers.tagger, CLASSES, torch.float32)
    logits = np.mean([net(inputs, places).detach().numpy() for net in nets], 0)
    expected = joined.apply(helpers.join(logits * own.scale + own.shift, heard))
    head = SoundHead(CLASSES.names, CONTEXT,
                     helpers.merge(merge_heads(nets, own.scale, own.shift), CONTEXT, joined))
    units = [np.zeros(head.hidden_width, np.float32)] * (CONTEXT - 1) + [
        head.hear(one) for one in heard.numpy()]
    said = [head.score(np.stack(units[chunk:chunk + CONTEXT])) for chunk in range(len(heard))]
    np.testing.assert_allclose(said, expected, atol=1e-3)


def test_who_is_sure_of_a_silence_says_no_more_than_the_floor(helpers):
    helpers.branch.classes_bias[:] = -90.0
    helpers.tagger.bias[:] = -90.0
    said = helpers.join(np.zeros((4, 3)), torch.randn(4, WIDTH))
    np.testing.assert_allclose(said, -0.5 * FLOOR, atol=1e-3)


def test_any_sound_that_means_a_class_raises_it(helpers):
    quiet = helpers.join(np.zeros((1, 3)), torch.zeros(1, WIDTH))
    for sound in ('dish_break', 'glass_break'):
        helpers.branch.classes_bias[NAMES.index(sound)] += 8.0
        louder = helpers.join(np.zeros((1, 3)), torch.zeros(1, WIDTH))
        assert louder[0, 0] > quiet[0, 0] + 1.0 and louder[0, 1] == quiet[0, 1]
        quiet = louder
