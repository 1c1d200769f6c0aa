"""
The learning rate of the short trainings: a short rise, a level, a fall to the end of the time.

A function of the step and of the share of the time that is over, so that a training that goes on
needs no state of a scheduler. The stages of ``train.trainer.loop`` have theirs in the recipe.
"""

import torch

__all__ = ['WARM_UP', 'rate_share', 'set_rates']

WARM_UP = 20
"""Steps."""


def rate_share(step: int, done: float, *, warm_up: int = WARM_UP, fall: float = 1.0,
               least: float = 0.05) -> float:
    """
    Return the share of the peak rate at step 0, 1, … when ``done`` of the time is over.

    It rises over ``warm_up`` steps and falls in a line over the last ``fall`` of the time, to
    ``least`` of the peak.
    """
    return min(1.0, (step + 1) / warm_up) * min(1.0, max(least, (1.0 - done) / fall))


def set_rates(optimizer: torch.optim.Optimizer, share: float) -> None:
    """Give each group of an optimizer this share of its peak rate, with which it was made."""
    for group in optimizer.param_groups:
        group['lr'] = group.setdefault('peak', group['lr']) * share
