"""Attention as Whisper and the Qwen2.5-Omni tower have it: biased, but for the keys."""

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ['Attention', 'KeyValue']

KeyValue = tuple[Tensor, Tensor]
"""Keys and values, each [B, heads, T, width / heads]."""


class Attention(nn.Module):
    """Multi-head attention of positions to what was seen: themselves, a past, or an encoder."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width, bias=False)
        self.v_proj = nn.Linear(width, width)
        self.out_proj = nn.Linear(width, width)

    def split_heads(self, x: Tensor) -> Tensor:
        """Return x [B, T, width] by heads, [B, heads, T, width / heads]."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def keys_and_values(self, x: Tensor) -> KeyValue:
        """Return the keys and values of x [B, T, width]."""
        return self.split_heads(self.k_proj(x)), self.split_heads(self.v_proj(x))

    def forward(self, x: Tensor, seen: KeyValue, *, causal: bool = False) -> Tensor:
        """Return [B, T, width] of x [B, T, width] that attends to ``seen``."""
        out = F.scaled_dot_product_attention(self.split_heads(self.q_proj(x)), *seen,
                                             is_causal=causal)
        return self.out_proj(out.transpose(1, 2).flatten(2))
