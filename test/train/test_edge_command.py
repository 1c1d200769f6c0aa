"""The recipe as one command: steps in order, marks, and what is said of a failure."""

import sys
from argparse import Namespace
from itertools import pairwise
from pathlib import Path

import pytest

from train.edge.__main__ import Step, steps, work_off

pytestmark = pytest.mark.unit


def writes(path: Path) -> tuple[str, ...]:
    return (sys.executable, '-c', f'open({str(path)!r}, "a").write("x")')


def test_each_step_is_done_once(tmp_path, capsys):
    todo = [Step(name='one', commands=(writes(tmp_path / 'a'), writes(tmp_path / 'b'))),
            Step(name='two of them', commands=(writes(tmp_path / 'a'),))]
    work_off(todo, tmp_path / 'out', {})
    work_off(todo, tmp_path / 'out', {})
    assert (tmp_path / 'a').read_text() == 'xx' and (tmp_path / 'b').read_text() == 'x'
    assert 'minutes' in (tmp_path / 'out' / 'two-of-them.done').read_text()
    assert '2/2 two of them: done before' in capsys.readouterr().out


def test_a_step_that_fails_is_named_and_done_again(tmp_path):
    todo = [Step(name='one', commands=((sys.executable, '-c', 'raise SystemExit(3)'),)),
            Step(name='two', commands=(writes(tmp_path / 'a'),))]
    with pytest.raises(SystemExit, match=r'one: .* ended with 3; correct'):
        work_off(todo, tmp_path, {})
    assert not (tmp_path / 'one.done').exists() and not (tmp_path / 'a').exists()


def test_every_step_reads_what_an_earlier_one_writes(tmp_path):
    options = Namespace(out=tmp_path, data=Path('data'), text=Path('t.tsv'), scale=0.01,
                        workers=2, threshold=['transcript=0.5'])
    written: set[str] = set()
    for step in steps(options):
        for command in step.commands:
            named = {flag: value for flag, value in pairwise(command)
                     if value.startswith(str(tmp_path))}
            reads = {value for flag, value in named.items() if flag != '--out'}
            assert reads <= written, step.name
        written |= {command[command.index('--out') + 1] for command in step.commands}
    assert str(tmp_path / 'model') in written
