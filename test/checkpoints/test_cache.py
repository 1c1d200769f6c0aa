"""The cache of weights: two that fill it at once, and every way in which it cannot be used."""

import errno
import subprocess
import sys
import threading
from collections import namedtuple
from pathlib import Path

import pytest
from safetensors import SafetensorError

from audio_interaction_ros.checkpoints import cache
from audio_interaction_ros.checkpoints.cache import cache_root, ensure_filled
from audio_interaction_ros.errors import CheckpointError

pytestmark = pytest.mark.unit


def write(folder):
    (folder / 'weights').write_text('right')


def fault(folder):
    path = folder / 'weights'
    return '' if path.is_file() and path.read_text() == 'right' else 'weights are wrong'


def fill(folder, build=write, **options):
    return ensure_filled(folder, build=build, fault=fault, **options)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


OTHER = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from audio_interaction_ros.checkpoints.cache import ensure_filled
begun, go, folder = map(Path, sys.argv[1:])
def build(new):
    begun.touch()
    while not go.exists():
        time.sleep(0.01)
    (new / 'weights').write_text('right')
ensure_filled(folder, build=build, fault=lambda folder: '')
"""


def test_a_second_process_waits_says_so_and_builds_nothing(tmp_path, monkeypatch, capsys):
    begun, go, folder = tmp_path / 'begun', tmp_path / 'go', tmp_path / 'cache/entry'
    script = OTHER.format(root=str(Path(__file__).parents[2]))
    with subprocess.Popen([sys.executable, '-c', script, begun, go, folder]) as other:
        while not begun.exists() and other.poll() is None:
            pass
        said = cache.print_progress

        def let_go(text):
            said(text)
            go.touch()  # the other goes on once this one has said that it waits
        monkeypatch.setattr(cache, 'print_progress', let_go)
        built = []
        assert fill(folder, build=built.append) == folder
    assert other.returncode == 0 and built == [] and not fault(folder)
    assert f'waiting for process {other.pid}, which fills {folder}' in capsys.readouterr().err


def test_threads_of_one_process_build_once(tmp_path):
    built = []

    def build(folder):
        built.append(folder)
        write(folder)
    threads = [threading.Thread(target=fill, args=(tmp_path / 'entry', build)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(built) == 1 and not fault(tmp_path / 'entry')


def test_what_a_killed_process_left_is_cleared_away(tmp_path):
    """It held the lock, which went with it, and had half of an entry."""
    script = OTHER.format(root=str(Path(__file__).parents[2]))
    begun, folder = tmp_path / 'begun', tmp_path / 'cache/entry'
    with subprocess.Popen([sys.executable, '-c', script, begun, tmp_path / 'go', folder]) as other:
        while not begun.exists() and other.poll() is None:
            pass
        other.kill()
    assert [name for name in names(tmp_path / 'cache') if name != '.entry.lock']
    assert not fault(fill(folder))
    assert names(tmp_path / 'cache') == ['.entry.lock', 'entry']


@pytest.mark.parametrize('wrong', [CheckpointError('cut off'), KeyboardInterrupt()])
def test_a_build_that_fails_leaves_nothing_and_the_next_one_works(tmp_path, wrong):
    def breaks(folder):
        write(folder)
        raise wrong
    with pytest.raises(type(wrong)):
        fill(tmp_path / 'entry', breaks)
    assert names(tmp_path) == ['.entry.lock']
    assert not fault(fill(tmp_path / 'entry'))


def test_an_entry_with_a_fault_is_named_and_made_again(tmp_path, capsys):
    folder = fill(tmp_path / 'entry')
    (folder / 'weights').write_text('wrong')
    assert not fault(fill(folder))
    assert f'{folder} cannot be used (weights are wrong); making it again' in (
        capsys.readouterr().err)
    assert names(tmp_path) == ['.entry.lock', 'entry']


def test_what_was_built_wrong_is_never_an_entry(tmp_path):
    with pytest.raises(CheckpointError, match='weights are wrong'):
        fill(tmp_path / 'entry', lambda folder: None)
    assert not (tmp_path / 'entry').exists()


def test_an_entry_that_is_right_needs_no_lock_and_no_writing(tmp_path, monkeypatch):
    folder = fill(tmp_path / 'entry')
    monkeypatch.setattr(cache, '_hold_lock', None)
    assert fill(folder) == folder


@pytest.mark.parametrize('place', ['cache/entry', 'cache/base/entry'])
def test_a_file_where_the_cache_should_be_is_named(tmp_path, place):
    (tmp_path / 'cache').touch()
    with pytest.raises(CheckpointError, match=(
            f'{tmp_path / "cache"}.*a file stands where a folder is needed; move it away or name '
            'another folder in AUDIO_INTERACTION_CACHE')):
        fill(tmp_path / place)


def test_a_place_where_no_folder_can_be_is_named():
    with pytest.raises(CheckpointError, match='kept in /proc/nowhere/entry .*name another folder'):
        fill(Path('/proc/nowhere/entry'))


@pytest.mark.parametrize(('error', 'remedy'), [
    (OSError(errno.ENOSPC, 'No space left on device'), 'the disk is full; free some space'),
    (SafetensorError('I/O error: No space left on device (os error 28)'), 'the disk is full'),
    (OSError(errno.EDQUOT, 'Disk quota exceeded'), "this user's quota is used up"),
    (OSError(errno.EROFS, 'Read-only file system'), 'make it writable for the first start'),
    (PermissionError(errno.EACCES, 'Permission denied'), 'give it the folder'),
    (OSError(errno.EIO, 'Input/output error'), 'make the folder usable')])
def test_what_the_system_refuses_becomes_a_sentence_with_a_remedy(tmp_path, error, remedy):
    def breaks(folder):
        write(folder)
        raise error
    folder = tmp_path / 'entry'
    with pytest.raises(CheckpointError, match=f'kept in {folder} .*{remedy}.*AUDIO_INTERACTION'):
        fill(folder, breaks)
    assert not folder.exists() and names(tmp_path) == ['.entry.lock']


def test_too_little_room_is_said_before_anything_is_downloaded(tmp_path, monkeypatch):
    usage = namedtuple('usage', 'total used free')
    monkeypatch.setattr(cache.shutil, 'disk_usage', lambda _: usage(10 ** 9, 0, 99 * 10 ** 6))
    with pytest.raises(CheckpointError, match='expected 100 MB free to make it, found 99 MB'):
        fill(tmp_path / 'entry', lambda folder: pytest.fail('built'), space_mb=100)


def test_without_a_home_the_variable_is_named(monkeypatch):
    monkeypatch.delenv('AUDIO_INTERACTION_CACHE', raising=False)

    def nobody():
        raise RuntimeError('Could not determine home directory.')
    monkeypatch.setattr(cache.Path, 'home', nobody)
    with pytest.raises(CheckpointError, match='set HOME, or name another folder in AUDIO_INTER'):
        cache_root()


def test_the_variable_moves_the_cache_and_knows_the_tilde(monkeypatch):
    monkeypatch.setenv('HOME', '/robot')
    for named, expected in (('', '/robot/.cache/audio_interaction'), ('/big', '/big'),
                            ('~/big', '/robot/big')):
        monkeypatch.setenv('AUDIO_INTERACTION_CACHE', named)
        assert cache_root() == Path(expected)
