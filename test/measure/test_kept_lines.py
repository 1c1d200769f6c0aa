"""What took long to make, kept in a file, a line each: found again, whatever a kill left."""

from operator import itemgetter

import pytest

from measure.kept_lines import KeptLines, keep_rows

pytestmark = pytest.mark.unit


def open_kept(path):
    return KeptLines(path, from_row=itemgetter('said'), to_row=lambda said: {'said': said})


def test_what_was_kept_is_found_again_and_no_line_is_lost_behind_one_that_a_kill_cut_off(tmp_path):
    path = tmp_path / 'new' / 'kept.jsonl'
    open_kept(path).keep('a', '水')
    with path.open('ab') as file:
        file.write('{"key": "b", "said": "水'.encode()[:-1])  # within a letter
    kept = open_kept(path)
    assert kept['a'] == '水' and 'b' not in kept and kept.fresh == 0
    kept.keep('c', 'x')
    assert open_kept(path)['a'] == '水' and open_kept(path)['c'] == 'x'


def test_rows_of_somebody_else_are_left_alone(tmp_path):
    path = tmp_path / 'kept.jsonl'
    others = ['7', '{"key": "a", "other": 1}', '{"key": ["a", "b"], "said": "y"}']
    path.write_text('\n'.join(others) + '\n\n')
    kept = open_kept(path)
    assert 'a' not in kept
    kept.keep('b', 'x')
    assert [line for line in path.read_text().splitlines() if line] == [
        *others, '{"key": "b", "said": "x"}']


def test_what_is_not_there_is_made_once_and_plain_rows_come_back_as_they_were(tmp_path):
    made = []
    for _ in range(2):
        kept = keep_rows(tmp_path / 'rows.jsonl')
        for _ in range(2):
            assert kept.find('a', lambda: made.append(1) or {'b': [2]}) == {'b': [2]}
    assert made == [1]


def test_the_end_of_the_file_is_looked_at_once(tmp_path):
    path = tmp_path / 'kept.jsonl'
    path.write_bytes(b'{"key": "a", "sa')
    kept = open_kept(path)
    for key in 'bc':
        kept.keep(key, 'x')
    assert path.read_text().splitlines() == [
        '{"key": "a", "sa', '{"key": "b", "said": "x"}', '{"key": "c", "said": "x"}']
