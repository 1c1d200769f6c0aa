"""
Corpora of text: questions and answers that become speech later. Record and adapters.

Owns the record of a dialogue and the published fields of each corpus. Knows no audio; what is
spoken of a dialogue, and how, is decided later.
"""

import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from audio_interaction_ros.errors import MissingDependencyError
from train.corpora.recipe import source_of
from train.records import RecordError
from train.stages.shards import Rejected, StageError

__all__ = ['DIALOGUES', 'Dialogue', 'Turn', 'dialogue_of', 'read_raw_rows']

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Turn:
    """What a person says and what the assistant answers."""

    user: str
    assistant: str


@dataclass(frozen=True, kw_only=True)
class Dialogue:
    """Turns of one conversation out of a corpus of text."""

    id: str
    turns: tuple[Turn, ...]
    language: str
    """en or zh, by the characters of the first question."""
    source: str
    licence: str = ''
    licence_group: str = 'unstated'
    """One of LICENCE_GROUPS."""
    url: str = ''


def _pair_alternating(texts: list[str]) -> Pairs:
    return list(zip(texts[::2], texts[1::2], strict=False))


def _pairs_of_messages(row: Mapping[str, Any]) -> Pairs:
    """Return the pairs of a list of {from, value} or {role, content} messages."""
    pairs, question = [], ''
    for message in row['conversations']:
        text = message.get('value', message.get('content', ''))
        if message.get('from', message.get('role')) in ('human', 'user'):
            question = text
        elif question:
            pairs.append((question, text))
            question = ''
    return pairs


def _pairs_of_moss(row: Mapping[str, Any]) -> Pairs:
    if 'chat' in row:  # 003: {turn_1: {Human: "<|Human|>: …<eoh>", MOSS: "<|MOSS|>: …<eom>"}}
        turns = sorted(row['chat'].items(), key=lambda item: int(item[0].rpartition('_')[2]))
        return [(_strip_marks(turn['Human']), _strip_marks(turn['MOSS'])) for _, turn in turns]
    texts = re.split(r'\[(?:Human|MOSS)\]:', row['plain_text'])[1:]  # 002
    return _pair_alternating([_strip_marks(text) for text in texts])


def _strip_marks(text: str) -> str:
    return re.sub(r'<\|(?:Human|MOSS)\|>:|<eo[a-z]>', '', text).strip()


def _pairs_of_instruction(row: Mapping[str, Any]) -> Pairs:
    """Return the pairs of instruction, input and output, the answer of which may be a dialogue."""
    if 'conversations' in row:
        return _pairs_of_messages(row)
    question = '\n'.join(filter(None, [row['instruction'], row.get('input') or '']))
    if re.match(r'\s*Human:', question):
        texts = re.split(r'(?:Human|Assistant):', question)[1:]
        return _pair_alternating([text.strip() for text in texts[:-1]] + [row['output']]
                                 if not texts[-1].strip() else [text.strip() for text in texts])
    return [(question, row['output'])]


def _pairs_of_dureader(row: Mapping[str, Any]) -> Pairs:
    answers = [answer['text'] if isinstance(answer, Mapping) else answer
               for answer in row['answers']]
    return [(row['question'], answers[0])] if answers else []


def _pairs_of_webqa(row: Mapping[str, Any]) -> Pairs:
    answers = [text for evidence in row['evidences'].values()
               for text in evidence['answer'] if text != 'no_answer']
    return [(row['question'], answers[0])] if answers else []


# corpus -> (its name in the recipe, row -> pairs)
DIALOGUES: dict[str, tuple[str, Callable[[Mapping[str, Any]], Pairs]]] = {
    'moss': ('MOSS', _pairs_of_moss),
    'gammacorpus': ('GammaCorpus', lambda row: [(row['question'], row['answer'])]),
    'ultrachat': ('UltraChat', lambda row: _pair_alternating(row['data'])),
    'magpie': ('Magpie-Pro', lambda row: (_pairs_of_messages(row) if row.get('conversations') else
                                          [(row['instruction'], row['response'])])),
    'belle': ('BellGroup', _pairs_of_instruction),
    'coig_cqia': ('COIG-CQIA', _pairs_of_instruction),
    'dureader': ('DU-QA', _pairs_of_dureader),
    'webqa': ('Web-QA', _pairs_of_webqa),
}


