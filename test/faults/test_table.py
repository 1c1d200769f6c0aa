"""The table of docs/reliability.md and the tests that it names are the same."""

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / 'docs/reliability.md').read_text(encoding='utf-8')
NAMED = re.findall(r'`(test/[\w/]+\.py)::(\w+)`', TEXT)
OURS = {(path.relative_to(ROOT).as_posix(), name)
        for path in Path(__file__).parent.glob('test_*.py') if path != Path(__file__)
        for name in re.findall(r'^def (test_\w+)', path.read_text(encoding='utf-8'), re.M)}


def rows():
    table = TEXT.split('## Faults', 1)[1].split('\n## ', 1)[0]
    return [line for line in table.splitlines() if line.startswith('| ')][1:]


def test_every_row_names_a_test():
    assert len(rows()) > 20
    assert [row for row in rows() if not re.search(r'`test/[\w/]+\.py::\w+`', row)] == []


@pytest.mark.parametrize(('path', 'name'), sorted(set(NAMED)), ids='::'.join)
def test_a_test_that_the_table_names_is_there(path, name):
    assert re.search(rf'^def {name}\(', (ROOT / path).read_text(encoding='utf-8'), re.M)


def test_every_test_of_a_fault_is_in_the_table():
    assert sorted(OURS - set(NAMED)) == []
