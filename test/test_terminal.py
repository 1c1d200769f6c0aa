"""Printing never ends a program: any encoding, a reader that leaves, text with control signs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_interaction_ros.terminal import (
    draw_in_place,
    is_live,
    one_line,
    print_on,
    print_result,
)

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
SAY = ('import sys\nfrom audio_interaction_ros.cli import main, stream\n'
       'def run(options):\n    for _ in range(int(options.file)):\n'
       '        print("你好 é", flush=True)\n    return 0\n'
       'stream._run = run\nsys.exit(main.main(["stream", sys.argv[1]]))')


def said(count, **options):
    return subprocess.Popen(
        [sys.executable, '-c', SAY, str(count)], cwd=ROOT, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, env={**os.environ, **options})


@pytest.mark.parametrize(('encoding', 'bytes_'), [
    ('ascii', rb'\u4f60\u597d \xe9'), ('latin-1', rb'\u4f60\u597d ' + b'\xe9'),
    ('utf-8', '你好 é'.encode())])
def test_what_an_encoding_lacks_is_escaped(encoding, bytes_):
    out, err = (process := said(1, PYTHONIOENCODING=encoding)).communicate()
    assert (process.returncode, out, err) == (0, bytes_ + b'\n', b'')


def test_a_reader_that_leaves_is_no_mistake():
    process = said(100_000, PYTHONIOENCODING='utf-8')
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b''
    assert process.wait() == 0


@pytest.mark.parametrize(('text', 'line'), [
    ('a\nb\r\tc', r'a\nb\r\tc'), ('\x1b[2J', r'\x1b[2J'), ('你好 é', '你好 é'),
    ('a\u2028b', r'a\u2028b'), ('x' * 9, 'xxxx…'), (' Ana María\n', 'Ana María'),
    ('Ada\n[FATAL]\u202e x\0', r'Ada\n[FATAL]\u202e x\x00')])
def test_text_becomes_one_line(text, line):
    assert one_line(text, longest=1000 if text[0] != 'x' else 5) == line


@given(st.text(), st.integers(1, 50))
def test_any_text_becomes_one_printable_line(text, most):
    line = one_line(text, most)
    assert len(line) <= most and line.isprintable() and line == line.strip()
    assert one_line(line, most) == line


@pytest.mark.parametrize(('text', 'row'), [
    ('short …', '   1.2 s  short …'), ('go to the kitchen please …', '   1.2 s  …tchen please …'),
    ('今天天气怎么样今天 …', '   1.2 s  …气怎么样今天 …'), ('', '   1.2 s  ')])
def test_what_is_drawn_in_place_keeps_to_one_row(text, row):
    """A row that wraps stays on the screen for ever: only the last one is written over."""
    assert draw_in_place('   1.2 s  ', text, columns=26) == f'\r\033[K{row}'


def test_an_output_that_was_closed_before_the_start_is_no_terminal():
    assert not is_live(None)
    print_on(None, 'nobody reads this')  # and nothing is raised


def test_a_command_with_more_to_do_goes_on_when_its_reader_leaves(monkeypatch):
    read, write = os.pipe()
    os.close(read)
    with open(write, 'w') as left:
        monkeypatch.setattr(sys, 'stdout', left)
        print_result('nobody reads this')
        print_result('nor this')


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='no /dev/full here')
def test_a_program_that_goes_on_keeps_what_a_full_disk_does_not_take(tmp_path):
    with open('/dev/full', 'w') as full:
        print_on(full, 'once')
        with open(tmp_path / 'log', 'w') as log:
            os.dup2(log.fileno(), full.fileno())  # there is room again
        print_on(full, 'again')
    assert (tmp_path / 'log').read_text() == 'once\nagain\n'
