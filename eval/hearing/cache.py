"""A file of hearings: one a line, found by key, going on where a kill stopped it."""

from collections.abc import Iterator
from pathlib import Path

from eval.hearing.record import Hearing

__all__ = ['HearingCache']


class HearingCache:
    """What was heard now and before, by key; the file need not exist yet."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = {hearing.key: hearing for hearing in _read(path)} if path.exists() else {}
        self.fresh = 0
        """Hearings that were not in the file."""

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> Hearing:
        return self._known[key]

    def keep(self, hearing: Hearing) -> None:
        """Add a hearing, to the file as well."""
        self._known[hearing.key] = hearing
        self.fresh += 1
        self._path.parent.mkdir(parents=True, exist_ok=True)
        cut_off = self._is_cut_off()
        with self._path.open('a', encoding='utf-8') as lines:
            lines.write('\n' if cut_off else '')
            lines.write(hearing.to_line())

    def _is_cut_off(self) -> bool:
        """Tell whether a kill left the file without the end of its last line."""
        if not self._path.exists() or not self._path.stat().st_size:
            return False
        with self._path.open('rb') as file:
            file.seek(-1, 2)
            return file.read() != b'\n'


def _read(path: Path) -> Iterator[Hearing]:
    """Yield the hearings of a file; a last line cut off by a kill is left out."""
    for line in path.read_text(encoding='utf-8').splitlines():
        try:
            yield Hearing.from_line(line)
        except (ValueError, KeyError, TypeError):
            continue
