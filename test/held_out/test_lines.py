"""Lines of a run that was stopped while it wrote one."""

import pytest

from held_out.lines import mend_lines, read_whole_lines

pytestmark = pytest.mark.unit


def test_half_a_line_is_cut_off(tmp_path):
    path = tmp_path / 'a.jsonl'
    assert mend_lines(path) == [] and not path.exists()
    path.write_bytes(b'{"a": 1}\n' + '{"a": "水'.encode()[:-1])  # within a letter
    assert read_whole_lines(path) == [{'a': 1}] and path.read_bytes().startswith(b'{"a": 1}\n{')
    assert mend_lines(path) == [{'a': 1}] and path.read_text() == '{"a": 1}\n'
