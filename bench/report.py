"""The table on the screen and the JSON beside it."""

import json
import math
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.measure import Figure

__all__ = ['RESULTS', 'format_table', 'write_json']

RESULTS = Path(__file__).parent / 'results'


def _format_number(value: float | None) -> str:
    if value is None:
        return ''
    if math.isnan(value):
        return '?'
    if value == 0 or abs(value) >= 100 or float(value).is_integer():
        return f'{value:.0f}'
    return f'{value:.3g}'


def _format_goal(figure: Figure) -> str:
    if figure.goal is None:
        return ''
    return f'<= {_format_number(figure.goal)} {"met" if figure.met else "MISSED"}'


def format_table(machine: Mapping[str, str], sections: Mapping[str, Sequence[Figure]]) -> str:
    """Return everything as plain text."""
    heads = ('', 'median', 'p95', 'p99', 'unit', 'n', 'goal', 'note')
    rows: list[tuple[str, ...]] = []
    for name, figures in sections.items():
        rows.append((f'[{name}]', *[''] * 7))
        rows.extend((f'  {f.what}', _format_number(f.value), _format_number(f.p95),
                     _format_number(f.p99), f.unit,
                     str(f.samples), _format_goal(f), f.note) for f in figures)
    widths = [max(len(row[i]) for row in (heads, *rows)) for i in range(len(heads))]
    lines = [f'{key}: {value}' for key, value in machine.items()] + ['']
    for row in (heads, tuple('-' * width for width in widths), *rows):
        cells = [cell.rjust(width) if i in (1, 2, 3, 5) else cell.ljust(width)
                 for i, (cell, width) in enumerate(zip(row, widths, strict=True))]
        lines.append('  '.join(cells).rstrip())
    return '\n'.join(lines)


def write_json(path: Path | None, *, command: str, machine: Mapping[str, str],
               options: Mapping[str, Any], sections: Mapping[str, Sequence[Figure]],
               failures: Mapping[str, str],
               costs: Mapping[str, Any] | None = None) -> Path:
    """
    Write the results, by default under bench/results, and return where.

    ``costs`` are what a simulation needs to know of a run.
    """
    when = time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())
    path = path or RESULTS / f'{command}-{when}.json'
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        'when': when, 'command': command, 'machine': dict(machine), 'options': dict(options),
        'results': {name: [figure.as_json() for figure in figures]
                    for name, figures in sections.items()},
        'failures': dict(failures), **({} if costs is None else {'costs': dict(costs)})}
    path.write_text(json.dumps(_replace_nan(document), indent=1) + '\n', encoding='utf-8')
    return path


def _replace_nan(value: Any) -> Any:
    """Replace NaN, which JSON does not have, by null."""
    if isinstance(value, dict):
        return {key: _replace_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_replace_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