def _read_objects(path: Path) -> Iterator[Any]:
    """Yield the objects of a .jsonl, .json, .jsonl.gz or .parquet file."""
    if path.suffix == '.parquet':
        try:
            import pyarrow.parquet as parquet
        except ImportError as error:
            raise MissingDependencyError('Reading .parquet needs pyarrow: pip install pyarrow'
                                         ) from error
        for batch in parquet.ParquetFile(path).iter_batches():
            yield from batch.to_pylist()
        return
    opener: Callable[..., IO[str]] = gzip.open if path.suffix == '.gz' else open
    with opener(path, 'rt', encoding='utf-8') as lines:
        first = lines.readline()
        try:
            value = json.loads(first)
        except json.JSONDecodeError:  # one value over many lines
            value = json.loads(first + lines.read())
        yield value
        for line in filter(str.strip, lines):
            yield json.loads(line)


def _rows_inside(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the rows inside a value of a file, whichever of the published forms it has."""
    if isinstance(value, list):
        for item in value:
            yield from _rows_inside(item)
    elif isinstance(value, dict) and isinstance(value.get('data'), list) and any(
            isinstance(item, dict) and 'paragraphs' in item for item in value['data']):  # SQuAD
        for paragraph in (each for item in value['data'] for each in item['paragraphs']):
            yield from paragraph['qas']
    elif isinstance(value, dict) and value and all(
            isinstance(item, dict) and 'question' in item for item in value.values()):  # WebQA
        yield from ({'id': key, **item} for key, item in value.items())
    elif isinstance(value, dict):
        yield value
    else:
        raise RecordError(f'expected an object, got {value!r}')


def read_raw_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """
    Yield the rows of every JSON, JSON-lines or Parquet file below a folder, files by name.

    Each gets ``row_id``, the file and the number of the row. Raises StageError where there is no
    such file, RecordError for one that is not JSON.
    """
    paths = sorted(path for path in folder.rglob('*')
                   if path.name.endswith(('.jsonl', '.json', '.jsonl.gz', '.parquet')))
    if not paths:
        raise StageError(f'Expected .jsonl, .json, .jsonl.gz or .parquet files under {folder}; '
                         'name the folder of a local copy')
    for path in paths:
        number = 0
        try:
            for row in (row for value in _read_objects(path) for row in _rows_inside(value)):
                yield {**row, 'row_id': f'{path.relative_to(folder)}:{number}'}
                number += 1
        except (json.JSONDecodeError, UnicodeDecodeError, RecordError, KeyError) as error:
            raise RecordError(f'{path.name}: after {number} rows: {error}; correct the file'
                              ) from error


def dialogue_of(row: dict[str, Any], corpus: str) -> Dialogue | Rejected:
    """Return the dialogue of a row of a corpus, or why there is none; a stage function."""
    name, pairs_of = DIALOGUES[corpus]
    try:
        pairs = pairs_of(row)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        return Rejected('not in the published form', f'{type(error).__name__}: {error}')
    if not all(isinstance(text, str) for pair in pairs for text in pair):
        return Rejected('not in the published form', 'a turn is no text')
    turns = tuple(Turn(user=user.strip(), assistant=answer.strip()) for user, answer in pairs)
    if not turns or not all(turn.user and turn.assistant for turn in turns):
        return Rejected('no question or no answer', row['row_id'])
    source = source_of(name)
    chinese = re.search(r'[一-鿿]', turns[0].user) is not None
    return Dialogue(id=f'{corpus}/{row["row_id"]}', turns=turns, source=name, url=source.url,
                    language='zh' if chinese else 'en', licence=source.licence,
                    licence_group=source.licence_group)
