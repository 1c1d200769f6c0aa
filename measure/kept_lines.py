"""A file of what took long to make: one a line, found by key, going on where a kill stopped it."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

__all__ = ['KeptLines']

Kept = TypeVar('Kept')


class KeptLines(Generic[Kept]):
    """What was made now and before, by key; the file need not exist yet."""

    def __init__(self, path: Path, *, from_row: Callable[[dict[str, Any]], Kept],
                 to_row: Callable[[Kept], dict[str, Any]]) -> None:
        """
        Read the file; a row is what stands in a line beside ``key``.

        A row of which ``from_row`` raises ValueError, KeyError or TypeError is somebody else's.
        """
        self._path, self._from_row, self._to_row = path, from_row, to_row
        self._known = dict(self._read()) if path.exists() else {}
        self.fresh = 0
        """Those that were not in the file."""

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> Kept:
        return self._known[key]

    def keep(self, key: str, kept: Kept) -> None:
        """Add one, to the file as well."""
        self._known[key] = kept
        self.fresh += 1
        self._path.parent.mkdir(parents=True, exist_ok=True)
        cut_off = self._is_cut_off()
        row = {'key': key, **self._to_row(kept)}
        with self._path.open('a', encoding='utf-8') as lines:
            lines.write('\n' if cut_off else '')
            lines.write(json.dumps(row, ensure_ascii=False) + '\n')

    def _is_cut_off(self) -> bool:
        """Tell whether a kill left the file without the end of its last line."""
        if not self._path.exists() or not self._path.stat().st_size:
            return False
        with self._path.open('rb') as file:
            file.seek(-1, 2)
            return file.read() != b'\n'

    def _read(self) -> Iterator[tuple[str, Kept]]:
        """Yield what the file holds; a line cut off by a kill is left out."""
        for line in self._path.read_bytes().splitlines():
            try:
                row = json.loads(line)
                key = row['key']
                yield key, self._from_row(row)
            except (ValueError, KeyError, TypeError):
                continue
