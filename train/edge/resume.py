"""
A training that was stopped goes on: weights, the optimizer's state, and the time already spent.

Owns the file of weights with its metadata (sounds, minutes spent, what the training began from)
and the ``.state`` file beside it. Knows no model: anything with ``trained_tensors``,
``load_trained`` and ``sounds`` is kept.
"""

import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from audio_interaction_ros.errors import AudioInteractionError

__all__ = ['TrainingClock', 'OtherStartError', 'Resumable', 'hash_files', 'save_progress',
           'resume_progress']


class OtherStartError(AudioInteractionError):
    """A file of weights was begun from others than those given; give those, or another file."""


class Resumable(Protocol):
    """What is kept of a model."""

    sounds: tuple[str, ...]

    def trained_tensors(self) -> dict[str, Tensor]:
        """Return the tensors to keep, by name."""

    def load_trained(self, tensors: dict[str, Tensor]) -> None:
        """Take in what ``trained_tensors`` returned."""


class TrainingClock:
    """How much of the minutes of a training is over, those before a stop included."""

    def __init__(self, minutes: float, spent: float = 0.0) -> None:
        self.minutes, self._before, self._begin = minutes, spent, time.monotonic()

    def spent_minutes(self) -> float:
        """Return minutes."""
        return self._before + (time.monotonic() - self._begin) / 60

    def spent_share(self) -> float:
        """Return the part that is over, 1 and more at the end."""
        return self.spent_minutes() / self.minutes


def hash_files(starts: Mapping[str, Path]) -> dict[str, str]:
    """Return by name what tells the files of weights apart that a training begins from."""
    return {name: hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            for name, path in starts.items()}


def save_progress(model: Resumable, optimizer: torch.optim.Optimizer, path: Path, spent: float,
                  begun_from: Mapping[str, str]) -> None:
    """Write float16 weights to a path and the optimizer's state beside it, each at once."""
    minutes = f'{spent:.3f}'
    state, weights = path.with_suffix('.state.part'), path.with_suffix('.part')
    torch.save({'minutes': minutes, 'optimizer': optimizer.state_dict()}, state)
    save_file({name: value.to(torch.float16).contiguous()
               for name, value in model.trained_tensors().items()}, weights,
              metadata={'sounds': json.dumps(model.sounds), 'minutes': minutes, **begun_from})
    state.replace(path.with_suffix('.state'))
    weights.replace(path)


def resume_progress(model: Resumable, optimizer: torch.optim.Optimizer, path: Path,
                    begun_from: Mapping[str, str]) -> float:
    """
    Load what ``save_progress`` wrote and return the minutes spent on it.

    OtherStartError when it was begun from other weights. Without the state that belongs to the
    weights (a stop between both files) the optimizer begins anew.
    """
    with safe_open(path, 'pt') as file:
        before = file.metadata() or {}
    for name, digest in begun_from.items():
        if before.get(name, digest) != digest:
            raise OtherStartError(
                f'{path}: was begun from {name} {before[name]}, got {digest}; give the file that '
                'it was begun from, or another --out')
    model.load_trained(load_file(path))
    state = path.with_suffix('.state')
    if state.exists():
        kept = torch.load(state, weights_only=True)
        if kept['minutes'] == before.get('minutes'):
            optimizer.load_state_dict(kept['optimizer'])
    return float(before.get('minutes', 0.0))
