"""Corpora of text: each published form gives its dialogues."""

import gzip
import json

import pytest

from train.corpora.dialogues import DIALOGUES, dialogue_of, read_raw_rows
from train.corpora.recipe import load_recipe
from train.records import RecordError
from train.stages import StageError

pytestmark = pytest.mark.unit

FORMS = [
    ('moss', {'chat': {'turn_2': {'Human': '<|Human|>: c<eoh>\n', 'MOSS': '<|MOSS|>: d<eom>\n'},
                       'turn_1': {'Human': '<|Human|>: a<eoh>\n', 'MOSS': '<|MOSS|>: b<eom>\n'}}},
     [('a', 'b'), ('c', 'd')]),
    ('moss', {'plain_text': '[Human]: a<eoh> [MOSS]: b<eoa> [Human]: c<eoh> [MOSS]: d<eoa>'},
     [('a', 'b'), ('c', 'd')]),
    ('ultrachat', {'id': '0', 'data': ['a', 'b', 'c', 'd', 'unanswered']},
     [('a', 'b'), ('c', 'd')]),
    ('magpie', {'uuid': 'x', 'instruction': 'a', 'response': 'b'}, [('a', 'b')]),
    ('magpie', {'conversations': [{'from': 'human', 'value': 'a'}, {'from': 'gpt', 'value': 'b'}]},
     [('a', 'b')]),
    ('belle', {'instruction': 'a', 'input': '', 'output': 'b'}, [('a', 'b')]),
    ('belle', {'instruction': 'Human:a\nAssistant:b\nHuman:c\nAssistant:\n', 'input': '',
               'output': 'd'}, [('a', 'b'), ('c', 'd')]),
    ('coig_cqia', {'instruction': 'a', 'input': 'of x', 'output': 'b', 'domain': ['y']},
     [('a\nof x', 'b')]),
    ('dureader', {'question': 'a', 'answers': ['b', 'c'], 'documents': []}, [('a', 'b')]),
    ('dureader', {'question': 'a', 'answers': [{'text': 'b', 'answer_start': 4}]}, [('a', 'b')]),
    ('webqa', {'question': 'a', 'evidences': {'1': {'answer': ['no_answer'], 'evidence': 'e'},
                                              '2': {'answer': ['b'], 'evidence': 'e'}}},
     [('a', 'b')]),
    ('gammacorpus', {'question': 'a', 'answer': 'b'}, [('a', 'b')]),
]


@pytest.mark.parametrize(('corpus', 'row', 'pairs'), FORMS)
def test_published_forms(corpus, row, pairs):
    dialogue = dialogue_of({**row, 'row_id': 'f.jsonl:0'}, corpus)
    assert [(turn.user, turn.assistant) for turn in dialogue.turns] == pairs
    source = load_recipe().sources[DIALOGUES[corpus][0]]
    assert (dialogue.id, dialogue.licence_group, dialogue.language) == (
        f'{corpus}/f.jsonl:0', source.licence_group, 'en')


@pytest.mark.parametrize('corpus', sorted(DIALOGUES))
def test_another_form_is_a_counted_rejection(corpus):
    for row in ({}, {'data': 3, 'question': 3, 'answer': 4, 'instruction': 5, 'chat': 6,
                     'answers': 7, 'evidences': 8, 'output': 9}):
        assert dialogue_of({**row, 'row_id': 'x'}, corpus).reason == 'not in the published form'


def test_empty_answers_are_left_out():
    assert dialogue_of({'question': 'a', 'answers': [], 'row_id': 'x'}, 'dureader').reason \
        == 'no question or no answer'
    assert dialogue_of({'data': ['a', ' '], 'row_id': 'x'}, 'ultrachat').reason \
        == 'no question or no answer'


def test_chinese_is_told_by_its_characters():
    row = {'instruction': '天气怎么样?', 'output': '晴。', 'row_id': 'x'}
    assert dialogue_of(row, 'belle').language == 'zh'


def test_files_of_every_form_are_read(tmp_path):
    row = {'question': 'a', 'answer': 'b'}
    (tmp_path / 'a.jsonl').write_text(f'{json.dumps(row)}\n\n{json.dumps(row)}\n')
    (tmp_path / 'b.json').write_text(json.dumps([row, row], indent=1))
    with gzip.open(tmp_path / 'c.jsonl.gz', 'wt') as file:
        file.write(json.dumps(row) + '\n')
    squad = {'data': [{'paragraphs': [{'context': 'x', 'qas': [{'question': 'q'}]}]}]}
    (tmp_path / 'd.json').write_text(json.dumps(squad))
    (tmp_path / 'e.json').write_text(json.dumps({'Q1': {'question': 'w', 'evidences': {}}}))
    assert [(r['row_id'], r['question']) for r in read_raw_rows(tmp_path)] == [
        ('a.jsonl:0', 'a'), ('a.jsonl:1', 'a'), ('b.json:0', 'a'), ('b.json:1', 'a'),
        ('c.jsonl.gz:0', 'a'), ('d.json:0', 'q'), ('e.json:0', 'w')]


def test_parquet_is_read_where_pyarrow_is(tmp_path):
    pyarrow = pytest.importorskip('pyarrow')
    parquet = pytest.importorskip('pyarrow.parquet')
    parquet.write_table(pyarrow.Table.from_pylist([{'question': 'a', 'answer': 'b'}]),
                        tmp_path / 'a.parquet')
    row, = read_raw_rows(tmp_path)
    assert dialogue_of(row, 'gammacorpus').turns[0].assistant == 'b'


def test_a_folder_without_files_and_a_broken_file_are_errors(tmp_path):
    with pytest.raises(StageError, match='Expected .jsonl'):
        list(read_raw_rows(tmp_path))
    (tmp_path / 'a.jsonl').write_text('{"question": "a"}\n{broken\n')
    with pytest.raises(RecordError, match=r'a.jsonl: after 1 rows'):
        list(read_raw_rows(tmp_path))
