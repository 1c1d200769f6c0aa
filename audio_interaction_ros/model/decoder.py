"""
The language model: one decoder for Qwen2/Qwen2.5 (attention bias) and Llama-type checkpoints.

Owns the layers, the rotary tables and the key/value cache. Parameters carry Hugging Face names,
so a Qwen2 or Llama state dict loads as it is. Knows nothing of audio, tokens' meaning or lanes'
phases: the caller says which cache slots are written and which may be seen.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from audio_interaction_ros.model.rope import rope_angles
from audio_interaction_ros.model.shapes import DecoderConfig

__all__ = ['Decoder', 'KVCache', 'rope_tables', 'rotate']

def rope_tables(positions: np.ndarray, head_dim: int, base: float, *,
                index_dtype: str = 'fp32') -> tuple[Tensor, Tensor]:
    """Return rope_angles as tensors [..., head_dim] float32."""
    cos, sin = rope_angles(positions, head_dim, base, index_dtype=index_dtype)
    return torch.from_numpy(cos), torch.from_numpy(sin)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotate the last axis of x by the angles of cos and sin, broadcast, in float32."""
    wide = x.float()
    first, second = wide.chunk(2, dim=-1)
    return torch.addcmul(wide * cos, torch.cat((-second, first), dim=-1), sin).to(x.dtype)


class KVCache:
    """
    Preallocated keys and values [layers, lanes, kv_heads, slots + 1, head_dim].

    The extra slot swallows what padded positions write; it is never read. Keys are stored
    rotated, so a slot's place says nothing of its position.
    """

    def __init__(self, config: DecoderConfig, *, lanes: int, slots: int,
                 dtype: torch.dtype = torch.float32, device: torch.device | str = 'cpu') -> None:
        shape = (config.layers, lanes, config.kv_heads, slots + 1, config.head_dim)
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.slots = slots
        self.lanes = lanes

    @property
    def trash_slot(self) -> int:
        """Index of the slot that padded positions write to."""
        return self.slots

    def clear(self, lane: int) -> None:
        """Zero everything that a lane holds."""
        self.keys[:, lane] = 0
        self.values[:, lane] = 0

    def write(self, layer: int, lanes: Tensor, slots: Tensor, key: Tensor, value: Tensor) -> None:
        """Store key and value [B, kv_heads, T, head_dim] in slots [B, T] of lanes [B]."""
        self.keys[layer][lanes[:, None], :, slots] = key.transpose(1, 2).to(self.keys.dtype)
        self.values[layer][lanes[:, None], :, slots] = value.transpose(1, 2).to(self.keys.dtype)

    def read(self, layer: int, lanes: slice | Tensor, span: int) -> tuple[Tensor, Tensor]:
        """Return keys and values [B, kv_heads, span, head_dim]; a view if lanes are a slice."""
        return self.keys[layer, lanes, :, :span], self.values[layer, lanes, :, :span]


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> Tensor:
    # query [B, H, T, D]; key, value [B, K, S, D]; mask [B, 1, H // K * T, S], added to the
    # scores, or None (causal).
    batch, heads, time, dim = query.shape
    group = heads // key.shape[1]
    # The query heads of a group lie along time, so that the cache is read without a copy.
    folded = query.reshape(batch, key.shape[1], group * time, dim)
    if mask is None:
        if query.requires_grad and query.device.type == 'cpu' and query.dtype == torch.bfloat16:
            # Training on a CPU: forward and backward of the fused kernel take twice as long.
            future = query.new_full((time, time), -torch.inf).triu(1).repeat(group, 1)
            scores = torch.matmul(folded, key.transpose(-1, -2)) * dim ** -0.5 + future
            return torch.matmul(scores.softmax(-1), value).reshape(batch, heads, time, dim)
        return F.scaled_dot_product_attention(query, key, value, is_causal=True,
                                              enable_gqa=group > 1)
    out = F.scaled_dot_product_attention(folded, key, value, attn_mask=mask)
    return out.reshape(batch, heads, time, dim)


class _RMSNorm(nn.Module):
    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        # Rounded before the weight is applied, as the released code does.
        return self.weight * F.rms_norm(x.float(), x.shape[-1:], eps=self.eps).to(x.dtype)


class _Attention(nn.Module):
    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        queries, keys = config.heads * config.head_dim, config.kv_heads * config.head_dim
        bias = config.attention_bias
        self.q_proj = nn.Linear(config.width, queries, bias=bias)
        self.k_proj = nn.Linear(config.width, keys, bias=bias)
        self.v_proj = nn.Linear(config.width, keys, bias=bias)
        self.o_proj = nn.Linear(queries, config.width, bias=False)

    def forward(self, x: Tensor, step: '_Step', layer: int) -> Tensor:
        batch, time, _ = x.shape
        shape = (batch, time, -1, self.config.head_dim)
        both = torch.cat((self.q_proj(x), self.k_proj(x)), dim=-1).view(shape).transpose(1, 2)
        query, key = rotate(both, step.cos, step.sin).split(
            (self.config.heads, self.config.kv_heads), dim=1)
        value = self.v_proj(x).view(shape).transpose(1, 2)
        if step.cache is not None:
            assert step.mask is not None
            step.cache.write(layer, step.lanes, step.slots, key, value)
            key, value = step.cache.read(layer, step.readable, step.mask.shape[-1])
        out = _attend(query, key, value, step.mask)
        return self.o_proj(out.transpose(1, 2).reshape(batch, time, -1))


