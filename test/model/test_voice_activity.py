"""The net that hears speech, with the weights of its wheel: noise is none, at any level."""

import time

import numpy as np
import pytest

from audio_interaction_ros.checkpoints.voice_activity import load_voice_activity
from audio_interaction_ros.model.voice_activity import HOP

pytestmark = pytest.mark.torch  # needs the base weights, as all that is marked so


def voice(seconds=2.0, rate=16_000):
    """Return a hum through the resonances of a vowel that change four times a second."""
    time = np.arange(round(seconds * rate)) / rate
    pitch = 120 + 20 * np.sin(2 * np.pi * 2 * time)
    phase = 2 * np.pi * np.cumsum(pitch) / rate
    first = 500 + 250 * np.sin(2 * np.pi * 4 * time)
    second = 1_500 + 500 * np.sin(2 * np.pi * 3 * time)
    sound = sum(np.sin(n * phase) * (np.exp(-((n * pitch - first) / 150) ** 2)
                                     + np.exp(-((n * pitch - second) / 200) ** 2))
                for n in range(1, 30))
    return (0.2 * sound * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time))).astype(np.float32)


def test_a_voice_is_heard_and_noise_is_not():
    net = load_voice_activity()
    noise = np.random.default_rng(0).standard_normal(32_000).astype(np.float32)
    hum = np.sin(np.arange(32_000, dtype=np.float32) * np.float32(2 * np.pi * 50 / 16_000))
    for quiet in (0.1 * noise, 0.001 * noise, 0.3 * hum, np.zeros(32_000, np.float32)):
        assert net(np.asarray(quiet, np.float32)).max() < 0.5
    assert net(voice()).max() > 0.5


@pytest.mark.parametrize('samples', [1, HOP - 1, HOP, HOP + 1, 16_000])
def test_every_piece_has_a_probability(samples):
    heard = load_voice_activity()(np.zeros(samples, np.float32))
    assert heard.shape == (-(-samples // HOP),)
    assert heard.dtype == np.float32


def test_the_arithmetic_is_that_of_torch():
    """Layer by layer with torch's own, from the same weights."""
    torch = pytest.importorskip('torch')
    net = load_voice_activity()
    weights = {name: torch.from_numpy(value) for name, value in net._weights.items()}
    samples = np.concatenate([voice(), np.random.default_rng(1).standard_normal(
        9_000).astype(np.float32) * 0.05])
    f = torch.nn.functional
    padded = f.pad(torch.from_numpy(samples), (64, -len(samples) % HOP))
    pieces = f.pad(padded.unfold(0, HOP + 64, HOP)[:, None], (0, 64), 'reflect')
    spectrum = f.conv1d(pieces, weights['stft_conv.weight'], stride=128)
    x = (spectrum[:, :129].square() + spectrum[:, 129:].square()).sqrt()
    for name, stride in (('conv1', 1), ('conv2', 2), ('conv3', 2), ('conv4', 1)):
        x = f.conv1d(x, weights[f'{name}.weight'], weights[f'{name}.bias'], stride,
                     padding=1).relu()
    cell = torch.nn.LSTM(128, 128, batch_first=True)
    cell.load_state_dict({f'{name}_l0': weights[f'lstm_cell.{name}'] for name in (
        'weight_ih', 'weight_hh', 'bias_ih', 'bias_hh')})
    with torch.inference_mode():
        heard = cell(x[None, ..., 0])[0][0].relu()[..., None]
        expected = f.conv1d(heard, weights['final_conv.weight'],
                            weights['final_conv.bias']).sigmoid()[:, 0, 0]
    np.testing.assert_allclose(net(samples), expected.numpy(), atol=1e-5)


def test_half_a_minute_is_read_in_a_moment():
    net, samples = load_voice_activity(), np.tile(voice(), 15)
    began = time.process_time()
    net(samples)
    assert time.process_time() - began < 1.5  # 0.1 s on a free core
