"""
Several processes that learn together, by accelerate: who they are, and the mean of their tensors.

Owns nothing of what is learned. Alone, without torchrun, a process is all there is.
"""

import atexit
import functools
from collections.abc import Sequence

import torch
from accelerate import PartialState
from accelerate.utils import reduce
from torch import Tensor

__all__ = ['average', 'mean_of', 'the_processes']


def the_processes() -> PartialState:
    """Return who learns, on cores; under torchrun the first call waits for all of them."""
    state = PartialState(cpu=True)
    if state.num_processes > 1:
        _part_at_exit()
    return state


@functools.cache
def _part_at_exit() -> None:
    """Leave the others in good order: threads that still wait for them would abort the process."""
    atexit.register(lambda: PartialState().destroy_process_group())


def average(tensors: Sequence[Tensor]) -> None:
    """Put the mean over all processes into tensors, whose shapes are the same in each."""
    if the_processes().num_processes == 1 or not tensors:
        return
    flat = reduce(torch.cat([tensor.reshape(-1) for tensor in tensors]), 'mean')
    for tensor, part in zip(tensors, flat.split([t.numel() for t in tensors]), strict=True):
        tensor.copy_(part.view_as(tensor))


def mean_of(value: float) -> float:
    """Return the mean over all processes, the same in each: so that all stop at the same step."""
    told = torch.tensor([value], dtype=torch.float64)
    average([told])
    return float(told)
