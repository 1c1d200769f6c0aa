"""A file of what took long to make: one a line, found by key, going on where a kill stopped it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

__all__ = ['KeptLines', 'keep_rows']

Kept = TypeVar('Kept')


class KeptLines(Generic[Kept]):
    """What was made now and before, by key; the file need not exist yet."""

    def __init__(self, path: Path, *, from_row: Callable[[dict[str, Any]], Kept],
                 to_row: Callable[[Kept], dict[str, Any]]) -> None:
        """
        Read the file; a row is what stands in a line beside ``key``.

        A row of which ``from_row`` raises ValueError, KeyError or TypeError is somebody else's.
        """
        self.path, self._from_row, self._to_row = path, from_row, to_row
        content = path.read_bytes() if path.exists() else b''
        self._cut_off = bool(content) and not content.endswith(b'\n')
        self._known = dict(self._read(content))
        self.fresh = 0
        """Those that were not in the file."""

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> Kept:
        return self._known[key]

    def find(self, key: str, make: Callable[[], Kept]) -> Kept:
        """Return what is kept under a key, made first where there is nothing."""
        if key not in self._known:
            self.keep(key, make())
        return self._known[key]

    def keep(self, key: str, kept: Kept) -> None:
        """Add one, to the file as well."""
        self._known[key] = kept
        self.fresh += 1
        row = {'key': key, **self._to_row(kept)}
        line = '\n' * self._cut_off + json.dumps(row, ensure_ascii=False) + '\n'
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._cut_off = True  # until all of it is written: the disk may be full
        with self.path.open('a', encoding='utf-8') as lines:
            lines.write(line)
        self._cut_off = False

    def _read(self, content: bytes) -> Iterator[tuple[str, Kept]]:
        """Yield what a file holds; a line cut off by a kill is left out."""
        for line in content.splitlines():
            try:
                row = json.loads(line)
                key, kept = row['key'], self._from_row(row)
            except (ValueError, KeyError, TypeError):
                continue
            if isinstance(key, str):  # those of echo were lists
                yield key, kept


def keep_rows(path: Path) -> KeptLines[dict[str, Any]]:
    """Open a file of plain rows; ``key`` is not among what is read."""
    return KeptLines(path, from_row=lambda row: {
        name: value for name, value in row.items() if name != 'key'}, to_row=dict)
