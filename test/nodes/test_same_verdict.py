"""The same YAML gives the same verdict, read by the command line and given to a node."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest
import rclpy
from rclpy.lifecycle import LifecycleNode

from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.errors import AudioInteractionError, ConfigurationError
from audio_interaction_ros.nodes import audio_file_node, microphone_node, safety_events_node
from audio_interaction_ros.nodes.lifecycle import parameters
from audio_interaction_ros.parameter_file import NODES, PLAIN, load_configuration

pytestmark = pytest.mark.ros

ABOVE = '/**:\n  ros__parameters:\n    '
TAKEN = {
    'an int for a double': ABOVE + 'fifo: {credit_timeout_s: 60}',
    'a double in its short form': ABOVE + 'record: {retention_s: 1e3}',
    'dotted names': ABOVE + 'fifo.capacity: 3',
    'lanes by name': ABOVE + 'lanes: [transcript]',
    'a lane of its own': ABOVE + 'lanes: [kitchen]\n    lane: {kitchen: {kind: reply}}',
    'the settings of a usual lane': ABOVE + 'lane: {assistant: {threshold: 0.7}}',
    'what belongs to ROS or to a node': ABOVE + 'use_sim_time: true\n    autostart: false',
    'a section for one node': '/**/decoder_node:\n  ros__parameters:\n    fifo: {capacity: 4}',
    'a section for a node of somebody': 'camera:\n  ros__parameters:\n    shutter: 3\n',
    'a home': ABOVE + "alerts: {rules: '~/rules.yaml'}",
    'a number in hexadecimal': ABOVE + 'fifo: {capacity: 0x10}',
}
REFUSED = {
    'nothing': ('', 'found nothing'),
    'comments alone': ('# none\n', 'found nothing'),
    'no wrapper': ('fifo: {capacity: 3}', 'ros__parameters'),
    'no ros__parameters': ('/**:\n  fifo: {capacity: 3}', 'ros__parameters'),
    'nothing below it': ('/**:\n  ros__parameters:\n', 'ros__parameters'),
    'a list': ('- fifo\n', 'fifo'),
    'a double for an int': (ABOVE + 'fifo: {capacity: 3.0}', 'capacity'),
    'text for a number': (ABOVE + 'fifo: {capacity: many}', 'capacity'),
    'a truth for a number': (ABOVE + 'fifo: {credit_timeout_s: true}', 'credit_timeout_s'),
    'a number out of range': (ABOVE + 'audio: {mute_holdoff_ms: 99999.0}', 'mute_holdoff_ms'),
    'no number': (ABOVE + 'fifo: {credit_timeout_s: .nan}', 'credit_timeout_s'),
    'an octal number': (ABOVE + 'fifo: {capacity: 010}', 'capacity'),
    'an unknown group': (ABOVE + 'fife: {capacity: 3}', 'fife'),
    'an unknown key': (ABOVE + 'fifo: {capazity: 3}', 'capazity'),
    'an unknown word': (ABOVE + 'capacity: 3', 'capacity'),
    'no lanes': (ABOVE + 'lanes: []', 'lanes'),
    'lanes twice': (ABOVE + 'lanes: [transcript]\n    lanes: [assistant]', 'twice'),
    'a key twice in two ways': (ABOVE + 'fifo: {capacity: 3}\n    fifo.capacity: 4', 'twice'),
    'the same lane twice': (ABOVE + 'lanes: [assistant, assistant]', 'lanes'),
    'one lane, no list': (ABOVE + 'lanes: assistant', 'lanes'),
    'lanes of mappings': (ABOVE + 'lanes: [{name: assistant}]', 'lanes'),
    'a lane that is not in lanes': (
        ABOVE + 'lanes: [transcript]\n    lane: {kitchen: {kind: reply}}', 'kitchen'),
    'an unknown setting of a lane': (ABOVE + 'lane: {assistant: {treshold: 0.7}}', 'treshold'),
    'another kind of lane': (ABOVE + 'lane: {assistant: {kind: song}}', 'kind'),
    'a bare no': (ABOVE + 'model: {device: no}', 'no'),
    'an alias': (ABOVE + 'fifo: {capacity: &x 3}\n    model: {threads: *x}', 'alias'),
    'no text': (ABOVE + 'alerts: {rules: ~}', 'rules'),
    'a mistake for one node': (
        '/**/decoder_node:\n  ros__parameters:\n    fifo: {capazity: 4}', 'capazity'),
    'no YAML': (ABOVE + 'fifo: [', 'YAML'),
    'a tab': ('/**:\n\tros__parameters:\n\t\tfifo: {capacity: 3}\n', 'indent with spaces'),
    'no UTF-8': (b'/**: \xff', 'UTF-8'),
}


def by_node(path):
    """Return the configuration that a decoder reads of a parameter file."""
    arguments = ['--ros-args', '--params-file', str(path)]
    context = rclpy.Context()
    try:
        rclpy.init(args=arguments, context=context)
        node = LifecycleNode('decoder_node', context=context)
        parameters.declare(node, list(parameters.GROUPS), lanes=True)
        parameters.refuse_unknown(node, arguments)
        config = parameters.read(node)
        node.destroy_node()
        return config
    finally:
        context.try_shutdown()


def written(tmp_path, text):
    path = tmp_path / 'parameters.yaml'
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@pytest.mark.parametrize('text', TAKEN.values(), ids=TAKEN)
def test_what_one_takes_the_other_takes_alike(tmp_path, text):
    path = written(tmp_path, text)
    assert load_configuration(path) == by_node(path)


@pytest.mark.parametrize(('text', 'named'), REFUSED.values(), ids=REFUSED)
def test_what_one_refuses_the_other_refuses(tmp_path, text, named):
    path = written(tmp_path, text)
    with pytest.raises(ConfigurationError, match='parameters.yaml') as caught:
        load_configuration(path)
    assert named in str(caught.value) and '\n' not in str(caught.value)
    with pytest.raises(Exception) as caught:  # noqa: PT011 - ROS itself refuses some of it
        by_node(path)
    assert isinstance(caught.value, AudioInteractionError) or 'rcl' in type(
        caught.value).__module__ + type(caught.value).__name__.lower()


def test_a_home_is_found_and_a_whole_number_is_a_float(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    config = by_node(written(tmp_path, TAKEN['a home']))
    assert config.alerts.rules == str(tmp_path / 'rules.yaml')
    config = load_configuration(written(tmp_path, TAKEN['an int for a double']))
    assert config.fifo.credit_timeout_s == 60.0
    assert config == AssistantConfig(fifo=config.fifo)


def test_what_the_command_line_of_a_node_says_counts(tmp_path):
    path = written(tmp_path, ABOVE + 'lane: {kitchen: {kind: reply}}')
    arguments = ['--ros-args', '--params-file', str(path)]
    with pytest.raises(ConfigurationError, match='kitchen'):
        parameters.check_arguments(arguments)
    parameters.check_arguments([*arguments, '-p', 'lanes:=[kitchen]'])


@pytest.mark.parametrize('text', [REFUSED['no wrapper'][0], REFUSED['no YAML'][0]])
def test_a_file_that_ros_cannot_parse_ends_a_node_with_one_sentence(tmp_path, text, capsys):
    from audio_interaction_ros.nodes.lifecycle.spinning import run
    path = written(tmp_path, text)
    assert run(list, ['node', '--ros-args', '--params-file', str(path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f'error: {path}') and said.count('\n') == 1


@pytest.mark.parametrize('more', [(), ('--processes',)])
@pytest.mark.parametrize('text', [
    REFUSED['no wrapper'][0], REFUSED['a tab'][0], REFUSED['an unknown key'][0],
    REFUSED['text for a number'][0]])
def test_a_wrong_parameter_file_ends_the_assistant_with_one_sentence(tmp_path, text, more, capfd):
    from audio_interaction_ros.nodes import assistant
    path = written(tmp_path, text)
    assert assistant.main([*more, '--ros-args', '--params-file', str(path)]) == 2
    said = capfd.readouterr().err
    assert said.startswith(f'error: {path}') and said.count('\n') == 1, said


def test_what_ros_alone_refuses_ends_the_assistant_with_one_sentence(capfd):
    from audio_interaction_ros.nodes import assistant
    assert assistant.main(['--ros-args', '-r', 'nonsense']) == 2
    said = capfd.readouterr().err
    assert 'expected a command line that ROS 2 understands' in said and said.count('\n') == 1


def test_every_parameter_of_a_plain_node_may_stand_in_a_file():
    assert {*audio_file_node._PARAMETERS, *microphone_node._PARAMETERS,
            *safety_events_node._PARAMETERS} <= PLAIN


def test_the_section_of_every_node_is_checked():
    text = (Path(__file__).parents[2] / 'setup.py').read_text()
    (nodes,) = (ast.literal_eval(node.iter) for node in ast.walk(ast.parse(text))
                if isinstance(node, ast.comprehension) and isinstance(node.iter, ast.Tuple))
    assert {*nodes} - {'assistant'} == {*NODES}


@pytest.mark.parametrize(('node', 'parameter'), [
    ('safety_events_node', 'rules_file:=5'), ('audio_file_node', 'path:=5'),
    ('hri_node', 'voice_id:=5'), ('microphone_node', 'sample_rate_hz:=fast'),
    ('encoder_node', 'autostart:=5')])
def test_a_parameter_of_the_wrong_type_ends_a_node_with_one_sentence(node, parameter):
    ended = subprocess.run(
        [sys.executable, '-m', f'audio_interaction_ros.nodes.{node}', '--ros-args', '-p',
         parameter], capture_output=True, text=True, timeout=120)
    assert ended.returncode == 2, ended.stderr
    assert ended.stderr.startswith('error: ') and ended.stderr.count('\n') == 1, ended.stderr
    assert parameter.partition(':')[0] in ended.stderr
