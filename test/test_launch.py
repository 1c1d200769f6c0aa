"""
The launch file: its arguments, and what its processes are told.

Everywhere with a stand-in for launch and launch_ros, which the set-up cannot install, and once
more for real where they are there, with stand-ins for the commands of the package.
"""

import ast
import importlib.util
import json
import re
import runpy
import sys
import threading
import time
import types
from itertools import pairwise
from pathlib import Path

import pytest
import setuptools
import yaml

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
LAUNCH_FILE = ROOT / 'launch/assistant.launch.py'
SHIPPED = ROOT / 'config/edge.yaml'
ARGUMENTS = ['namespace', 'params_file', 'use_sim_time', 'autostart', 'log_level', 'source',
             'file', 'audio_topic', 'audio_type', 'model', 'runtime', 'device', 'single_process',
             'required', 'speech', 'monitor', 'foxglove_audio', 'hri', 'discovery',
             'safety_events']

STAND_IN = '''#!{python}
"""Writes down what it was told, then waits to be ended."""
import json, os, signal, sys, yaml
told = {{'arguments': sys.argv[1:], 'parameters': {{}}, 'environment': dict(os.environ)}}
for position, word in enumerate(sys.argv):
    if word == '--params-file':
        for node in yaml.safe_load(open(sys.argv[position + 1])).values():
            told['parameters'].update(node['ros__parameters'])
name = os.path.basename(sys.argv[0])
path = os.path.join({folder!r}, name + '.json')
with open(path + '.part', 'w') as file:
    json.dump(told, file)
os.rename(path + '.part', path)
ends_with = json.loads(os.environ.get('ENDS_WITH', '{{}}')).get(name)
if ends_with is not None:
    sys.exit(ends_with)
signal.sigwait([signal.SIGINT, signal.SIGTERM])
'''


def source_tree():
    return ast.parse(LAUNCH_FILE.read_text(encoding='utf-8'))


def executables():
    """Return the names that the launch file gives as executable=…"""
    return {keyword.value.value for node in ast.walk(source_tree()) if isinstance(node, ast.Call)
            for keyword in node.keywords if keyword.arg == 'executable'}


def told_to_setup(monkeypatch, script=ROOT / 'setup.py'):
    """Return what setup.py gives to setuptools."""
    seen = {}
    monkeypatch.setattr(setuptools, 'setup', seen.update)
    monkeypatch.chdir(ROOT)
    runpy.run_path(str(script))
    return seen


def console_scripts(monkeypatch):
    """Return {command: (module, function)} of setup.py."""
    seen = told_to_setup(monkeypatch)
    pairs = (line.split(' = ') for line in seen['entry_points']['console_scripts'])
    return {name: tuple(target.split(':')) for name, target in pairs}


def test_the_arguments_are_the_documented_ones():
    declared = next(ast.literal_eval(node.value) for node in source_tree().body
                    if isinstance(node, ast.Assign) and node.targets[0].id == 'ARGUMENTS')
    assert list(declared) == ARGUMENTS
    page = (ROOT / 'docs/deployment.md').read_text(encoding='utf-8')
    for name, (default, text, choices) in declared.items():
        assert f'`{name}`' in page and text.endswith('.')
        assert choices is None or default in choices


@pytest.mark.parametrize('page', ['README.md', 'docs/deployment.md'])
def test_every_launch_argument_of_the_pages_is_known(page):
    text = (ROOT / page).read_text(encoding='utf-8').replace('\\\n', ' ')
    lines = [line for line in text.splitlines() if 'ros2 launch audio_interaction_ros' in line]
    assert lines
    for line in lines:
        assert set(re.findall(r'(\w+):=', line)) <= set(ARGUMENTS)


