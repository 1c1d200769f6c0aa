"""How a command ends: one sentence for what the system refuses, and quietly after Ctrl-C."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from audio_interaction_ros.cli.commands import run_command
from audio_interaction_ros.cli.endings import end_in_good_order
from audio_interaction_ros.errors import ConfigurationError

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]


def raise_(error):
    raise error


@pytest.mark.parametrize(('error', 'code', 'said'), [
    (ConfigurationError('a key is wrong; change it'), 2, 'prog: a key is wrong; change it\n'),
    (OSError(28, 'No space left', 'x.wav'), 2, "No space left: 'x.wav'; look at the disk"),
    (KeyboardInterrupt(), 130, ''), (BrokenPipeError(), 0, '')])
def test_each_way_to_end_has_a_code_and_no_traceback(error, code, said, capsys, monkeypatch):
    monkeypatch.setattr('audio_interaction_ros.cli.endings.silence_stream', lambda _: None)
    assert end_in_good_order('prog', lambda: raise_(error)) == code
    found = capsys.readouterr().err
    assert said in found and found.count('\n') == bool(said)


def test_a_program_of_several_commands_ends_in_the_same_ways(monkeypatch):
    module = type(sys)('stopped_command')
    module.add_arguments = lambda _: None
    module.run = lambda _: raise_(KeyboardInterrupt())
    monkeypatch.setitem(sys.modules, 'stopped_command', module)
    assert run_command('prog', {'go': ('stopped_command', 'goes')}, ['go']) == 130


@pytest.mark.skipif(not os.path.exists('/dev/full'), reason='no /dev/full here')
@pytest.mark.parametrize('words', [['intent', 'go to the kitchen'], ['model', 'list']])
def test_a_full_disk_is_one_sentence(words):
    with open('/dev/full', 'w') as full:
        ended = subprocess.run([sys.executable, '-m', 'audio_interaction_ros.cli.main', *words],
                               cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True)
    assert ended.returncode == 2
    assert 'No space left on device' in ended.stderr and ended.stderr.count('\n') == 1


# A shell has what it runs in the background ignore Ctrl-C, and what that runs inherits it.
IMPORTS_SLOWLY = """
import signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
class Slow:
    def find_spec(self, name, *_):
        if name == {module!r}:
            print('importing', flush=True)
            time.sleep(60)
sys.meta_path.insert(0, Slow())
"""
COMMAND = """import sys
from audio_interaction_ros.{module} import main
sys.exit(main({words}))
"""
OURS = 'audio_interaction_ros.nodes.printer'


def start(folder, name, script, *, words=(), slow):
    """Start a script, or with ``-m`` a module, that hangs while it imports ``slow``."""
    (folder / 'sitecustomize.py').write_text(IMPORTS_SLOWLY.format(module=slow))
    path = folder / name
    path.write_text(script)
    return subprocess.Popen(
        [sys.executable, *(words or [path])], cwd=ROOT, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
        env={**os.environ, 'PYTHONPATH': os.pathsep.join(
            [str(folder), str(ROOT), os.environ.get('PYTHONPATH', '')])})


@pytest.mark.parametrize(('slow', 'name', 'script', 'words', 'code'), [
    ('audio_interaction_ros.cli.stream', 'audio-interaction', COMMAND.format(
        module='cli.main', words='["stream", "x.wav"]'), (), 130),
    ('rclpy', 'encoder_node', COMMAND.format(module='nodes.encoder_node', words=''), (),
     -signal.SIGINT),
    ('rclpy', 'unused', '', ('-m', OURS), -signal.SIGINT)])
def test_ctrl_c_while_a_program_is_being_read_is_quiet(tmp_path, slow, name, script, words, code):
    process = start(tmp_path, name, script, words=words, slow=slow)
    assert process.stdout.readline() == 'importing\n'
    process.send_signal(signal.SIGINT)
    _, said = process.communicate()
    assert (process.returncode, said) == (code, '')


def test_who_imports_a_node_keeps_the_ways_of_their_own_program(tmp_path):
    process = start(tmp_path, 'theirs.py', f'import {OURS}', slow='rclpy')
    assert process.stdout.readline() == 'importing\n'
    process.send_signal(signal.SIGINT)
    assert 'KeyboardInterrupt' in process.communicate()[1]


def test_what_else_a_node_raises_is_not_hidden(tmp_path):
    process = start(tmp_path, 'encoder_node', 'import audio_interaction_ros.nodes\n1 / 0', slow='')
    assert 'ZeroDivisionError' in process.communicate()[1] and process.returncode == 1
