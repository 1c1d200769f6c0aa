"""Tests that are left out are named at the end of a run, and in CI only known ones may be."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

LEAVES_OUT = """
import pytest

def test_goes(): pass

def test_never(): pytest.skip({reason!r})
"""


def run(tmp_path, reason, **environment):
    (tmp_path / 'conftest.py').symlink_to(Path(__file__).with_name('conftest.py'))
    (tmp_path / 'test_some.py').write_text(LEAVES_OUT.format(reason=reason))
    return subprocess.run(
        [sys.executable, '-m', 'pytest', '-q', '-p', 'no:cacheprovider', str(tmp_path)],
        text=True, capture_output=True, timeout=120, cwd=tmp_path, env={'PATH': '', **environment})


def test_what_is_left_out_is_listed_and_unknown_reasons_fail_in_ci(tmp_path):
    told = run(tmp_path, 'the moon is not full')
    assert told.returncode == 0 and '   1  the moon is not full' in told.stdout
    assert run_again(tmp_path, CI='true').returncode == 1


def test_known_reasons_pass_in_ci(tmp_path):
    told = run(tmp_path, 'flite is not installed', CI='true')
    assert told.returncode == 0 and '   1  flite is not installed' in told.stdout


def run_again(tmp_path, **environment):
    (tmp_path / 'conftest.py').unlink()
    return run(tmp_path, 'the moon is not full', **environment)


def test_without_what_the_tests_need_it_is_said_what_to_run(tmp_path):
    (tmp_path / 'hypothesis.py').write_text('raise ModuleNotFoundError\n')
    told = run(tmp_path, 'any', PYTHONPATH=str(tmp_path))
    assert told.returncode == 4 and 'make workshop' in told.stdout + told.stderr
