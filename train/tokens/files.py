"""
Token samples on disk, in the form of the release: one JSON object per line.

``labels`` stand at the id that they name, not at the one that predicts it, and the last decision
or end is part of the ids. Control and text labels are told apart by what stands before them.
Knows no tokenizer.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from train.records import write_records
from train.tokens.layout import IGNORE, RESPOND, SILENCE, Layout, Sample, TokensError

__all__ = ['TokenRow', 'of_row', 'read_rows', 'to_row', 'write_rows']


@dataclass(frozen=True, kw_only=True)
class TokenRow:
    """One sample as the release stores it."""

    tasks: str
    """online or offline."""
    idx: int | str
    input_ids: list[int]
    labels: list[int]
    """The id itself where it is learned, -100 elsewhere."""
    audio_pos: list[list[int]] | list[int] | None
    """Online: [start, end) of each chunk's slots; offline: one pair, or null without audio."""
    pt_path_dir: str = ''
    """Folder of the features; empty where they are computed from the audio."""


def to_row(sample: Sample, layout: Layout, *, idx: int | str, pt_path_dir: str = '') -> TokenRow:
    """Return a sample in the form of the release."""
    due = sample.text.copy()
    due[sample.control == SILENCE] = layout.ids.silence
    due[sample.control == RESPOND] = layout.ids.respond
    labels = np.concatenate([[IGNORE], due])
    is_online = int(sample.ids[0]) == layout.ids.online
    last = labels[-1:] if labels[-1] != IGNORE else labels[:0]
    ids = np.concatenate([sample.ids, last])
    return TokenRow(tasks='online' if is_online else 'offline', idx=idx, input_ids=ids.tolist(),
                    labels=labels[:len(ids)].tolist(), pt_path_dir=pt_path_dir,
                    audio_pos=_make_spans(sample.feature_at, layout if is_online else None))


def _make_spans(slots: np.ndarray, layout: Layout | None) -> list[list[int]] | list[int] | None:
    if layout is not None:
        return [[int(first), int(first) + layout.features_per_chunk]
                for first in slots[::layout.features_per_chunk]]
    return [int(slots[0]), int(slots[-1]) + 1] if len(slots) else None


def of_row(row: TokenRow, layout: Layout) -> Sample:
    """Return the sample of a row; raises TokensError where its parts do not fit each other."""
    ids, labels = np.array(row.input_ids, np.int64), np.array(row.labels, np.int64)
    learned = labels != IGNORE
    if len(ids) < 2 or len(ids) != len(labels) or (labels[learned] != ids[learned]).any():
        raise TokensError(f'row {row.idx}: expected as many labels as ids, each -100 or the id '
                          f'itself, got {len(ids)} ids and {len(labels)} labels; lay it out anew')
    slots = _find_slots(row)
    wanted = layout.ids.pad if row.tasks == 'online' else layout.ids.audio_pad
    if len(slots) and (slots[-1] >= len(ids) or (ids[slots] != wanted).any()):
        raise TokensError(f'row {row.idx}: expected audio slots {wanted} at audio_pos, got other '
                          'ids; the row belongs to another model or was cut')
    return replace(_shift_labels(ids, labels, layout), feature_at=slots)


def _find_slots(row: TokenRow) -> np.ndarray:
    """Return the positions [F] of a row's audio slots."""
    pairs: Any = row.audio_pos or []
    if row.tasks == 'offline' and pairs:
        pairs = [pairs]
    try:
        return np.array([at for first, end in pairs for at in range(first, end)], np.int64)
    except (TypeError, ValueError) as error:
        raise TokensError(f'row {row.idx}: expected pairs [start, end) in audio_pos, got '
                          f'{row.audio_pos}; lay the stream out anew') from error


def _shift_labels(ids: np.ndarray, labels: np.ndarray, layout: Layout) -> Sample:
    """Return ids less the last decision or end, and each label where it is predicted."""
    due, at = labels[1:], ids[:-1]
    decides = (at == layout.ids.assistant) & (due != IGNORE)
    control = np.full(len(due), IGNORE, np.int64)
    control[decides] = np.where(due[decides] == layout.ids.respond, RESPOND, SILENCE)
    return Sample(ids=at, feature_at=ids[:0], control=control,
                  text=np.where(decides, IGNORE, due))


def write_rows(path: Path, rows: Iterable[TokenRow]) -> int:
    """Write rows as JSON lines, all or nothing; return how many."""
    return write_records(path, rows)


def read_rows(path: Path) -> Iterator[TokenRow]:
    """Yield rows, the release's own too; raises TokensError naming file, line and field."""
    with path.open(encoding='utf-8') as lines:
        for number, line in enumerate(lines, start=1):
            yield _parse_row(line, f'{path.name}:{number}')


def _parse_row(line: str, where: str) -> TokenRow:
    try:
        values: Any = json.loads(line)
    except json.JSONDecodeError as error:
        raise TokensError(f'{where}: not JSON ({error}); write one object per line') from error
    names = {'tasks', 'idx', 'input_ids', 'labels', 'audio_pos'}
    if not isinstance(values, dict) or not names <= set(values):
        raise TokensError(f'{where}: expected the fields {sorted(names)}, got '
                          f'{sorted(values) if isinstance(values, dict) else values!r}; lay the '
                          'stream out anew')
    known = {name: values[name] for name in (*sorted(names), 'pt_path_dir') if name in values}
    for name in ('input_ids', 'labels'):
        if not isinstance(known[name], list) or not all(type(i) is int for i in known[name]):
            raise TokensError(f'{where}.{name}: expected a list of integers, got '
                              f'{str(known[name])[:60]}; lay the stream out anew')
    if known['tasks'] not in ('online', 'offline'):
        raise TokensError(f'{where}.tasks: expected online or offline, got {known["tasks"]!r}; '
                          'correct the row')
    return TokenRow(**known)
