"""Packed layers say the same numbers, and only layers that can be packed are."""

import pytest
import torch
from torch import nn

from audio_interaction_ros.runtimes.packed import PackedLinear, can_pack, pack_weights

pytestmark = [pytest.mark.torch, pytest.mark.skipif(
    not can_pack(), reason='this CPU does not compute in bfloat16')]


def network():
    torch.manual_seed(0)
    last = nn.Sequential(nn.Linear(96, 32, bias=False))
    return nn.Sequential(nn.Linear(48, 96), nn.GELU(), last, nn.LayerNorm(32)).eval()


@pytest.mark.parametrize('rows', [1, 3, 24, 100])
@torch.inference_mode()
def test_numbers_are_the_same(rows):
    model = network().bfloat16()
    x = torch.randn(2, rows, 48).bfloat16()
    expected = model(x)
    pack_weights(model)
    assert isinstance(model[0], PackedLinear) and isinstance(model[2][0], PackedLinear)
    torch.testing.assert_close(model(x), expected, atol=0.02, rtol=0.02)


def test_other_numbers_stay_as_they_are():
    model = network()
    pack_weights(model)
    assert isinstance(model[0], nn.Linear) and isinstance(model[2][0], nn.Linear)
