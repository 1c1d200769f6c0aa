"""
Which side a recording is on, by the hash of who or what was recorded.

Owns the names that recordings are put aside by, and the draw. Chance comes from hashes of names:
everything is the same in every run, and a new recording moves no other. Knows no audio.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

__all__ = ['chance_of', 'fold_of', 'is_validation', 'recording_of']


def fold_of(key: str, folds: int = 5) -> int:
    """Return which fold a recording belongs to, by the hash of its identity."""
    return int(hashlib.sha256(key.encode()).hexdigest(), 16) % folds


def is_validation(key: str, share: int = 5) -> bool:
    """Put one in ``share`` recordings aside: the first fold."""
    return fold_of(key, share) == 0


def recording_of(row: Mapping[str, Any]) -> str:
    """
    Return what a line of a manifest is put on one side with: its speaker, session or source.

    A ``session`` is several recordings in one room with one device: on two sides they would tell
    of that room, not of the sound. Speech that names none of these goes by its words: who says a
    wake phrase in one file may say it in another, and only a phrase that is held out as a whole is
    new to the model.
    """
    said = str(row.get('text') or '').strip().lower() if row['label'].startswith(
        'speech_') else ''
    return str(row.get('speaker') or row.get('session') or row.get('source_id') or said
               or row['path'])


def chance_of(*names: object) -> float:
    """Return a number in [0, 1) that depends on names only."""
    digest = hashlib.sha256('|'.join(map(str, names)).encode()).digest()
    return int.from_bytes(digest[:6], 'big') / 2 ** 48
