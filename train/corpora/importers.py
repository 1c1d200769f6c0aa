"""
The generic importer: a folder with audio files and a ``manifest.jsonl`` becomes clips in place.

Owns the fields of such a manifest and which of its lines are left out, with the reason. Knows no
particular corpus; those have adapters of their own.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from train.corpora.audio import probe
from train.corpora.licences import check_groups, resolve
from train.records import Clip, RecordError
from train.stages.shards import Rejected, StageError

__all__ = ['Rejection', 'by_reason', 'clip_of', 'why_excluded', 'read_manifest_rows',
           'read_folder',
           'require_folder']

TEXT_FIELDS = ('label', 'caption', 'text', 'translation', 'speaker', 'source', 'source_id',
               'licence', 'author', 'url', 'title')
# Names that other manifests have for the same thing.
ALIASES = {'lang': 'language', 'license': 'licence', 'license_group': 'licence_group',
           'audio_path': 'path', 'audio_filepath': 'path', 'duration': 'seconds',
           'sampling_rate': 'sample_rate', 'transcript': 'text'}


@dataclass(frozen=True)
class Rejection:
    """A line of a manifest that gave no clip."""

    record: str
    reason: str
    detail: str = ''


def by_reason(rejections: Iterable[Rejection]) -> dict[str, int]:
    """Return how many were left out for each reason, the most frequent first."""
    return dict(Counter(rejection.reason for rejection in rejections).most_common())


def why_excluded(clip: Clip, groups: tuple[str, ...]) -> Rejected | None:
    """Return why a clip's licence keeps it out of a build, None where it does not."""
    if clip.licence_group not in groups:
        return None
    return Rejected(f'licence group {clip.licence_group} excluded', clip.licence)


def read_manifest_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a JSON-lines file with aliases resolved; raises RecordError."""
    if not path.is_file():
        raise RecordError(f'Expected {path.name} in {path.parent}; name a folder that has one '
                          '(one JSON object per clip)')
    with path.open(encoding='utf-8') as lines:
        for number, line in enumerate(lines, start=1):
            try:
                row = json.loads(line)
            except json.JSONDecodeError as error:
                raise RecordError(f'{path.name}:{number}: not JSON ({error}); write one object '
                                  'per line') from error
            if not isinstance(row, dict) or not isinstance(
                    row.get('path', row.get('audio_path', row.get('audio_filepath'))), str):
                raise RecordError(f'{path.name}:{number}: expected an object with a path, got '
                                  f'{line.strip()[:80]!r}; correct the line')
            yield {ALIASES.get(str(key), str(key)): value for key, value in row.items()}


def _read_number(row: dict[str, Any], name: str) -> float | Rejected | None:
    value = row.get(name)
    if value is None or isinstance(value, (int, float)) and value >= 0:
        return value
    return Rejected(f'{name} is not a number', repr(value))


def clip_of(row: dict[str, Any], folder: Path, defaults: dict[str, str] | None = None
            ) -> Clip | Rejected:
    """
    Return the clip of a manifest line, its file checked, or why there is none.

    Fields that no clip has (fold, intent, notes) are left behind. The path stays as the manifest
    has it, relative to the folder. Raises RecordError for a licence group that does not exist.
    """
    row = {**(defaults or {}), **row}
    if Path(row['path']).is_absolute() or '..' in Path(row['path']).parts:
        return Rejected('path outside the folder', row['path'])
    seconds, rate = _read_number(row, 'seconds'), _read_number(row, 'sample_rate')
    for value in (seconds, rate):
        if isinstance(value, Rejected):
            return value
    length = probe(folder / row['path'], seconds=seconds,  # type: ignore[arg-type]
                   sample_rate_hz=rate)  # type: ignore[arg-type]
    if isinstance(length, Rejected):
        return length
    texts = {name: str(row.get(name) or '') for name in TEXT_FIELDS}
    return Clip(
        **texts,  # type: ignore[arg-type]
        id=str(row.get('id') or Path(row['path']).with_suffix('')), path=row['path'],
        seconds=length, language=str(row.get('language') or ''),
        tags=tuple(map(str, row.get('tags') or ())), generated=row.get('generated') is True,
        licence_group=resolve(texts['licence'], row.get('licence_group')))


def _import_row(row: dict[str, Any], folder: Path, groups: tuple[str, ...],
                defaults: dict[str, str]
                ) -> Clip | Rejected:
    clip = clip_of(row, folder, defaults)
    return clip if isinstance(clip, Rejected) else why_excluded(clip, groups) or clip


def read_folder(folder: Path, *, exclude_groups: Iterable[str] = (),
                defaults: dict[str, str] | None = None) -> tuple[list[Clip], list[Rejection]]:
    """
    Return the clips of a folder with a ``manifest.jsonl``, and the lines left out with reasons.

    Clip paths are made absolute. ``defaults`` fills fields that a line lacks (source, licence, …).
    Left out: a missing, unreadable or empty file, another rate or length than the manifest says,
    a path outside the folder, a second clip of the same id, an excluded licence group. Raises
    RecordError where the manifest itself is wrong.
    """
    folder = Path(folder).absolute()
    import_row = partial(_import_row, folder=folder, groups=check_groups(exclude_groups),
                         defaults=defaults or {})
    clips: dict[str, Clip] = {}
    rejections = []
    for row in read_manifest_rows(folder / 'manifest.jsonl'):
        clip = import_row(row)
        if isinstance(clip, Clip) and clip.id in clips:
            clip = Rejected('id twice', clip.id)
        if isinstance(clip, Rejected):
            rejections.append(Rejection(row['path'], clip.reason, clip.detail))
        else:
            clips[clip.id] = replace(clip, path=str(folder / clip.path))
    return list(clips.values()), rejections


def require_folder(folder: Path, what: str) -> Path:
    """Return a folder as an absolute path; raises StageError where there is none."""
    if not folder.is_dir():
        raise StageError(f'Expected {what} under {folder}, which is not a folder; name the folder '
                         'of a local copy')
    return folder.absolute()
