"""
One item of a benchmark and what was answered to it; the answers of a run, kept on disk.

Owns the two records. Knows no benchmark and no model.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from held_out.clips import MaterialError

__all__ = ['Answered', 'Said', 'SuiteItem', 'first_of', 'read_rows']


@dataclass(frozen=True, kw_only=True)
class SuiteItem:
    """What is asked, of which audio, and what is right."""

    id: str
    audio: Path
    """The recording; what is asked may be in it."""
    question: str = ''
    """What is asked in writing; empty where the recording asks."""
    choices: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    """Right answers, any of them; what was said; or translations."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Name of a breakdown to the part of it: task: sound."""
    row: Mapping[str, Any] = field(default_factory=dict)
    """The item as it is published, without its audio, for files of answers."""
    source: str = ''
    """The file that it is from, with its version, where files of a name differ."""


@dataclass(frozen=True)
class Said:
    """One reply to an item."""

    at: float
    """When it was decided, in seconds since the recording of the item began."""
    text: str
    """As it was streamed."""
    final: str = ''
    """What a second pass made of it; empty where there was none."""


@dataclass(frozen=True, kw_only=True)
class Answered:
    """An item and the text that came back; empty where the model stayed silent."""

    item: SuiteItem
    text: str
    said: tuple[Said, ...] = ()
    """The replies that it is made of."""
    seconds: float = 0.0
    """Length of the recording, without what was put behind it."""


def read_rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """
    Yield (place, object) of a JSON list, of JSON lines or of a Parquet file.

    The place names file and row, for messages. Raises MaterialError for a file that is neither.
    """
    if path.suffix == '.parquet':
        yield from _read_parquet(path)
        return
    text = path.read_text(encoding='utf-8')
    try:
        rows = json.loads(text) if text.lstrip().startswith('[') else [
            json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError as error:
        raise MaterialError(f'{path}: expected a JSON list or a JSON object per line ({error}); '
                            'fetch the file again') from error
    for number, row in enumerate(rows):
        if not isinstance(row, dict):
            raise MaterialError(f'{path}: row {number}: expected an object, found '
                                f'{type(row).__name__}; fetch the file again')
        yield f'{path}: row {number}', row


def _read_parquet(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        import pyarrow.parquet as parquet
    except ImportError as error:
        raise MaterialError(f'{path}: reading Parquet needs pyarrow; run: pip install -r '
                            'requirements/cluster.txt') from error
    for number, row in enumerate(parquet.read_table(path).to_pylist()):
        yield f'{path}: row {number}', row


def first_of(row: Mapping[str, Any], names: tuple[str, ...], where: str) -> Any:
    """Return the value of the first of ``names`` that a row has; MaterialError without one."""
    for name in names:
        if row.get(name) is not None:
            return row[name]
    raise MaterialError(f'{where}: expected one of the fields {", ".join(names)}, found '
                        f'{", ".join(sorted(row))}; fetch the benchmark again')