def test_every_executable_is_a_command_of_the_package(monkeypatch):
    scripts = console_scripts(monkeypatch)
    assert executables() == set(scripts) - {'audio-interaction'}
    for module, function in scripts.values():
        tree = ast.parse((ROOT / f'{module.replace(".", "/")}.py').read_text(encoding='utf-8'))
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize('set_up', [True, False])
def test_commands_run_in_the_environment_that_has_what_they_import(monkeypatch, tmp_path, set_up):
    script = tmp_path / 'setup.py'
    script.write_text((ROOT / 'setup.py').read_text(encoding='utf-8'))
    python = tmp_path / '.venv' / 'bin' / 'python'
    if set_up:
        python.parent.mkdir(parents=True)
        python.touch()
    link = tmp_path / 'build' / 'setup.py'  # as colcon build --symlink-install makes it
    link.parent.mkdir()
    link.symlink_to(script)
    told = told_to_setup(monkeypatch, link)['options']['build_scripts']['executable']
    assert told == (str(python) if set_up else '/usr/bin/env python3')


def stand_in():
    spec = importlib.util.spec_from_file_location(
        'launch_stand_in', Path(__file__).with_name('launch_stand_in.py'))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(params=['stand-in', 'launch'])
def launch(request, tmp_path, monkeypatch):
    """Return a function that launches with arguments and returns what each command was told."""
    if request.param == 'launch':
        return really(tmp_path, monkeypatch)
    return by_stand_in(monkeypatch)


def by_stand_in(monkeypatch):
    """Return the function that works out what each command would be told."""
    package = stand_in()
    for name, module in package.modules(ROOT).items():
        monkeypatch.setitem(sys.modules, name, module)
    return lambda expected, **arguments: package.execute(LAUNCH_FILE, arguments)


def really(tmp_path, monkeypatch):
    """Return the function that launches with the real packages, and starts stand-ins."""
    for name in ('launch', 'launch_ros'):
        pytest.importorskip(name, reason=f'{name} is not installed: only the stand-in was tried')
    from launch.actions import IncludeLaunchDescription
    from launch.launch_description_sources import PythonLaunchDescriptionSource

    from launch import LaunchDescription, LaunchService
    prefix = tmp_path / 'prefix'
    index = prefix / 'share/ament_index/resource_index/packages'
    commands = prefix / 'lib/audio_interaction_ros'
    share = prefix / 'share/audio_interaction_ros'
    for folder in (index, commands, share):
        folder.mkdir(parents=True)
    (index / 'audio_interaction_ros').touch()
    (share / 'config').symlink_to(ROOT / 'config')
    for name in executables():
        (commands / name).write_text(STAND_IN.format(python=sys.executable, folder=str(tmp_path)))
        (commands / name).chmod(0o755)
    monkeypatch.setenv('AMENT_PREFIX_PATH', str(prefix))
    monkeypatch.setenv('ROS_LOG_DIR', str(tmp_path / 'log'))

    def run(expected, **arguments):
        service = LaunchService(noninteractive=True)
        service.include_launch_description(LaunchDescription([IncludeLaunchDescription(
            PythonLaunchDescriptionSource(str(LAUNCH_FILE)),
            launch_arguments=list(arguments.items()))]))
        files = [tmp_path / f'{name}.json' for name in expected]

        def end_when_told():
            limit = time.monotonic() + 60
            while not all(file.exists() for file in files) and time.monotonic() < limit:
                time.sleep(0.05)
            time.sleep(0.5)  # whoever is not expected shows up
            service.shutdown()
        threading.Thread(target=end_when_told, daemon=True).start()
        code = service.run()
        told = {file.stem: json.loads(file.read_text()) for file in tmp_path.glob('*.json')}
        for file in tmp_path.glob('*.json'):
            file.unlink()
        return code, told
    return run


def after(words, option):
    return [follower for word, follower in pairwise(words) if word == option]


def test_one_process_is_told_everything(launch, tmp_path):
    own = tmp_path / 'own.yaml'
    own.write_text('/**: {ros__parameters: {audio: {msg_type: auto}, fifo: {capacity: 5}}}')
    code, told = launch(
        ['assistant'], namespace='robot1/ears', params_file=str(own), use_sim_time='true',
        autostart='false', log_level='debug', source='file', file='a.wav',
        audio_topic='/mic/audio',
        audio_type='std_msgs/msg/Int16MultiArray', model='m', runtime='torch', device='cuda')
    assert code == 0 and list(told) == ['assistant']
    words = told['assistant']['arguments']
    assert words[:4] == ['--source', 'file', '--file', 'a.wav']
    assert {'__ns:=/robot1/ears', 'audio:=/mic/audio'} <= set(after(words, '-r'))
    assert after(words, '--log-level') == ['debug']
    assert told['assistant']['parameters'] == {
        'audio': {'msg_type': 'auto'}, 'fifo': {'capacity': 5}, 'use_sim_time': True,
        'autostart': False, 'audio.msg_type': 'std_msgs/msg/Int16MultiArray', 'model.path': 'm',
        'model.runtime': 'torch', 'model.device': 'cuda'}


