"""
Corpora of audio that lhotse has no recipe for, read from a local copy in its published form.

Owns the files and columns of each corpus. A row whose audio is not there gives a cut all the same:
the stage that stores the clips counts it as missing. Nothing is downloaded.
"""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from train.corpora.audio import Cut
from train.corpora.importers import require_folder
from train.corpora.licences import group_of
from train.corpora.recipe import source_of
from train.records import Clip
from train.stages.shards import StageError

__all__ = ['ADAPTERS', 'read_audioset', 'read_covost2', 'read_dns', 'read_fma']

AUDIO = {'.wav', '.flac', '.mp3', '.ogg', '.opus'}


def _audio_files(folder: Path) -> dict[str, Path]:
    """Return stem -> file of every audio file below a folder."""
    return {path.stem: path for path in sorted(folder.rglob('*')) if path.suffix in AUDIO}


def _make_clip(source: str, **known: object) -> Clip:
    made = source_of(source)
    return Clip(**{'licence': made.licence, 'licence_group': made.licence_group,  # type: ignore
                   'url': made.url, 'source': source, 'seconds': 0.0, **known})


def _find_tables(folder: Path, pattern: str, what: str) -> list[Path]:
    if not (tables := sorted(require_folder(folder, what).rglob(pattern))):
        raise StageError(f'Expected {what} under {folder}, found no {pattern}; name the folder '
                         'of a local copy')
    return tables


def to_snake_case(name: str) -> str:
    """Return a label in snake_case: "Smoke detector, smoke alarm" gives smoke_detector."""
    return re.sub(r'[^a-z0-9]+', '_', name.partition(',')[0].lower()).strip('_')


def read_covost2(folder: Path) -> Iterator[Cut]:
    """
    Yield CoVoST 2: ``covost_v2.en_zh-CN[.train].tsv`` beside the ``clips/`` of Common Voice.

    Columns path, sentence, translation and client_id, separated by tabs without quoting.
    """
    for table in _find_tables(folder, 'covost_v2.*.tsv', 'covost_v2.en_zh-CN.tsv and clips/'):
        pair = table.name.split('.')[1]
        language, _, target = (part.lower().partition('-')[0] for part in pair.partition('_'))
        base = _make_clip('CoVoST2', id='', path='', language=language,
                          tags=(f'{language}-{target}', *table.name.split('.')[2:-1]))
        with table.open(encoding='utf-8', newline='') as lines:
            for row in csv.DictReader(lines, delimiter='\t', quoting=csv.QUOTE_NONE):
                stem = Path(row['path']).stem
                name = f'covost2/{language}-{target}/{stem}'
                yield Cut(id=name, clip=replace(
                    base, id=name, path=str(table.parent / 'clips' / row['path']),
                    text=row['sentence'], translation=row['translation'],
                    speaker=row.get('client_id') or '', source_id=f'commonvoice:{stem}'))


def _read_label_names(folder: Path) -> dict[str, str]:
    table, = _find_tables(folder, 'class_labels_indices.csv', 'class_labels_indices.csv')[:1]
    with table.open(encoding='utf-8', newline='') as lines:
        return {row['mid']: row['display_name'] for row in csv.DictReader(lines)}


def _read_segments(table: Path) -> Iterator[tuple[str, float, float, list[str]]]:
    with table.open(encoding='utf-8', newline='') as lines:
        for row in csv.reader((line for line in lines if not line.startswith('#')),
                              skipinitialspace=True):
            yield row[0], float(row[1]), float(row[2]), row[3].split(',')


def read_audioset(folder: Path) -> Iterator[Cut]:
    """
    Yield AudioSet: ``*_segments.csv``, ``class_labels_indices.csv`` and audio files of
    segments.

    A file is named by its video: ``ID``, ``YID``, ``ID_30``, ``ID_30.000`` or ``ID_30000_40000``.
    The first class gives the label, all of them the tags.
    """
    folder = require_folder(folder, '*_segments.csv, class_labels_indices.csv and audio')
    mids, files = _read_label_names(folder), _audio_files(folder)
    base = _make_clip('AudioSet', id='', path='')
    for table in _find_tables(folder, '*_segments.csv', 'balanced_train_segments.csv'):
        for video, start, end, classes in _read_segments(table):
            stems = (f'{video}_{start:.0f}', f'{video}_{start:.3f}',
                     f'{video}_{start * 1000:.0f}_{end * 1000:.0f}', f'Y{video}', video)
            path = next((files[stem] for stem in stems if stem in files), None)
            names = [mids.get(mid, mid) for mid in classes]
            name = f'audioset/{video}_{start:.0f}'
            yield Cut(id=name, clip=replace(
                base, id=name, path=str(path or folder / f'{video}.wav'),
                label=to_snake_case(names[0]),
                tags=(*names, table.name.removesuffix('_segments.csv')),
                source_id=f'youtube:{video}', url=f'https://youtu.be/{video}'))


def _read_tracks(table: Path) -> Iterator[dict[str, str]]:
    """Yield the rows of FMA's table, whose head has two lines of names and one of the index."""
    with table.open(encoding='utf-8', newline='') as lines:
        rows = csv.reader(lines)
        names = [f'{group}.{name}' for group, name in zip(next(rows), next(rows), strict=True)]
        next(rows)
        for row in rows:
            yield dict(zip(['id', *names[1:]], row, strict=False))


def read_fma(folder: Path) -> Iterator[Cut]:
    """Yield FMA: ``fma_metadata/tracks.csv`` and ``fma_*/000/000002.mp3``; licence per track."""
    tables = _find_tables(folder, 'tracks.csv', 'fma_metadata/tracks.csv and fma_small/000/…')
    files = _audio_files(folder)
    for row in _read_tracks(tables[0]):
        stem = f'{int(row["id"]):06d}'
        if stem not in files:
            continue  # the table lists all of FMA; the subsets hold parts of it
        licence = row.get('track.license', '')
        yield Cut(id=f'fma/{stem}', clip=_make_clip(
            'FMA', id=f'fma/{stem}', path=str(files[stem]), label='music', licence=licence,
            licence_group=group_of(licence), author=row.get('artist.name', ''),
            title=row.get('track.title', ''), source_id=f'fma:{stem}',
            tags=tuple(filter(None, [row.get('track.genre_top', '')]))))


def read_dns(folder: Path) -> Iterator[Cut]:
    """Yield the noises of the DNS challenge: every audio file below a folder named noise…"""
    folder = require_folder(folder, 'datasets_fullband/noise_fullband')
    files = [path for path in sorted(folder.rglob('*')) if path.suffix in AUDIO
             and any(part.startswith('noise') for part in path.relative_to(folder).parts[:-1])]
    if not files:
        raise StageError(f'Expected noise_fullband/*.wav (or noise/*.wav) under {folder}; name '
                         'the folder above it')
    for path in files:
        name = f'dns/{path.relative_to(folder).with_suffix("")}'
        yield Cut(id=name, clip=_make_clip('DNS', id=name, path=str(path), label='noise',
                                           source_id=f'dns:{path.stem}'))


ADAPTERS: dict[str, Callable[[Path], Iterator[Cut]]] = {
    'audioset': read_audioset, 'covost2': read_covost2, 'dns': read_dns, 'fma': read_fma}
