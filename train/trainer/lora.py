"""
Low-rank differences on linear layers: put in before training, merged before a model is written.

Owns the added parameters and their names (``.A``, ``.B`` beside the frozen ``.weight``). Knows
nothing of which model the layers belong to.
"""

from collections.abc import Collection

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ['LowRank', 'adapt', 'merged_state']


class LowRank(nn.Module):
    """A frozen linear layer plus scale * B @ A; begins as the frozen layer (B = 0)."""

    def __init__(self, base: nn.Linear, rank: int, scale: float) -> None:
        super().__init__()
        self.weight = base.weight.requires_grad_(False)
        self.bias = None if base.bias is None else base.bias.requires_grad_(False)
        self.scale = scale
        place = base.weight.device
        self.A = nn.Parameter(torch.empty(rank, base.in_features, device=place))
        self.B = nn.Parameter(torch.zeros(base.out_features, rank, device=place))
        nn.init.normal_(self.A, std=base.in_features ** -0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Return [..., out] of x [..., in]."""
        low = F.linear(F.linear(x, self.A.to(x.dtype)), self.B.to(x.dtype))
        return torch.add(F.linear(x, self.weight, self.bias), low, alpha=self.scale)

    def merged_weight(self) -> Tensor:
        """Return the weight [out, in] float32 with the difference added."""
        return self.weight.float() + self.scale * self.B.float() @ self.A.float()


def adapt(module: nn.Module, targets: Collection[str], rank: int, alpha: float) -> int:
    """Replace every linear layer below whose own name is a target; return how many."""
    count = 0
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if name in targets and isinstance(child, nn.Linear):
                setattr(parent, name, LowRank(child, rank, alpha / rank))
                count += 1
    return count


def merged_state(module: nn.Module) -> dict[str, Tensor]:
    """Return the module's state with differences added and their parameters left out."""
    state = {name: value.detach() for name, value in module.state_dict().items()}
    for name, part in module.named_modules():
        if isinstance(part, LowRank):
            del state[f'{name}.A'], state[f'{name}.B']
            state[f'{name}.weight'] = part.merged_weight().detach()
    return state
