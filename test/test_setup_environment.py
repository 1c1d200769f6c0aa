"""
The set-up script, without installing anything: stamps, messages, and the two repairs.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from collections import namedtuple
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

SCRIPTS = Path(__file__).parents[1] / 'scripts'


@pytest.fixture
def script(tmp_path, monkeypatch):
    """Load a fresh copy of the script that works in an empty folder."""
    spec = importlib.util.spec_from_file_location(
        'setup_environment', SCRIPTS / 'setup_environment.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module.ROOT = tmp_path
    module.ENVIRONMENT = tmp_path / '.venv'
    module.ENVIRONMENT.mkdir()
    monkeypatch.delenv('ROS_DISTRO', raising=False)
    return module


def sourced(tmp_path, variable, **before):
    """Return a variable after a shell has sourced env.sh under a folder with an environment."""
    (tmp_path / 'scripts').mkdir(exist_ok=True)
    shutil.copy(SCRIPTS / 'env.sh', tmp_path / 'scripts')
    python = tmp_path / '.venv/bin/python'
    python.parent.mkdir(parents=True, exist_ok=True)
    python.touch(mode=0o755)
    kept = {key: value for key, value in os.environ.items() if not key.startswith('ROS_')}
    return subprocess.run(
        ['bash', '-c', f'. scripts/env.sh && echo -n "${{{variable}-unset}}"'], cwd=tmp_path,
        env={**kept, **before}, check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize(('before', 'newer', 'older'), [
    ({}, 'LOCALHOST', 'unset'), ({'ROS_DISTRO': 'jazzy'}, 'LOCALHOST', 'unset'),
    ({'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET'}, 'SUBNET', 'unset'),
    ({'ROS_LOCALHOST_ONLY': '0'}, 'unset', '0'), ({'ROS_DISTRO': 'humble'}, 'unset', '1'),
    ({'ROS_LOCALHOST_ONLY': '1'}, 'LOCALHOST', '1'),
    ({'ROS_DISTRO': 'humble', 'ROS_LOCALHOST_ONLY': '0'}, 'unset', '0'),
    ({'ROS_DISTRO': 'humble', 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}, 'LOCALHOST', '1'),
    ({'ROS_DISTRO': 'humble', 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET'}, 'SUBNET', 'unset')])
def test_a_shell_of_the_project_keeps_to_this_machine_unless_told_otherwise(
        tmp_path, before, newer, older):
    assert sourced(tmp_path, 'ROS_AUTOMATIC_DISCOVERY_RANGE', **before) == newer
    assert sourced(tmp_path, 'ROS_LOCALHOST_ONLY', **before) == older


def test_env_works_in_a_folder_with_a_space_and_an_umlaut(tmp_path):
    folder = tmp_path / 'a folder with ü'
    folder.mkdir()
    assert sourced(folder, 'PATH').split(':')[0] == f'{folder}/.venv/bin'
    assert str(folder) in sourced(folder, 'PYTHONPATH').split(':')


@pytest.mark.parametrize(('name', 'said'), [
    ('größe', "with 'ß' or 'ö'; move it"), ('a:b', "with ':'"), ('a;b\tc', "with '\\\\t' or ';'")])
def test_a_path_that_ros_cannot_build_under_is_refused_at_once(script, tmp_path, name, said):
    script.ROOT = tmp_path / name
    with pytest.raises(SystemExit, match=said):
        script.check_path()


def test_a_space_is_no_reason_to_refuse_a_path(script, tmp_path):
    script.ROOT = tmp_path / 'a b-1.2_x+y@z'
    script.check_path()


@pytest.mark.parametrize('name', ['.venv', 'build', 'install'])
def test_what_a_link_leads_to_is_never_emptied(script, tmp_path, monkeypatch, name):
    """A second checkout that borrowed the first one's environment deleted it."""
    kept = tmp_path / 'other checkout' / name
    kept.mkdir(parents=True)
    (kept / 'kept').touch()
    script.ENVIRONMENT.rmdir()
    (tmp_path / name).symlink_to(kept)
    monkeypatch.setattr(sys, 'argv', ['setup_environment.py', '--force'])
    monkeypatch.setattr(script, 'check_path', lambda: None)
    monkeypatch.setattr(script, 'run', lambda *_, **__: pytest.fail('a command was run'))
    with pytest.raises(SystemExit, match=rf'it is a link to .*; nothing there was touched.*rm '
                       rf'{name}'):
        script.main()
    assert (kept / 'kept').exists()


