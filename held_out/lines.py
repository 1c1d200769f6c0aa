"""JSON Lines as a run leaves them that may have been stopped while it wrote."""

import json
from pathlib import Path

__all__ = ['read_whole_lines']


def read_whole_lines(path: Path) -> list[dict]:
    """Return the lines of a JSON Lines file without what a stopped run left of a last one."""
    if not path.exists():
        return []
    text = path.read_text(encoding='utf-8')
    return [json.loads(line) for line in text[:text.rfind('\n') + 1].splitlines()]
