"""
All parts of a folder as one table of chunks, and the streams in it.

Owns the order (of the parts' names, so that it does not depend on which was made first) and the
choice of streams by fold and kind. Knows no net.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from train.sound_head.classes import SoundClasses
from train.sound_head.embeddings import Part
from train.sound_head.scenes import SceneEvent

__all__ = ['Dataset', 'Stream', 'read_dataset']


@dataclass(frozen=True)
class Stream:
    """One scene or check: where its chunks lie in the table, and what is in it."""

    name: str
    fold: int
    kind: str
    first: int
    chunks: int
    events: tuple[SceneEvent, ...]

    @property
    def places(self) -> slice:
        """Return where its chunks lie."""
        return slice(self.first, self.first + self.chunks)


@dataclass(frozen=True)
class Dataset:
    """Embeddings [chunks, width] float16, targets [chunks, classes] int8, and the streams."""

    embeddings: Tensor
    targets: Tensor
    streams: tuple[Stream, ...]
    inputs: Tensor = field(default_factory=lambda: torch.empty(0))
    """What nets learn from, of each chunk: ``net.prepare_inputs``."""

    def choose(self, wanted: Callable[[Stream], bool]) -> list[Stream]:
        """Return the streams that are wanted, in their order."""
        return [stream for stream in self.streams if wanted(stream)]

    def gather(self, streams: Sequence[Stream]) -> tuple[Tensor, Tensor, list[int]]:
        """Return inputs and targets of streams after each other, and their lengths."""
        places = self.find_places(streams)
        return self.inputs[places], self.targets[places], [stream.chunks for stream in streams]

    @staticmethod
    def find_places(streams: Sequence[Stream]) -> Tensor:
        """Return where the chunks of streams lie in the table, after each other."""
        return torch.cat([torch.arange(stream.first, stream.first + stream.chunks)
                          for stream in streams])


def read_dataset(folder: Path, parts: Sequence[Part], classes: SoundClasses) -> Dataset:
    """Return what the parts of a folder hold."""
    embeddings, targets, streams, first = [], [], [], 0
    for part in sorted(parts, key=lambda part: part.file_name):
        with safe_open(folder / part.file_name, 'pt') as file:
            embeddings.append(file.get_tensor('embeddings'))
            heard = file.get_tensor('heard').numpy()
            told = file.metadata()
        targets.append(torch.from_numpy(classes.to_classes(
            heard, tuple(json.loads(told['labels'])))))
        for row in json.loads(told['scenes']):
            streams.append(Stream(row['name'], row['fold'], row['kind'], first, row['chunks'],
                                  tuple(SceneEvent(**event) for event in row['events'])))
            first += row['chunks']
    return Dataset(torch.cat(embeddings), torch.cat(targets), tuple(streams))
