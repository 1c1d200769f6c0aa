"""Features on disk, as training reads them. Owns the folder layout of ``features``."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors import safe_open

__all__ = ['features', 'scene_rows', 'sounds_of']


def scene_rows(folder: Path) -> list[dict]:
    """Return the lines of all finished scenes, in order of their names' numbers."""
    rows = [json.loads(line) for path in sorted(folder.glob('scenes-*.jsonl'))
            for line in path.read_text(encoding='utf-8').splitlines()]
    rows = [row for row in rows if (folder / f'{row["name"]}.npy').exists()]
    return sorted(rows, key=lambda row: row['name'].rpartition('-')[2])


def features(folder: Path, rows: list[dict]) -> Iterator[np.ndarray]:
    """Yield features [chunks, 5, 4096] float16 of rows, read from disk when they are touched."""
    for row in rows:
        yield np.load(folder / f'{row["name"]}.npy', mmap_mode='r')


def sounds_of(path: Path) -> tuple[str, ...]:
    """Return the sounds that the sound branch in a file of weights tells apart."""
    with safe_open(path, 'np') as file:
        return tuple(json.loads((file.metadata() or {})['sounds']))