def test_a_step_runs_again_only_when_its_key_changes(script):
    done = []
    for key in ('a', 'a', 'b', 'b', 'a'):
        script.once('step', key, lambda key=key: done.append(key))
    assert done == ['a', 'b', 'a']


def test_a_step_that_failed_runs_again(script):
    done = []

    def breaks():
        raise SystemExit('no network')

    with pytest.raises(SystemExit):
        script.once('step', 'a', breaks)
    script.once('step', 'a', lambda: done.append(1))
    assert done == [1]


def test_who_stops_it_is_told_that_it_goes_on_from_there(script, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt
    monkeypatch.setattr(script, 'set_up', interrupted)
    with pytest.raises(SystemExit, match='the same command goes on from here'):
        script.main()


def test_a_long_step_tells_what_it_is_at_and_a_short_one_nothing(script, monkeypatch, capsys):
    command = [sys.executable, '-c', 'print("Downloading a"); print(); print("[ 12%] Building")']
    script.run(*command)
    assert capsys.readouterr().out == ''
    monkeypatch.setattr(script, 'TELL_EVERY_S', 0.0)
    script.run(*command)
    assert capsys.readouterr().out == '[setup]   Downloading a\n[setup]   [ 12%] Building\n'


@pytest.mark.parametrize(('said', 'remedy'), [
    ('OSError: [Errno 28] No space left on device', 'the disk is full: 2 GB'),
    ("Retrying after connection broken by 'NewConnectionError(...)'", 'look at the network'),
    ('cc1plus: fatal error: Killed signal terminated program', 'memory runs out'),
    ('a fault of its own', '')])
def test_a_command_that_fails_says_what_it_said_and_what_helps(script, said, remedy):
    with pytest.raises(SystemExit) as ended:
        script.run(sys.executable, '-c', f'import sys; print({said!r}); sys.exit(3)')
    assert 'ended with 3' in str(ended.value) and said in str(ended.value)
    assert remedy in str(ended.value)
    assert ('run the same command again' in str(ended.value)) is bool(remedy)


def test_a_key_follows_content_names_and_extra(script, tmp_path):
    one = tmp_path / 'one.txt'
    one.write_text('x>=1,<2')
    keys = [script.digest([one]), script.digest([one], '3.11')]
    one.write_text('x>=1,<3')
    keys.append(script.digest([one]))
    keys.append(script.digest([one.rename(tmp_path / 'two.txt')]))
    assert len(set(keys)) == 4


def test_an_old_python_is_refused_with_what_to_do(script, monkeypatch):
    version = namedtuple('Version', 'major minor micro')(3, 9, 18)
    monkeypatch.setattr(script.sys, 'version_info', version)
    with pytest.raises(SystemExit, match=r'expected Python 3\.10 or newer.*PYTHON'):
        script.check_machine()


def test_a_missing_compiler_is_named_with_its_package(script, monkeypatch):
    monkeypatch.setattr(script.shutil, 'which',
                        lambda name: None if name in ('c++', 'g++') else f'/bin/{name}')
    with pytest.raises(SystemExit, match=r'a C\+\+ compiler \(g\+\+\).*apt install'):
        script.check_machine()


def test_a_machine_without_wheels_is_told_to_install_ros(script, monkeypatch):
    monkeypatch.setattr(script.shutil, 'which', lambda name: f'/bin/{name}')
    monkeypatch.setattr(script, 'has_module', lambda name: True)
    monkeypatch.setattr(script.Path, 'exists', lambda path: True)
    monkeypatch.setattr(script.platform, 'machine', lambda: 'aarch64')
    with pytest.raises(SystemExit, match='install ROS 2, source its setup.bash'):
        script.check_machine()
    monkeypatch.setenv('ROS_DISTRO', 'jazzy')
    script.check_machine()


def test_the_builders_paths_become_this_environments(script):
    tag = f'cp{sys.version_info.major}{sys.version_info.minor}'
    python = f'python{sys.version_info.major}.{sys.version_info.minor}'
    old = f'/opt/python/{tag}-{tag}'
    cmake = script.ENVIRONMENT / 'share' / 'std_msgs' / 'Export.cmake'
    cmake.parent.mkdir(parents=True)
    cmake.write_text(f'"{old}/include/{python};{old}/lib/{python}/site-packages/numpy"')
    untouched = script.ENVIRONMENT / 'share' / 'other.bin'
    untouched.write_bytes(b'\xff\x00/opt/other')
    script.repair_prefixes()
    environment = script.ENVIRONMENT
    assert cmake.read_text() == (f'"{sysconfig.get_path("include")};'
                                 f'{environment}/lib/{python}/site-packages/numpy"')
    assert untouched.read_bytes() == b'\xff\x00/opt/other'


def test_built_messages_are_found_by_the_environment(script, tmp_path):
    script.INSTALLED_MESSAGES = tmp_path / 'install' / 'audio_interaction_msgs'
    modules = script.INSTALLED_MESSAGES / 'lib' / 'python3.11' / 'site-packages'
    modules.mkdir(parents=True)
    library = script.INSTALLED_MESSAGES / 'lib' / 'libx.so'
    library.write_bytes(b'')
    site = script.ENVIRONMENT / 'lib' / 'python3.11' / 'site-packages'
    site.mkdir(parents=True)
    for _ in range(2):  # a rebuild replaces the links
        script.link_messages()
    assert (site / 'audio_interaction_msgs.pth').read_text().strip() == str(modules)
    assert (script.ENVIRONMENT / 'lib' / 'libx.so').resolve() == library.resolve()


def test_an_empty_build_is_an_error(script, tmp_path):
    script.INSTALLED_MESSAGES = tmp_path / 'install' / 'audio_interaction_msgs'
    with pytest.raises(SystemExit, match='colcon left no Python modules'):
        script.link_messages()


def shell(root, commands, **variables):
    """Run bash commands in a copy of the project that has only scripts/env.sh."""
    (root / 'scripts').mkdir(exist_ok=True)
    shutil.copy(SCRIPTS / 'env.sh', root / 'scripts')
    return subprocess.run(['bash', '-c', commands], cwd=root, capture_output=True, text=True,
                          check=False, env={'PATH': os.environ['PATH'], **variables})


def test_sourcing_twice_changes_nothing(tmp_path):
    python = tmp_path / '.venv' / 'bin' / 'python'
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    (tmp_path / 'install/audio_interaction_msgs/lib/python3.11/site-packages').mkdir(parents=True)
    names = 'PATH|PYTHONPATH|LD_LIBRARY_PATH|AMENT_PREFIX_PATH|VIRTUAL_ENV'
    show = f'env | grep -E "^({names})" | sort'
    once = shell(tmp_path, f'. scripts/env.sh; {show}').stdout
    assert shell(tmp_path, f'. scripts/env.sh; . scripts/env.sh; {show}').stdout == once
    assert f'AMENT_PREFIX_PATH={tmp_path}/install/audio_interaction_msgs:' in once


def test_a_sourced_distribution_stays_in_charge(tmp_path):
    python = tmp_path / '.venv' / 'bin' / 'python'
    python.parent.mkdir(parents=True)
    python.symlink_to(sys.executable)
    found = shell(tmp_path, '. scripts/env.sh; echo "$AMENT_PREFIX_PATH"', ROS_DISTRO='jazzy',
                  AMENT_PREFIX_PATH='/opt/ros/jazzy')
    assert found.stdout.strip() == '/opt/ros/jazzy'


def test_without_a_set_up_the_shell_says_so(tmp_path):
    found = shell(tmp_path, '. scripts/env.sh')
    assert "run 'make setup' first" in found.stderr
