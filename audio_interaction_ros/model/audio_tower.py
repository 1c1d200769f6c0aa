"""
The audio tower: mel of one window in, features of one chunk out.

Owns one encoder that covers the Qwen2.5-Omni audio tower (one 400 ms block per window, pairs of
frames averaged) and the Whisper encoder (a sliding window, newest frames kept and stacked), with
the projector into the language model's width, and, where configured, a sound branch, which may
listen to YAMNet as well. Parameters carry Hugging Face names. Holds no state between windows; left
context is part of the window that the caller gives.
"""


import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audio_interaction_ros.model.shapes import AudioTowerConfig, sinusoids
from audio_interaction_ros.model.whisper_attention import Attention
from audio_interaction_ros.model.yamnet import Yamnet

__all__ = ['AudioTower', 'SoundBranch', 'scale_length']


def scale_length(features: Tensor, norm: float) -> Tensor:
    """
    Return features [..., width] with that Euclidean length each; with 0 as they are.

    A feature far longer than an embedding drowns what the layers of the language model add to it.
    """
    return F.normalize(features, dim=-1) * norm if norm else features


class _Layer(nn.Module):
    def __init__(self, config: AudioTowerConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config.width, config.heads)
        self.self_attn_layer_norm = nn.LayerNorm(config.width)
        self.fc1 = nn.Linear(config.width, config.mlp_width)
        self.fc2 = nn.Linear(config.mlp_width, config.width)
        self.final_layer_norm = nn.LayerNorm(config.width)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.self_attn_layer_norm(x)
        x = x + self.self_attn(normed, self.self_attn.keys_and_values(normed))
        return x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x))))


class SoundBranch(nn.Module):
    """What sounds, as one more feature: the sum of what the sounds heard are called."""

    def __init__(self, config: AudioTowerConfig) -> None:
        super().__init__()
        self.config = config
        self.hidden = nn.Linear(config.sound_width, config.sound_hidden)
        self.classes = nn.Linear(config.sound_hidden, len(config.sounds))
        self.names = nn.Linear(len(config.sounds), config.output_width)

    def logits(self, heard: Tensor) -> Tensor:
        """Return a score per sound [..., sounds] of summaries [..., sound_width]."""
        return self.classes(F.gelu(self.hidden(heard)))

    def forward(self, heard: Tensor) -> Tensor:
        """
        Return a feature [..., output_width] of summaries [..., sound_width].

        With ``sound_feature: strength`` its length grows with the surest sound, up to that of an
        embedding: what follows can tell a guess from what is plainly heard.
        """
        scores = torch.sigmoid(self.logits(heard))
        feature = scale_length(self.names(scores), self.config.feature_norm)
        if self.config.sound_feature == 'strength':
            feature = feature * scores.amax(-1, keepdim=True)
        return feature


class AudioTower(nn.Module):
    """Convolutions, bidirectional layers over one window, the projector and the sound branch."""

    def __init__(self, config: AudioTowerConfig) -> None:
        super().__init__()
        self.config = config
        self.conv1 = nn.Conv1d(config.mel_bins, config.width, 3, padding=1)
        self.conv2 = nn.Conv1d(config.width, config.width, 3, stride=2, padding=1)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))
        self.ln_post = nn.LayerNorm(config.width)
        stacked = config.stacked_width
        if config.projector == 'linear':
            self.proj = nn.Linear(stacked, config.output_width)
        else:
            self.projector = nn.Sequential(
                nn.Linear(stacked, config.projector_hidden), nn.GELU(),
                nn.Linear(config.projector_hidden, config.output_width))
        if config.sounds:
            self.sound = SoundBranch(config)
        if config.tagger:
            self.tagger = Yamnet()
        self.place_positions()

    def place_positions(self) -> None:
        """Compute the positions: fixed by formula, not in checkpoints, anew in every window."""
        table = torch.from_numpy(sinusoids(self.config.window_frames // 2, self.config.width))
        self.register_buffer('positions', table, persistent=False)

    def levels(self, mel: Tensor) -> list[Tensor]:
        """Return what goes into layer 1, 2, … and comes out of the last, each [B, T, width]."""
        x = F.gelu(self.conv2(F.gelu(self.conv1(mel[:, :self.config.mel_bins]))))
        x = x.transpose(1, 2)
        levels = [x + self.get_buffer('positions').to(x.dtype)]
        for layer in self.layers:
            levels.append(layer(levels[-1]))
        return levels

    def stack_frames(self, x: Tensor) -> Tensor:
        """Return stacked frames [B, N, stacked_width] of the last layer's output [B, T, width]."""
        keep = self.config.keep_frames
        newest = self._stack(x[:, -keep:])
        if not self.config.second_look:
            return newest
        return torch.cat((newest, self._stack(x[:, -2 * keep:-keep])), dim=-1)

    def sound_inputs(self, mel: Tensor, levels: list[Tensor]) -> Tensor:
        """Return what the sound branch hears of a window and its levels [B, sound_width]."""
        parts = [self.summarise(levels[level]) for level in self.config.sound_levels]
        if self.config.tagger:
            parts.append(self.tagger(mel[:, self.config.mel_bins:]))
        return torch.cat(parts, dim=-1)

    def summarise(self, x: Tensor) -> Tensor:
        """Return mean of the newest chunk, mean and spread of all [B, 3 * width] of a level."""
        newest = x[:, -self.config.keep_frames:]
        return torch.cat((newest.mean(1), x.mean(1), x.std(1)), dim=-1)

    def encode(self, mel: Tensor) -> Tensor:
        """Return stacked frames [B, N, stacked_width] of mel [B, bins, window_frames]."""
        return self.stack_frames(self.levels(mel)[-1])

    def _stack(self, x: Tensor) -> Tensor:
        config = self.config
        if config.pool > 1:
            x = F.avg_pool1d(x.transpose(1, 2), config.pool).transpose(1, 2)
        x = self.ln_post(x)
        return x.reshape(x.shape[0], config.word_features, config.width * config.stack)

    def project(self, frames: Tensor) -> Tensor:
        """Return features [B, N, output_width] of stacked frames [B, N, stacked_width]."""
        projector = self.proj if self.config.projector == 'linear' else self.projector
        return scale_length(projector(frames), self.config.feature_norm)

    def forward(self, mel: Tensor) -> Tensor:
        """Return features [B, N, output_width] of mel [B, rows, window_frames], sound last."""
        return self.hear(mel)[0]

    def hear(self, mel: Tensor) -> tuple[Tensor, Tensor]:
        """Return features, and the embedding [B, sound_width] that the sound branch hears."""
        levels = self.levels(mel)
        frames = self.stack_frames(levels[-1])
        if not self.config.sounds:
            return self.features(frames, None), mel.new_empty(len(mel), 0)
        heard = self.sound_inputs(mel, levels)
        return self.features(frames, heard), heard

    def features(self, frames: Tensor, heard: Tensor | None) -> Tensor:
        """Return features [B, N, output_width] of stacked frames and, with sounds, summaries."""
        features = self.project(frames)
        if heard is None:
            return features
        return torch.cat((features, self.sound(heard)[:, None]), dim=1)
