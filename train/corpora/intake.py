"""
A local copy of any corpus into clips or dialogues of ours: one resumable stage.

Owns the choice of the importer and what every record goes through: twice, licence, audio. Knows no
corpus itself.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from train.corpora.adapters import ADAPTERS
from train.corpora.audio import Cut, store
from train.corpora.dialogues import DIALOGUES, Dialogue, dialogue_of, read_raw_rows
from train.corpora.importers import clip_of, read_manifest_rows, require_folder, why_excluded
from train.corpora.lhotse_recipes import LHOTSE_CORPORA, read_lhotse
from train.corpora.licences import check_groups
from train.records import Clip
from train.stages import Rejected, StageError, StageReport, run_stage

__all__ = ['IMPORTERS', 'import_corpus']

IMPORTERS = ('folder', *sorted(LHOTSE_CORPORA), *sorted(ADAPTERS), *sorted(DIALOGUES))
TWICE = 'id twice'


def _mark_repeated(cuts: Iterable[Cut]) -> Iterator[dict[str, Any]]:
    """Yield each cut and whether its id came before, which a shard alone cannot know."""
    known: set[str] = set()
    for cut in cuts:
        yield {'id': cut.id, 'cut': vars(cut) | {'clip': vars(cut.clip)}, 'twice': cut.id in known}
        known.add(cut.id)


def _from_cut(record: dict[str, Any], folder: Path, groups: tuple[str, ...]) -> Clip | Rejected:
    values = record['cut']
    cut = Cut(**{**values, 'clip': Clip(**values['clip'])})
    if record['twice']:
        return Rejected(TWICE, cut.id)
    return why_excluded(cut.clip, groups) or store(cut, folder)


def _read_manifest(folder: Path) -> Iterator[dict[str, Any]]:
    known: set[str] = set()
    for row in read_manifest_rows(folder / 'manifest.jsonl'):
        name = str(row.get('id') or Path(row['path']).with_suffix(''))
        yield {**row, 'id': name, 'twice': name in known}
        known.add(name)


def _from_row(row: dict[str, Any], source: Path, folder: Path, groups: tuple[str, ...]
              ) -> Clip | Rejected:
    clip = clip_of(row, source)
    if isinstance(clip, Rejected):
        return clip
    if row['twice']:
        return Rejected(TWICE, clip.id)
    return why_excluded(clip, groups) or store(
        Cut(id=clip.id, clip=replace(clip, path=str(source / clip.path))), folder)


def _from_text(row: dict[str, Any], corpus: str, groups: tuple[str, ...]) -> Dialogue | Rejected:
    dialogue = dialogue_of(row, corpus)
    if isinstance(dialogue, Dialogue) and dialogue.licence_group in groups:
        return Rejected(f'licence group {dialogue.licence_group} excluded', dialogue.licence)
    return dialogue


def import_corpus(kind: str, folder: Path, out: Path, *, exclude_groups: Iterable[str] = (),
                  language: str = 'en', parts: Iterable[str] = (), **stage: Any) -> StageReport:
    """
    Read a corpus by one of IMPORTERS into ``out/clips`` or, of text, ``out/dialogues``.

    Clips become 16 kHz mono FLAC under ``out/clips/audio``; whatever cannot be used is counted in
    the report with its reason. ``stage`` goes to ``run_stage`` (workers, resume, backend, …).
    Raises StageError where the folder does not hold the corpus, RecordError for a wrong manifest
    or licence group.
    """
    groups, out = check_groups(exclude_groups), Path(out).absolute()
    if kind not in IMPORTERS:
        raise StageError(f'Expected an importer out of {IMPORTERS}, got {kind!r}')
    folder = require_folder(Path(folder), f'a local copy for {kind}')
    if kind in DIALOGUES:
        return run_stage('dialogues', read_raw_rows(folder),
                         partial(_from_text, corpus=kind, groups=groups), out=out, **stage)
    if kind == 'folder':
        return run_stage('clips', _read_manifest(folder), partial(
            _from_row, source=folder, folder=out / 'clips', groups=groups), out=out, **stage)
    cuts = (ADAPTERS[kind](folder) if kind in ADAPTERS else read_lhotse(
        kind, folder, out / 'manifests', language=language, parts=tuple(parts)))
    return run_stage('clips', _mark_repeated(cuts), partial(
        _from_cut, folder=out / 'clips', groups=groups), out=out, **stage)
