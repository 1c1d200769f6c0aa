"""Files and folders that are written whole or not at all, and what a killed writer leaves."""

import subprocess
import sys
from pathlib import Path

import pytest

from audio_interaction_ros import whole_file
from audio_interaction_ros.whole_file import (
    open_whole,
    open_whole_folder,
    remove_left,
    write_whole,
)

pytestmark = pytest.mark.unit
WRITERS = {
    'file': """
import sys
from pathlib import Path
from audio_interaction_ros.whole_file import open_whole
with open_whole(Path(sys.argv[1])) as file:
    file.write(b'new')
    print('half', flush=True)
    sys.stdin.read()
""",
    'folder': """
import sys
from pathlib import Path
from audio_interaction_ros.whole_file import open_whole_folder
with open_whole_folder(Path(sys.argv[1]).with_name('model')) as new:
    (new / 'weights').write_bytes(b'new')
    print('half', flush=True)
    sys.stdin.read()
"""}


def names(folder):
    return {item.name for item in folder.iterdir()}


@pytest.mark.parametrize('kind', WRITERS)
def test_only_what_a_dead_process_left_is_removed(tmp_path, kind):
    path = tmp_path / 'alerts.json'
    write_whole(path, b'old')
    (tmp_path / '.notes.tmp').write_text('of somebody else')
    with subprocess.Popen([sys.executable, '-c', WRITERS[kind], path], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == 'half\n'
        beside = names(tmp_path)
        remove_left(tmp_path)
        assert names(tmp_path) == beside > {'alerts.json', '.notes.tmp'}, 'it still writes'
        writer.kill()
    assert names(tmp_path) == beside
    remove_left(tmp_path)
    assert names(tmp_path) == {'alerts.json', '.notes.tmp'}
    assert path.read_bytes() == b'old'


def test_the_next_process_that_writes_there_removes_what_was_left(tmp_path):
    (tmp_path / '.b.abc.unfinished').write_bytes(b'half')
    write_whole(tmp_path / 'a', b'', durable=False)
    assert names(tmp_path) == {'a'}


def test_what_fails_on_the_way_leaves_the_old_one(tmp_path):
    write_whole(tmp_path / 'a', b'old')
    with pytest.raises(KeyError), open_whole(tmp_path / 'a') as file:
        file.write(b'new')
        raise KeyError
    with pytest.raises(KeyError), open_whole_folder(tmp_path / 'b') as new:
        (new / 'c').touch()
        raise KeyError
    assert names(tmp_path) == {'a'} and (tmp_path / 'a').read_bytes() == b'old'


def test_a_folder_takes_the_place_of_an_older_one(tmp_path):
    for said in ('old', 'new'):
        with open_whole_folder(tmp_path / 'a') as folder:
            (folder / said).touch()
    assert names(tmp_path) == {'a'} and names(tmp_path / 'a') == {'new'}


def test_an_older_folder_comes_back_where_the_new_one_did_not_get_to_its_place(
        tmp_path, monkeypatch):
    left = tmp_path / '.a.x.unfinished'
    left.touch()
    (tmp_path / f'{left.name}.folder' / 'old' / 'a' / 'weights').mkdir(parents=True)
    remove_left(tmp_path)  # of a process that was killed between the two renames
    assert names(tmp_path) == {'a'} and names(tmp_path / 'a') == {'weights'}
    rename = Path.rename

    def fail(path, target):
        if path.name == 'new':
            raise OSError('disk')
        return rename(path, target)
    monkeypatch.setattr(Path, 'rename', fail)
    with pytest.raises(OSError, match='disk'), open_whole_folder(tmp_path / 'a'):
        pass
    assert names(tmp_path) == {'a'} and names(tmp_path / 'a') == {'weights'}


def test_a_writer_whose_file_was_removed_before_it_was_locked_takes_another(tmp_path, monkeypatch):
    lock, removed = whole_file.fcntl.flock, []

    def late(file, how):
        if not removed:
            removed.extend(tmp_path.iterdir())
            removed[0].unlink()
        lock(file, how)
    monkeypatch.setattr(whole_file.fcntl, 'flock', late)
    write_whole(tmp_path / 'a', b'all of it')
    assert (tmp_path / 'a').read_bytes() == b'all of it' and len(removed) == 1


def test_a_folder_that_is_not_there_is_no_mistake(tmp_path):
    remove_left(tmp_path / 'nowhere')


def test_a_file_may_be_read_by_whoever_may_read_its_folder(tmp_path):
    for folder, private, mode in ((0o755, False, 0o644), (0o777, False, 0o644),
                                  (0o700, False, 0o600), (0o755, True, 0o600)):
        tmp_path.chmod(folder)
        write_whole(tmp_path / 'a', b'', private=private)
        assert (tmp_path / 'a').stat().st_mode & 0o777 == mode, 'only its owner may change it'
