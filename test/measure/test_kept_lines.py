"""What took long to make, kept in a file, a line each: found again, whatever a kill left."""

import json
from operator import itemgetter

import pytest

from eval.kept_lines import KeptLines

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
    path.write_text('7\n{"key": "a", "other": 1}\n\n')
    kept = open_kept(path)
    assert 'a' not in kept
    kept.keep('b', 'x')
    assert [json.loads(line) for line in path.read_text().splitlines() if line][1:] == [
        {'key': 'a', 'other': 1}, {'key': 'b', 'said': 'x'}]
