"""The net that hears speech, with the weights of its wheel: noise is none, at any level."""

import numpy as np
import pytest

import torch

from audio_interaction_ros.errors import MissingDependencyError
from audio_interaction_ros.model import voice_activity
from audio_interaction_ros.model.voice_activity import HOP, load_voice_activity

pytestmark = pytest.mark.torch


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
    return torch.from_numpy((0.2 * sound * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * time))).astype(
        np.float32))


def test_a_voice_is_heard_and_noise_is_not():
    net = load_voice_activity()
    noise = torch.from_numpy(np.random.default_rng(0).standard_normal(32_000).astype(np.float32))
    hum = torch.sin(torch.arange(32_000) * 2 * np.pi * 50 / 16_000)
    for quiet in (0.1 * noise, 0.001 * noise, 0.3 * hum, torch.zeros(32_000)):
        assert float(net(quiet).max()) < 0.5
    assert float(net(voice()).max()) > 0.5


@pytest.mark.parametrize('samples', [1, HOP - 1, HOP, HOP + 1, 16_000])
def test_every_piece_has_a_probability(samples):
    heard = load_voice_activity()(torch.zeros(samples))
    assert heard.shape == (-(-samples // HOP),)


def test_threads_of_torch_stay_as_they_were():
    """Importing the wheel's own package would set them to one."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        load_voice_activity()
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_missing_wheel_is_named(monkeypatch):
    monkeypatch.setattr(voice_activity.importlib.util, 'find_spec', lambda _name: None)
    with pytest.raises(MissingDependencyError, match='pip install silero-vad'):
        load_voice_activity()