def test_nothing_but_the_clock_and_the_start_is_overridden_by_default(launch):
    _, told = launch(['assistant'])
    given = told['assistant']['parameters']
    shipped = yaml.safe_load(SHIPPED.read_text(encoding='utf-8'))['/**']['ros__parameters']
    assert given == {**shipped, 'use_sim_time': False, 'autostart': True}
    assert told['assistant']['arguments'][:2] == ['--source', 'mic']
    assert '__ns:=/audio_interaction' in after(told['assistant']['arguments'], '-r')


@pytest.mark.parametrize(('source', 'more'), [
    ('none', set()), ('mic', {'microphone_node'}), ('file', {'audio_file_node'})])
def test_processes_of_their_own(launch, source, more):
    expected = {'encoder_node', 'decoder_node'} | more
    code, told = launch(expected, single_process='false', source=source, file='a.wav')
    assert code == 0 and set(told) == expected
    for name in expected:
        assert '__ns:=/audio_interaction' in after(told[name]['arguments'], '-r')
    if source == 'file':
        assert told['audio_file_node']['parameters']['path'] == 'a.wav'


@pytest.mark.parametrize(('argument', 'command'), [
    ('monitor', 'monitor_node'), ('foxglove_audio', 'foxglove_audio_node'), ('hri', 'hri_node')])
def test_lookers_on_have_processes_of_their_own(launch, argument, command):
    code, told = launch(['assistant', command], audio_topic='/mic/audio', **{argument: 'true'})
    assert code == 0 and set(told) == {'assistant', command}
    assert {'__ns:=/audio_interaction', 'audio:=/mic/audio'} <= set(
        after(told[command]['arguments'], '-r'))


@pytest.mark.parametrize('single', ['true', 'false'])
def test_safety_events_run_where_a_file_is_named(launch, single):
    others = ['assistant'] if single == 'true' else ['encoder_node', 'decoder_node']
    _, told = launch(others, source='none', single_process=single)
    assert set(told) == set(others)
    _, told = launch([*others, 'safety_events_node'], source='none', single_process=single,
                     safety_events=str(ROOT / 'config/safety_events.yaml'))
    assert set(told) == {*others, 'safety_events_node'}
    assert told['safety_events_node']['parameters'] == {
        'use_sim_time': False, 'rules_file': str(ROOT / 'config/safety_events.yaml')}
    assert '__ns:=/audio_interaction' in after(told['safety_events_node']['arguments'], '-r')


def test_the_shipped_safety_events_need_no_path(launch):
    _, told = launch(['assistant', 'safety_events_node'], safety_events='shipped')
    assert told['safety_events_node']['parameters']['rules_file'] == 'shipped'


@pytest.mark.parametrize(('name', 'value'), [
    ('monitor', 'perhaps'), ('safety_events', 'nowhere.yaml'), ('source', 'telephone'),
    ('autostart', 'perhaps'), ('log_level', 'loud'), ('params_file', 'nowhere.yaml')])
def test_a_wrong_argument_ends_the_launch(launch, name, value):
    code, told = launch([], **{name: value})
    assert code != 0 and told == {}


DEATHS = [  # who dies, with which code, with which arguments, and whether the launch ends for it
    ('assistant', 2, {}, True), ('assistant', 1, {}, True), ('assistant', 0, {}, False),
    ('assistant', 2, {'required': 'false'}, False),
    ('encoder_node', 2, {'single_process': 'false'}, True),
    ('decoder_node', 1, {'single_process': 'false'}, False),  # it is started again
    ('audio_file_node', 1, {'single_process': 'false', 'source': 'file', 'file': 'a.wav'}, True),
    ('speech_node', 2, {'speech': 'true'}, True),
    ('safety_events_node', 2, {'safety_events': 'shipped'}, True),
    ('monitor_node', 2, {'monitor': 'true'}, False), ('hri_node', 1, {'hri': 'true'}, False)]