class _MLP(nn.Module):
    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(config.width, config.mlp_width, bias=False)
        self.up_proj = nn.Linear(config.width, config.mlp_width, bias=False)
        self.down_proj = nn.Linear(config.mlp_width, config.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class _Layer(nn.Module):
    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.input_layernorm = _RMSNorm(config.width, config.norm_eps)
        self.self_attn = _Attention(config)
        self.post_attention_layernorm = _RMSNorm(config.width, config.norm_eps)
        self.mlp = _MLP(config)

    def forward(self, x: Tensor, step: '_Step', layer: int) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), step, layer)
        return x + self.mlp(self.post_attention_layernorm(x))


class _Stack(nn.Module):
    # Exists for the "model." prefix of the parameter names only.
    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.width)
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.layers))
        self.norm = _RMSNorm(config.width, config.norm_eps)


@dataclass(frozen=True)
class _Step:
    # What all layers of one forward pass share, made once; cos, sin [B, 1, T, D].
    cos: Tensor
    sin: Tensor
    cache: KVCache | None
    lanes: Tensor
    slots: Tensor
    mask: Tensor | None
    all_lanes: bool
    """The lanes are 0..B-1, which a device need not be asked for: a CUDA graph may not ask."""

    @cached_property
    def readable(self) -> slice | Tensor:
        """Lanes to read of a cache, as a slice where they follow each other."""
        if self.all_lanes:
            return slice(0, len(self.lanes))
        places = self.lanes.tolist()
        if places == list(range(places[0], places[-1] + 1)):
            return slice(places[0], places[-1] + 1)
        return self.lanes


class Decoder(nn.Module):
    """A pre-norm transformer with grouped queries, rotary positions and a gated MLP."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        self.model = _Stack(config)
        self.lm_head = (None if config.tied_head
                        else nn.Linear(config.width, config.vocab_size, bias=False))

    @property
    def head_weight(self) -> Tensor:
        """Return the weight [vocab_size, width] that scores the vocabulary."""
        return self.model.embed_tokens.weight if self.lm_head is None else self.lm_head.weight

    def embed(self, ids: Tensor) -> Tensor:
        """Return embeddings [B, T, width] of ids [B, T]."""
        return self.model.embed_tokens(ids)

    def forward(self, embeddings: Tensor, cos: Tensor, sin: Tensor, *,
                cache: KVCache | None = None, lanes: Tensor | None = None,
                slots: Tensor | None = None, mask: Tensor | None = None) -> Tensor:
        """
        Return normalised hidden states [B, T, width] of embeddings [B, T, width].

        ``cos`` and ``sin`` are [B, T, head_dim] (or [1, T, head_dim]). Without a cache the pass
        is causal, or follows ``mask`` [B, 1, T, T] (True = visible). With a cache, keys and
        values go to ``slots`` [B, T] of ``lanes`` [B] (0..B-1 if None) and ``mask``
        [B, 1, T, span] tells which of the first ``span`` slots each position sees.
        """
        if cache is not None and (slots is None or mask is None):
            raise ValueError('a pass with a cache needs slots and a mask')
        all_lanes = lanes is None
        if lanes is None:
            lanes = torch.arange(embeddings.shape[0], device=embeddings.device)
        step = _Step(cos.unsqueeze(1), sin.unsqueeze(1), cache, lanes,
                     lanes if slots is None else slots,
                     None if mask is None else self._bias(mask, embeddings.dtype), all_lanes)
        x = embeddings
        for index, layer in enumerate(self.model.layers):
            x = layer(x, step, index)
        return self.model.norm(x)

    def _bias(self, mask: Tensor, dtype: torch.dtype) -> Tensor:
        # What is added to the scores of a group's heads, which lie along time (see _attend).
        bias = torch.zeros_like(mask, dtype=dtype).masked_fill_(~mask, -torch.inf)
        return bias.repeat(1, 1, self.config.heads // self.config.kv_heads, 1)

    def logits(self, hidden: Tensor) -> Tensor:
        """Return scores [..., vocab_size] of hidden states [..., width]."""
        if self.lm_head is not None:
            return self.lm_head(hidden)
        return F.linear(hidden, self.model.embed_tokens.weight)

    def control_logits(self, hidden: Tensor, silence_id: int, respond_id: int) -> Tensor:
        """Return scores [..., 2] of silence and respond; reads two rows of the head only."""
        rows = torch.tensor((silence_id, respond_id), device=hidden.device)
        return F.linear(hidden, self.head_weight.index_select(0, rows))
