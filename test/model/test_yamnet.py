"""YAMNet against the same layers written out in numpy, padded as TensorFlow pads."""

import numpy as np
import pytest
import torch
from torch import nn

from audio_interaction_ros.model.shapes import EMBEDDING_WIDTH, PATCH_FRAMES
from audio_interaction_ros.model.yamnet import Yamnet

pytestmark = pytest.mark.torch

# MobileNet v1 after its first convolution: width and stride of each separable convolution.
SEPARABLE = [(64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1), (512, 1),
             (512, 1), (512, 1), (512, 1), (1024, 2), (1024, 1)]


@pytest.fixture(scope='module')
def yamnet():
    torch.manual_seed(0)
    net = Yamnet().eval()
    for module in net.convolutions:
        nn.init.kaiming_normal_(module.weight, nonlinearity='relu')
        nn.init.normal_(module.bias, std=0.1)
    return net


def same(x, stride):
    """Pad x [C, H, W] for a kernel of 3 as TensorFlow's SAME does: what is odd goes last."""
    widths = []
    for size in x.shape[1:]:
        total = max((-(-size // stride) - 1) * stride + 3 - size, 0)
        widths.append((total // 2, total - total // 2))
    return np.pad(x, ((0, 0), *widths))


def taps(x, stride):
    """Return what each of the nine places of a kernel sees [3, 3, C, H', W'] of x [C, H, W]."""
    height, width = (-(-size // stride) for size in x.shape[1:])
    padded = same(x, stride)
    return np.stack([np.stack([padded[:, i:i + stride * height:stride,
                                      j:j + stride * width:stride][:, :height, :width]
                               for j in range(3)]) for i in range(3)])


def by_hand(weights, patch):
    """Return the embedding [1024] of a patch [96, 64]: time down, frequency across."""
    given = iter(weights)
    weight, bias = next(given)
    x = np.einsum('ijchw,ocij->ohw', taps(patch[None], 2), weight) + bias[:, None, None]
    x = np.maximum(x, 0)
    for width, stride in SEPARABLE:
        weight, bias = next(given)
        x = np.einsum('ijchw,cij->chw', taps(x, stride), weight[:, 0]) + bias[:, None, None]
        x = np.maximum(x, 0)
        weight, bias = next(given)
        x = np.einsum('chw,oc->ohw', x, weight[:, :, 0, 0]) + bias[:, None, None]
        x = np.maximum(x, 0)
        assert len(x) == width
    assert x.shape == (1024, 3, 2) and next(given, None) is None
    return x.mean(axis=(1, 2))


@torch.inference_mode()
def test_equals_the_layers_written_by_hand(yamnet):
    patch = np.random.default_rng(0).normal(size=(96, 64))
    weights = [(module.weight.double().numpy(), module.bias.double().numpy())
               for module in yamnet.convolutions]
    expected = by_hand(weights, patch)
    found = yamnet(torch.tensor(patch.T[None], dtype=torch.float32))[0].numpy()
    assert expected.std() > 0.01
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=1e-3)


@torch.inference_mode()
def test_hears_the_newest_96_frames_and_nothing_before(yamnet):
    spectrogram = torch.randn(2, 64, 200)
    found = yamnet(spectrogram)
    assert found.shape == (2, EMBEDDING_WIDTH) == (2, 1024) and PATCH_FRAMES == 96
    torch.testing.assert_close(yamnet(spectrogram[:, :, -96:]), found)
    other = spectrogram.clone()
    other[:, :, :-96] = 9.0
    torch.testing.assert_close(yamnet(other), found)
    other[:, :, -96] = 9.0
    assert not torch.allclose(yamnet(other), found)
    torch.testing.assert_close(yamnet(spectrogram[1:])[0], found[1], atol=1e-5, rtol=1e-4)
