"""
The public forms of the benchmarks, read into items.

Each reader takes the folder that a person fetched. What a form is like was read in the public
repositories; a field that is missing is an error that names file and row, never a guess.
"""

import csv
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from eval.suites.items import SuiteItem, first_of, read_rows
from held_out.clips import MaterialError

__all__ = ['read_covost', 'read_librispeech', 'read_mmau', 'read_spoken_questions']

MMAU_FILES = ('mmau-test-mini.json', 'mmau-test.json')
MMAU_SPOKEN = 'spoken-questions'
"""Folder beside the audio with the questions as recordings, ID.wav; nobody released any."""


def read_mmau(folder: Path, part: str = '') -> list[SuiteItem]:
    """
    Return the items of MMAU: ``mmau-test-mini.json`` or the file that ``part`` names.

    With ``part`` ``spoken`` the question is a recording of ``spoken-questions``, which somebody
    must have made: the authors did not release theirs.
    """
    spoken = part == 'spoken'
    path = _find(folder, MMAU_FILES if part in ('', 'spoken') else (part,))
    source = f'{path.name}, git blob {_name_blob(path)}'
    return [replace(_read_mmau_row(folder, where, row, spoken=spoken), source=source)
            for where, row in read_rows(path)]


def _name_blob(path: Path) -> str:
    """Return the name that git has for a file; ``git log --find-object`` tells its commit."""
    data = path.read_bytes()
    return hashlib.sha1(b'blob %d\0' % len(data) + data, usedforsecurity=False).hexdigest()


def _read_mmau_row(folder: Path, where: str, row: Mapping[str, Any], *,
                   spoken: bool) -> SuiteItem:
    name = str(first_of(row, ('id',), where))
    choices = tuple(map(str, first_of(row, ('choices',), where)))
    answer = str(row.get('answer') or '')  # the large test is published without
    if answer and answer not in choices:
        raise MaterialError(f'{where}: expected the answer among {choices}, found {answer!r}; '
                            'fetch the benchmark again')
    question = str(first_of(row, ('question',), where))
    return SuiteItem(
        id=name, audio=folder / str(first_of(row, ('audio_id',), where)), question=question,
        choices=choices, references=(answer,) if answer else (),
        groups={key: str(row.get(key, '')) for key in ('task', 'difficulty', 'sub-category')}
        | ({'asked by': str(folder / MMAU_SPOKEN / f'{name}.wav')} if spoken else {}), row=row)


def read_spoken_questions(folder: Path, part: str = '') -> list[SuiteItem]:
    """
    Return items whose recording asks: VoiceBench, LLaMA Questions, Web Questions.

    The form is that of data sets on the Hugging Face hub: ``metadata.jsonl`` with ``file_name``,
    or Parquet files whose column ``audio`` names or holds the recording. ``part`` is a folder in
    ``folder``, such as ``sd-qa``. References, where there are any, are in ``reference``,
    ``Answer`` or ``answers``.
    """
    folder = folder / part
    paths = [folder / 'metadata.jsonl'] if (folder / 'metadata.jsonl').is_file() else sorted(
        folder.glob('*.parquet'))
    if not paths:
        raise MaterialError(f'{folder}: expected metadata.jsonl or *.parquet, found neither; '
                            'fetch the data set, or name its part with --part')
    return [_read_question(folder, where, row, number) for path in paths
            for number, (where, row) in enumerate(read_rows(path))]


def _read_question(folder: Path, where: str, row: Mapping[str, Any], number: int) -> SuiteItem:
    audio = row.get('file_name') or first_of(row, ('audio',), where)
    if isinstance(audio, Mapping):  # of a Parquet file: a name, and often the bytes themselves
        audio = _unpack(folder, audio, where, number)
    said = next((row[key] for key in ('reference', 'Answer', 'answer', 'answers')
                 if row.get(key)), ())
    references = tuple(map(str, said)) if isinstance(said, list | tuple) else (str(said),)
    plain = {key: value for key, value in row.items() if key not in ('audio', 'file_name')}
    return SuiteItem(
        id=str(row.get('id', Path(str(audio)).stem or number)), audio=folder / str(audio),
        question=str(first_of(row, ('prompt', 'question', 'Questions', 'instruction'), where)),
        references=references, row=plain,
        groups={key: str(row[key]) for key in ('region', 'split') if row.get(key)})


def _unpack(folder: Path, audio: Mapping[str, Any], where: str, number: int) -> str:
    """Return the path of a recording that a row holds, written beside the file once."""
    if not audio.get('bytes'):
        return str(first_of(audio, ('path',), where))
    name = Path('unpacked') / Path(str(audio.get('path') or f'{number}.wav')).name
    if not (folder / name).is_file():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(audio['bytes'])
    return str(name)


def read_librispeech(folder: Path, part: str = 'test-clean') -> list[SuiteItem]:
    """Return the utterances of one part of LibriSpeech, as lhotse reads them."""
    try:
        from lhotse.recipes import prepare_librispeech
    except ImportError as error:
        raise MaterialError('reading LibriSpeech needs lhotse; run: pip install -r '
                            'requirements/train.txt') from error
    part = part or 'test-clean'
    if not (folder / part).is_dir():
        raise MaterialError(f'{folder}: expected the folder {part} of LibriSpeech, found none; '
                            'fetch it, or name another with --part')
    read = prepare_librispeech(folder, dataset_parts=part)[part]
    paths = {recording.id: Path(recording.sources[0].source) for recording in read['recordings']}
    return [SuiteItem(id=said.id, audio=paths[said.recording_id], references=(said.text,),
                      groups={'speaker': str(said.speaker)})
            for said in sorted(read['supervisions'], key=lambda said: said.id)]


def read_covost(folder: Path, part: str = 'en_zh-CN.test') -> list[SuiteItem]:
    """
    Return the utterances of one part of CoVoST2: ``covost_v2.PART.tsv`` beside ``clips``.

    The audio is Common Voice 4's. ``part`` is direction and split, such as ``zh-CN_en.test``.
    """
    part = part or 'en_zh-CN.test'
    path = _find(folder, (f'covost_v2.{part}.tsv',))
    with path.open(encoding='utf-8', newline='') as lines:
        rows = list(csv.DictReader(lines, delimiter='\t', quoting=csv.QUOTE_NONE))
    return [SuiteItem(
        id=Path(first_of(row, ('path',), where)).stem, audio=folder / 'clips' / row['path'],
        question=first_of(row, ('sentence',), where),
        references=(first_of(row, ('translation',), where),),
        groups={'direction': part.partition('.')[0]}, row=row)
        for where, row in _number(path, rows)]


def _number(path: Path, rows: list[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, row in enumerate(rows):
        yield f'{path}: row {number}', row


def _find(folder: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise MaterialError(f'{folder}: expected {" or ".join(names)}, found none; fetch the '
                        'benchmark and name its folder in --data')
