"""
The text decoder of Whisper: token ids and encoder frames in, scores of the next token out.

Owns the layers and their caches. Parameters carry transformers' names (without
``model.decoder.``), so a Whisper state dict loads as it is. Knows no tokens' meaning.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audio_interaction_ros.model.whisper_attention import Attention, KeyValue

__all__ = ['WhisperDecoder', 'WhisperDecoderConfig']


@dataclass(frozen=True, kw_only=True)
class WhisperDecoderConfig:
    """Shape of a Whisper decoder; the defaults are those of Whisper base."""

    vocab_size: int = 51_865
    width: int = 512
    layers: int = 6
    heads: int = 8
    mlp_width: int = 2_048
    max_positions: int = 448


class _Layer(nn.Module):
    def __init__(self, config: WhisperDecoderConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config.width, config.heads)
        self.self_attn_layer_norm = nn.LayerNorm(config.width)
        self.encoder_attn = Attention(config.width, config.heads)
        self.encoder_attn_layer_norm = nn.LayerNorm(config.width)
        self.fc1 = nn.Linear(config.width, config.mlp_width)
        self.fc2 = nn.Linear(config.mlp_width, config.width)
        self.final_layer_norm = nn.LayerNorm(config.width)

    def forward(self, x: Tensor, past: KeyValue | None,
                frames: KeyValue) -> tuple[Tensor, KeyValue]:
        normed = self.self_attn_layer_norm(x)
        key, value = self.self_attn.remember(normed)
        if past is not None:
            key, value = torch.cat((past[0], key), 2), torch.cat((past[1], value), 2)
        x = x + self.self_attn(normed, (key, value), causal=past is None)
        x = x + self.encoder_attn(self.encoder_attn_layer_norm(x), frames)
        return x + self.fc2(F.gelu(self.fc1(self.final_layer_norm(x)))), (key, value)


class WhisperDecoder(nn.Module):
    """Pre-norm layers with self-attention and attention to the encoder's frames."""

    def __init__(self, config: WhisperDecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.embed_tokens = nn.Embedding(config.vocab_size, config.width)
        self.embed_positions = nn.Embedding(config.max_positions, config.width)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))
        self.layer_norm = nn.LayerNorm(config.width)

    def frames(self, encoded: Tensor) -> list[KeyValue]:
        """Return each layer's keys and values of encoder frames [1, S, width]."""
        return [cast(_Layer, layer).encoder_attn.remember(encoded) for layer in self.layers]

    def forward(self, ids: Tensor, frames: list[KeyValue],
                past: list[KeyValue] | None = None) -> tuple[Tensor, list[KeyValue]]:
        """
        Return scores [vocab_size] after the last of ids [1, T], and the cache to go on with.

        With ``past`` exactly one id is fed; without, all ids of the start.
        """
        start = 0 if past is None else past[0][0].shape[2]
        places = torch.arange(start, start + ids.shape[1], device=ids.device)
        x = self.embed_tokens(ids) + self.embed_positions(places)
        cache = []
        for index, layer in enumerate(self.layers):
            x, seen = layer(x, None if past is None else past[index], frames[index])
            cache.append(seen)
        return F.linear(self.layer_norm(x[0, -1]), self.embed_tokens.weight), cache
