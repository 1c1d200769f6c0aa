"""
The recordings that scenes are made of, and which of five folds each of them is in.

Owns the folds: fold 0 is put aside for validation (``held_out.splits.is_validation``), the
others are trained on; a head that scores one of these was trained without its fold. Recordings
of one session are in one fold, and in fold 0 where the source of any of them is put aside: some
sessions play back recordings that stand on the other side. Only clips of the licence group
``free`` are taken. Knows no scene.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from held_out.clips import read_manifest
from held_out.splits import fold_of, is_validation, recording_of

__all__ = ['FOLDS', 'HELD_OUT', 'SoundClip', 'read_clips']

FOLDS, HELD_OUT = 5, 0
IMPURE = ('dog_bark', 'baby_cry')
"""Labels of collections that hold other sounds too; a tagger must have heard them as well."""


@dataclass(frozen=True)
class SoundClip:
    """One recording of a folder with ``manifest.jsonl``."""

    path: str
    """Relative to the folder."""
    label: str
    """As in the manifest; ``speech`` for all that is spoken."""
    fold: int
    seconds: float


def read_clips(data: Path) -> list[SoundClip]:
    """Return the free clips of a folder by path; MaterialError for what is no such folder."""
    rows = [row for row in read_manifest(data) if row.get('licence_group') == 'free']
    aside = _sessions_put_aside(rows)
    return sorted((SoundClip(path=row['path'], label=_label_of(row), fold=_fold_of(row, aside),
                             seconds=float(row['seconds']))
                   for row in rows if not (row['label'] in IMPURE
                                           and row.get('label_check') == 'not_confirmed')),
                  key=lambda clip: clip.path)


def _sessions_put_aside(rows: Iterable[Mapping[str, Any]]) -> set[str]:
    """Return the sessions of which a recording is put aside: none of theirs is trained on."""
    recordings = defaultdict(set)
    for row in rows:
        recordings[row.get('session')].add(_source_of(row))
    return {session for session, names in recordings.items()
            if session and any(map(is_validation, names))}


def _fold_of(row: Mapping[str, Any], aside: set[str]) -> int:
    recording, session = _source_of(row), row.get('session')
    if is_validation(recording) or session in aside:
        return HELD_OUT
    # A session may hash to fold 0, yet no recording of it is put aside: it is trained on.
    return fold_of(session or recording, FOLDS) or 1 + fold_of(f'{session} again', FOLDS - 1)


def _source_of(row: Mapping[str, Any]) -> str:
    """Return the recording of a row, whatever session it is of."""
    return recording_of({**row, 'session': None})


def _label_of(row: Mapping[str, Any]) -> str:
    label = str(row['label'])
    return 'speech' if label.startswith('speech_') and label != 'speech_nonverbal' else label
