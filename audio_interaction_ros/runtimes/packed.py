"""
Linear layers whose weights lie as the matrix kernels of a CPU read them.

In bfloat16 torch lays the weights out anew at every call, which takes a third of the time where
few positions meet large weights, as in a stream. Here that is done once. Numbers are the same.
"""

import torch
from torch import Tensor, nn

__all__ = ['PackedLinear', 'pack_weights', 'can_pack']


class PackedLinear(nn.Module):
    """A linear layer for inference in bfloat16 on a CPU; its weight can no longer be read."""

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self._weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach())
        self._bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, x: Tensor) -> Tensor:
        """Return [..., out] of x [..., in], both bfloat16."""
        out: Tensor = torch.ops.mkldnn._linear_pointwise(
            x, self._weight, self._bias, 'none', [], '')
        return out


def can_pack() -> bool:
    """Tell whether torch and this CPU can pack."""
    return (torch.backends.mkldnn.is_available()
            and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()))


def pack_weights(module: nn.Module) -> None:
    """
    Exchange every linear layer below a module for a packed one, where torch and CPU can.

    Others than those in bfloat16 on a CPU stay as they are.
    """
    if not can_pack():
        return
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if (isinstance(child, nn.Linear) and child.weight.dtype == torch.bfloat16
                    and child.weight.device.type == 'cpu'):
                setattr(parent, name, PackedLinear(child))