@pytest.mark.parametrize(('who', 'code', 'arguments', 'ends'), DEATHS)
def test_the_launch_ends_with_1_where_what_it_is_for_died_for_good(
        monkeypatch, who, code, arguments, ends):
    _, told = by_stand_in(monkeypatch)([who], **{'source': 'none', **arguments})
    event = types.SimpleNamespace(returncode=code, process_name=f'{who}-1')
    on_exit = told[who]['on_exit'] or (lambda *_: None)
    on_exit(event, types.SimpleNamespace(is_shutdown=True))
    if ends:
        with pytest.raises(RuntimeError, match=f'{who}-1 ended with {code}'):
            on_exit(event, types.SimpleNamespace(is_shutdown=False))
    else:
        on_exit(event, types.SimpleNamespace(is_shutdown=False))


@pytest.mark.parametrize(('who', 'code', 'arguments', 'ends'), DEATHS)
def test_so_does_the_real_launch(tmp_path, monkeypatch, who, code, arguments, ends):
    launch = really(tmp_path, monkeypatch)
    monkeypatch.setenv('ENDS_WITH', json.dumps({who: code}))
    ended_with, told = launch([who], **{'source': 'none', 'monitor': 'true', **arguments})
    assert ended_with == int(ends) and who in told


def test_a_mistyped_name_of_an_argument_is_told(monkeypatch, capsys):
    code, told = by_stand_in(monkeypatch)(['assistant'], sorce='file', of_another_launch_file='x')
    assert code == 0 and told['assistant']['arguments'][:2] == ['--source', 'mic']
    said = capsys.readouterr().err
    assert said == 'launch: sorce: there is no such argument; did you mean source?\n'


RANGE, OLDER = 'ROS_AUTOMATIC_DISCOVERY_RANGE', 'ROS_LOCALHOST_ONLY'


@pytest.mark.parametrize(('before', 'wanted', 'expected'), [
    ({}, '', {RANGE: 'LOCALHOST'}), ({}, 'subnet', {RANGE: 'SUBNET'}),
    ({RANGE: 'SUBNET'}, '', {RANGE: 'SUBNET'}),
    ({RANGE: 'SUBNET'}, 'localhost', {RANGE: 'LOCALHOST'}),
    ({OLDER: '0'}, '', {OLDER: '0'}),
    ({OLDER: '1'}, '', {OLDER: '1', RANGE: 'LOCALHOST'}),
    ({OLDER: '1'}, 'subnet', {OLDER: '0', RANGE: 'SUBNET'}),
    ({OLDER: '1', RANGE: 'LOCALHOST'}, 'subnet', {OLDER: '0', RANGE: 'SUBNET'}),
    ({'ROS_DISTRO': 'humble', RANGE: 'LOCALHOST'}, '', {RANGE: 'LOCALHOST', OLDER: '1'}),
    ({'ROS_DISTRO': 'humble', RANGE: 'SUBNET'}, '', {RANGE: 'SUBNET', OLDER: '0'}),
    ({'ROS_DISTRO': 'humble', OLDER: '1'}, 'subnet', {OLDER: '0'}),
    ({'ROS_DISTRO': 'humble'}, '', {OLDER: '1'}),
    ({'ROS_DISTRO': 'humble'}, 'subnet', {OLDER: '0'})])
def test_nodes_stay_on_the_machine_unless_somebody_said_otherwise(launch, monkeypatch, before,
                                                                  wanted, expected):
    for name in (RANGE, OLDER, 'ROS_DISTRO'):
        monkeypatch.delenv(name, raising=False)
    for name, value in before.items():
        monkeypatch.setenv(name, value)
    _, told = launch(['encoder_node', 'decoder_node', 'microphone_node'], single_process='false',
                     **({'discovery': wanted} if wanted else {}))
    assert len(told) == 3
    for one in told.values():
        assert {name: one['environment'][name] for name in (RANGE, OLDER)
                if name in one['environment']} == expected
