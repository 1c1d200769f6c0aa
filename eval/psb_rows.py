"""
The files of ProactiveSound-Bench: its manifest, and predictions of any model.

Owns their forms; a row that is not as expected is named with its file and line.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from held_out.clips import MaterialError

__all__ = ['DECISIONS', 'MANIFEST', 'BenchmarkClip', 'read_benchmark', 'read_predictions',
           'reply_of', 'write_predictions']

MANIFEST = 'proactive_reply_benchmark.jsonl'
DECISIONS = ('RESPOND', 'IGNORE')
RAW = ('_raw_reply', 'reply', 'response', 'raw')
"""What the raw reply is called, in the authors' files and in others."""
DECISION, REPLY = (re.compile(rf'<\s*{tag}\s*>(.*?)<\s*/\s*{tag}\s*>', re.IGNORECASE | re.DOTALL)
                   for tag in ('decision', 'reply'))
LEGAL = re.compile(r'\b(respond|ignore)\b', re.IGNORECASE)
"""As core.py of masaz14/Proactive-Sound-Effect-Benchmark at 0873b2b reads what was replied."""


@dataclass(frozen=True)
class BenchmarkClip:
    """One clip of the benchmark."""

    id: str
    path: str
    domain: str
    category: str
    description: str
    respond: bool


def _parse_row(values: Mapping[str, Any], where: str) -> BenchmarkClip:
    try:
        path, decision = str(values['path']), str(values['decision']).upper()
        domain, category = Path(path).parts[-4:-2]
        if decision not in DECISIONS:
            raise ValueError(f'decision {decision!r}')
        return BenchmarkClip(id=str(values['id']), path=path, domain=domain, category=category,
                             description=str(values.get('description', '')),
                             respond=decision == 'RESPOND')
    except (KeyError, ValueError, TypeError) as error:
        raise MaterialError(
            f'{where}: expected id, path …/DOMAIN/SUB/DECISION/ID.wav and decision RESPOND or '
            f'IGNORE, got {values!r} ({error}); fetch the manifest again') from error


def read_benchmark(path: Path) -> list[BenchmarkClip]:
    """Return the rows of a manifest, or of the one in a folder; MaterialError names the line."""
    path = path / MANIFEST if path.is_dir() else path
    if not path.is_file():
        raise MaterialError(f'{path}: expected the manifest of ProactiveSound-Bench, found none; '
                            'fetch it from its authors and give its folder in --data')
    rows = []
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), start=1):
        try:
            values = json.loads(line)
        except ValueError as error:
            raise MaterialError(f'{path}:{number}: expected JSON, got {line[:60]!r}; fetch the '
                                'manifest again') from error
        rows.append(_parse_row(values, f'{path}:{number}'))
    if len({row.id for row in rows}) != len(rows):
        raise MaterialError(f'{path}: expected different ids, found some twice; fetch it again')
    return rows


def reply_of(values: Mapping[str, Any]) -> str | None:
    """
    Return what a predicted row replies: empty where it stays silent, None for nothing legal.

    The decision is a tag in the raw reply, by the rule of the authors, or a plain field where
    there is no raw reply: beside one, the field may be the answer key. A reply that is not told
    is ``…``.
    """
    raw = next((str(values[name]) for name in RAW if values.get(name)), '').strip()
    tag, text = DECISION.search(raw), REPLY.search(raw)
    told = tag.group(1) if tag else '' if raw else str(values.get('decision', ''))
    legal = LEGAL.search(told)
    decision = legal.group(1).upper() if legal and not raw.startswith('Error:') else ''
    if decision not in DECISIONS:
        return None
    return (text.group(1).strip() if text else '') or '…' if decision == 'RESPOND' else ''


def read_predictions(path: Path) -> dict[str, str | None]:
    """Return replies by id of a file of {id, decision} or {id, response: '<Decision>…'}."""
    replies = {}
    for number, line in enumerate(path.read_text(encoding='utf-8').splitlines(), start=1):
        try:
            values = json.loads(line)
            replies[str(values['id'])] = reply_of(values)
        except (ValueError, KeyError, TypeError) as error:
            raise MaterialError(f'{path}:{number}: expected an object with id, got '
                                f'{line[:60]!r}; correct the predictions') from error
    return replies


def write_predictions(path: Path, replies: Mapping[str, str | None]) -> None:
    """
    Write replies by id as the authors' evaluate.py reads them.

    What was not heard has no row.
    """
    rows = ({'id': name, '_raw_reply': f'<Decision>{DECISIONS[not reply]}</Decision>'
             f'<Reply>{reply}</Reply>'} for name, reply in replies.items() if reply is not None)
    path.write_text(''.join(json.dumps(row, ensure_ascii=False) + '\n' for row in rows),
                    encoding='utf-8')
