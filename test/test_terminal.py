"""Printing never ends a program: any encoding, a reader that leaves, text with control signs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_interaction_ros.terminal import one_line

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
