"""Files that are written whole or not at all, and what a killed writer leaves."""

import subprocess
import sys

import pytest

from audio_interaction_ros.whole_file import remove_left, write_whole

pytestmark = pytest.mark.unit
WRITER = """
import os, sys
from pathlib import Path
from audio_interaction_ros.whole_file import write_whole
def stop(_):
    print('half', flush=True)
    sys.stdin.read()
os.fsync = stop
write_whole(Path(sys.argv[1]), b'new')
"""


def test_only_what_a_dead_process_left_is_removed(tmp_path):
    path = tmp_path / 'alerts.json'
    write_whole(path, b'old')
    (tmp_path / '.notes.tmp').write_text('of somebody else')
    with subprocess.Popen([sys.executable, '-c', WRITER, path], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout.readline() == 'half\n'
        remove_left(tmp_path, path.name)
        assert len(list(tmp_path.iterdir())) == 3, 'it still writes'
        writer.kill()
    assert len(list(tmp_path.iterdir())) == 3
    remove_left(tmp_path, path.name)
    assert {item.name for item in tmp_path.iterdir()} == {'alerts.json', '.notes.tmp'}
    assert path.read_bytes() == b'old'


def test_a_folder_that_is_not_there_is_no_mistake(tmp_path):
    remove_left(tmp_path / 'nowhere', '*')


def test_a_file_may_be_read_by_whoever_may_read_its_folder(tmp_path):
    tmp_path.chmod(0o755)
    for private, mode in ((False, 0o644), (True, 0o600)):
        write_whole(tmp_path / 'a', b'', private=private)
        assert (tmp_path / 'a').stat().st_mode & 0o777 == mode
