"""
How likely somebody speaks, for every 32 ms of audio: the net of Silero VAD (MIT), version 6.

Owns the layers; their weights come with the wheel ``silero-vad``, of which only the file is read.
Parameters carry the names of that file. Knows no thresholds.
"""

import importlib.util
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from audio_interaction_ros.errors import MissingDependencyError

__all__ = ['HOP', 'VoiceActivity', 'load_voice_activity']

HOP = 512
"""Samples at 16 kHz that one probability stands for."""
_CONTEXT = 64
_BINS = 129


class VoiceActivity(nn.Module):
    """Spectrum of each piece with a little before it, four convolutions, one recurrent layer."""

    def __init__(self) -> None:
        super().__init__()
        self.stft_conv = nn.Conv1d(1, 2 * _BINS, 256, stride=128, bias=False)
        self.conv1 = nn.Conv1d(_BINS, 128, 3, padding=1)
        self.conv2 = nn.Conv1d(128, 64, 3, stride=2, padding=1)
        self.conv3 = nn.Conv1d(64, 64, 3, stride=2, padding=1)
        self.conv4 = nn.Conv1d(64, 128, 3, padding=1)
        self.lstm_cell = nn.LSTMCell(128, 128)
        self.final_conv = nn.Conv1d(128, 1, 1)

    @torch.inference_mode()
    def forward(self, samples: Tensor) -> Tensor:
        """Return the probability [ceil(n / 512)] of speech in samples [n] float32 at 16 kHz."""
        padded = F.pad(samples, (_CONTEXT, -len(samples) % HOP))
        pieces = F.pad(padded.unfold(0, HOP + _CONTEXT, HOP)[:, None], (0, _CONTEXT), 'reflect')
        spectrum = self.stft_conv(pieces)
        x = (spectrum[:, :_BINS].square() + spectrum[:, _BINS:].square()).sqrt()
        for layer in (self.conv1, self.conv2, self.conv3, self.conv4):
            x = layer(x).relu()
        state = torch.zeros(1, 128), torch.zeros(1, 128)
        heard = []
        for piece in x[..., 0].split(1):
            state = self.lstm_cell(piece, state)
            heard.append(state[0])
        return self.final_conv(torch.cat(heard).relu()[..., None]).sigmoid()[:, 0, 0]


def load_voice_activity() -> VoiceActivity:
    """Return the net with its weights; MissingDependencyError names what to install."""
    found = importlib.util.find_spec('silero_vad')
    if found is None or found.origin is None:
        raise MissingDependencyError('the second pass needs silero-vad to tell where speech '
                                     'begins: pip install silero-vad')
    # The package itself is not imported: doing so sets the number of torch's threads.
    net = VoiceActivity()
    net.load_state_dict(load_file(Path(found.origin).parent / 'data/silero_vad_16k.safetensors'))
    return net.eval()
