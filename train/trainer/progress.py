"""
A short training that was stopped goes on: weights, the optimizer's state, what was spent on it.

Owns the one form of these: a file of weights in float16 with what it counts (minutes, steps) and
what it began from in its metadata, and a ``.state`` file beside it. Each is written whole or not
at all. The checkpoints of the four stages, which go on with the same bits, are ``saving``'s.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.whole_file import open_whole

__all__ = ['OtherStartError', 'hash_files', 'resume_progress', 'save_progress', 'write_weights']


class OtherStartError(AudioInteractionError):
    """A file of weights was begun from others than those given; give those, or another file."""


def hash_files(starts: Mapping[str, Path]) -> dict[str, str]:
    """Return by name what tells the files of weights apart that a training begins from."""
    return {name: hashlib.sha256(path.read_bytes()).hexdigest()[:16]
            for name, path in starts.items()}


def write_weights(path: Path, tensors: Mapping[str, Tensor],
                  about: Mapping[str, str] | None = None) -> None:
    """Write tensors as they are, with metadata; a stop on the way leaves the file before."""
    with open_whole(path) as file:
        save_file({name: value.contiguous() for name, value in tensors.items()},
                  Path(file.name),
                  metadata=dict(about or {}) or None)


def save_progress(path: Path, tensors: Mapping[str, Tensor], optimizer: torch.optim.Optimizer,
                  counts: Mapping[str, float], about: Mapping[str, str]) -> None:
    """
    Write weights in float16 to a path and the optimizer's state beside it.

    ``counts`` is what a continuation counts on from, ``about`` what else is to be known: text.
    """
    counted = json.dumps(counts)
    with open_whole(path.with_suffix('.state')) as state:
        torch.save({'counts': counted, 'optimizer': optimizer.state_dict()}, state)
    write_weights(path, {name: value.to(torch.float16) for name, value in tensors.items()},
                  {**about, 'counts': counted})


def resume_progress(path: Path, load: Callable[[dict[str, Tensor]], object],
                    optimizer: torch.optim.Optimizer | None,
                    begun_from: Mapping[str, str]) -> dict[str, float]:
    """
    Hand ``load`` the weights that ``save_progress`` wrote and return its counts.

    OtherStartError when it was begun from other weights. Without the state that belongs to the
    weights (a stop between both files) the optimizer begins anew. Where there is no file nothing
    is loaded, and the counts are empty.
    """
    if not path.exists():
        return {}
    with safe_open(path, 'pt') as file:
        before = file.metadata() or {}
    for name, digest in begun_from.items():
        if before.get(name, digest) != digest:
            raise OtherStartError(
                f'{path}: was begun from {name} {before[name]}, got {digest}; give the file that '
                'it was begun from, or another --out')
    load(load_file(path))
    state = path.with_suffix('.state')
    if optimizer is not None and state.exists():
        kept = torch.load(state, weights_only=True)
        if kept['counts'] == before.get('counts'):
            optimizer.load_state_dict(kept['optimizer'])
    return dict(json.loads(before.get('counts', '{}')))
