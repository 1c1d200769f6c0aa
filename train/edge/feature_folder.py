"""Features on disk, as training reads them. Owns the folder layout of ``features``."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from safetensors import safe_open

from held_out.lines import read_whole_lines

__all__ = ['ENDINGS', 'read_features', 'mend_lines', 'read_scene_rows', 'read_sounds']

ENDINGS = ('.npy', '.sound.npy')
"""What each scene has beside its line."""


def mend_lines(path: Path) -> list[dict]:
    """Return the lines of a file and cut off what a stopped run left of a last one."""
    rows = read_whole_lines(path)
    if path.exists():
        with path.open('r+b') as file:
            file.truncate(file.read().rfind(b'\n') + 1)
    return rows


def read_scene_rows(folder: Path) -> list[dict]:
    """Return the lines of all finished scenes, each once, in order of their names' numbers."""
    rows = {row['name']: row for path in sorted(folder.glob('scenes-*.jsonl'))
            for row in read_whole_lines(path)}
    whole = [row for name, row in rows.items()
             if all((folder / f'{name}{end}').exists() for end in ENDINGS)]
    return sorted(whole, key=lambda row: row['name'].rpartition('-')[2])


def read_features(folder: Path, rows: list[dict]) -> Iterator[np.ndarray]:
    """Yield features [chunks, 5, 4096] float16 of rows, read from disk when they are touched."""
    for row in rows:
        yield np.load(folder / f'{row["name"]}.npy', mmap_mode='r')


def read_sounds(path: Path) -> tuple[str, ...]:
    """Return the sounds that the sound branch in a file of weights tells apart."""
    with safe_open(path, 'np') as file:
        return tuple(json.loads((file.metadata() or {})['sounds']))
