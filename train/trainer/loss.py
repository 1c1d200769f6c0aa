"""
The dual loss: text and control labels, disjoint, normalised by the same count.

Owns the arithmetic (arXiv 2606.05121, training objective). Knows neither models nor batches.
"""

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from train.tokens.layout import IGNORE, RESPOND, SILENCE

__all__ = ['IGNORE', 'RESPOND', 'SILENCE', 'dual_loss', 'make_targets']

BLOCK = 1024
"""Positions scored against the vocabulary at a time; bounds the memory of the scores."""


def make_targets(control: Tensor, text: Tensor, silence_id: int, respond_id: int) -> Tensor:
    """
    Return the id that is due after each position, IGNORE where nothing is learned.

    Raises ValueError where a position carries both labels: they must be disjoint.
    """
    decides = control != IGNORE
    if bool((decides & (text != IGNORE)).any()):
        raise ValueError('a position carries a control and a text label; the sample is wrong')
    controls = torch.where(control == RESPOND, respond_id, silence_id)
    return torch.where(decides, controls, text)


def _weighted_loss(hidden: Tensor, head: Tensor, due: Tensor, weight: Tensor) -> Tensor:
    scores = F.linear(hidden, head.to(hidden.dtype)).float()
    return weight @ F.cross_entropy(scores, due, reduction='none')


def dual_loss(hidden: Tensor, head: Tensor, due: Tensor, control: Tensor, *,
              control_weight: float = 1.0, respond_weight: float = 1.0,
              recompute: bool = False) -> Tensor:
    """
    Return the sums [2] of the weighted cross-entropy of text and of control labels.

    ``hidden`` [n, width] are labelled positions only, ``head`` [vocabulary, width], ``due`` [n]
    ids, ``control`` [n] SILENCE, RESPOND or IGNORE (a text label). Divide both by the same n,
    the labels of either kind over all micro-batches and processes of a step: at weights of 1
    their sum is then one cross-entropy over the vocabulary. ``recompute`` frees the scores and
    computes them again going backward.
    """
    decides = control != IGNORE
    weight = torch.zeros(2, len(due), device=hidden.device)
    weight[0, ~decides] = 1.0
    weight[1, decides] = control_weight
    weight[1, control == RESPOND] *= respond_weight
    total = hidden.new_zeros(2, dtype=torch.float32)
    for first in range(0, len(due), BLOCK):
        part = slice(first, first + BLOCK)
        arguments = hidden[part], head, due[part], weight[:, part]
        total = total + (checkpoint(_weighted_loss, *arguments, use_reentrant=False) if recompute
                         else _weighted_loss(*arguments))
    return total
