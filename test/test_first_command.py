"""The check of the README's first command: what it takes for heard, and what it misses."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
PRINTED = """\
    -0.2 s  transcript   Please bring me a glass of water, from the kitchen. [en]
     0.0 s  reply        Bringing a glass of water from the kitchen.
     4.4 s  transcript   What is the weather like today? [en]
     8.0 s  alert        CRITICAL smoke_alarm active x1: A smoke alarm is sounding.
    17.0 s  transcript   Stop right there and open the door. Thank you very much. [en]
"""


@pytest.fixture
def check():
    spec = importlib.util.spec_from_file_location(
        'check_first_command', ROOT / 'scripts/check_first_command.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def command(text, code=0):
    return [sys.executable, '-c', f'print({text!r}, end=""); raise SystemExit({code})']


def test_the_sentences_are_those_of_the_sample_scene(check):
    page = (ROOT / 'samples/README.md').read_text(encoding='utf-8')
    assert tuple(re.findall(r'\| "(.*)" \|', page)) == check.SENTENCES


def test_all_that_must_be_printed_is_found(check, capsys):
    assert check.main(command(PRINTED)) == 0
    assert 'all that it must print' in capsys.readouterr().out


@pytest.mark.parametrize(('before', 'after', 'said'), [
    ('weather', 'feather', 'not printed: What is the weather'),
    ('CRITICAL', 'WARNING', 'not printed: CRITICAL smoke_alarm active'),
    ('active', 'expired', 'not printed: CRITICAL smoke_alarm active'),
    ('17.0 s  transcript', '17.0 s  reply', 'not printed: Thank you very much.')])
def test_what_is_missing_is_named(check, capsys, before, after, said):
    assert check.main(command(PRINTED.replace(before, after))) == 1
    assert said in capsys.readouterr().out


def test_a_command_that_fails_is_not_taken_for_well(check, capsys):
    assert check.main(command(PRINTED, code=3)) == 1
    assert 'exit code 3' in capsys.readouterr().out


def test_a_command_that_never_ends_is_given_up(check, capsys, monkeypatch):
    monkeypatch.setattr(check, 'LIMIT_S', 0.1)
    assert check.main([sys.executable, '-c', 'while True: pass']) == 1
    assert 'not over after 0.1 s' in capsys.readouterr().out
