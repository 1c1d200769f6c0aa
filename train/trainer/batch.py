"""
Samples to tensors: right-padded ids and labels, and where each feature goes.

Owns padding. Knows no model; a causal model never sees what stands to the right.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from train.trainer.data import Prepared
from train.trainer.loss import IGNORE

__all__ = ['Batch', 'collate']


@dataclass(frozen=True)
class WindowGroup:
    """Windows of one length and the places of their features."""

    mel: Tensor  # [n, bins, frames] float32
    rows: Tensor  # [n * features per window] int64, sample of each feature
    columns: Tensor  # [n * features per window] int64, position of each feature


@dataclass(frozen=True)
class Batch:
    """B samples of up to T positions."""

    ids: Tensor  # [B, T] int64
    control: Tensor  # [B, T] int64
    text: Tensor  # [B, T] int64
    heard: tuple[WindowGroup, ...]

    @property
    def labels(self) -> int:
        """Positions that are learned from."""
        return int(((self.control != IGNORE) | (self.text != IGNORE)).sum())

    def to(self, device: torch.device | str) -> 'Batch':
        """Return the batch on a device."""
        heard = tuple(WindowGroup(group.mel.to(device), group.rows.to(device),
                                  group.columns.to(device))
                      for group in self.heard)
        return Batch(self.ids.to(device), self.control.to(device), self.text.to(device), heard)


def _group_windows(samples: Sequence[Prepared]) -> tuple[WindowGroup, ...]:
    groups: dict[int, list[tuple[np.ndarray, int, np.ndarray]]] = {}
    for row, prepared in enumerate(samples):
        places = prepared.sample.feature_at
        frames = sum(mel.shape[0] * mel.shape[2] for mel in prepared.mel)
        done = 0
        for mel in prepared.mel:
            count = len(places) * mel.shape[0] * mel.shape[2] // frames
            groups.setdefault(mel.shape[2], []).append((mel, row, places[done:done + count]))
            done += count
    return tuple(WindowGroup(
        mel=torch.from_numpy(np.concatenate([mel for mel, _, _ in group])),
        rows=torch.from_numpy(np.concatenate([np.full(len(at), row) for _, row, at in group])),
        columns=torch.from_numpy(np.concatenate([at for _, _, at in group])))
        for group in groups.values())


def collate(samples: Sequence[Prepared], pad: int) -> Batch:
    """Return samples as one batch, padded on the right with id ``pad`` and no labels."""
    length = max(len(prepared.sample.ids) for prepared in samples)

    def stack(name: str, fill: int) -> Tensor:
        rows = np.full((len(samples), length), fill, np.int64)
        for row, prepared in zip(rows, samples, strict=True):
            row[:len(prepared.sample.ids)] = getattr(prepared.sample, name)
        return torch.from_numpy(rows)

    return Batch(ids=stack('ids', pad), control=stack('control', IGNORE),
                 text=stack('text', IGNORE), heard=_group_windows(samples))
