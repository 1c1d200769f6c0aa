"""JSON Lines as a run leaves them that may have been stopped while it wrote."""

import json
from pathlib import Path

__all__ = ['mend_lines', 'read_whole_lines']


def read_whole_lines(path: Path) -> list[dict]:
    """Return the lines of a JSON Lines file without what a stopped run left of a last one."""
    if not path.exists():
        return []
    content = path.read_bytes()
    return [json.loads(line) for line in content[:content.rfind(b'\n') + 1].splitlines()]


def mend_lines(path: Path) -> list[dict]:
    """Return the same, and cut the rest off, so that what is written next is a line of its own."""
    rows = read_whole_lines(path)
    if path.exists():
        with path.open('r+b') as file:
            file.truncate(file.read().rfind(b'\n') + 1)
    return rows
