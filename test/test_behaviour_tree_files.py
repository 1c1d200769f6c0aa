"""The trees for BehaviorTree.CPP: every node and port in them is known, to Groot and to C++."""

import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from audio_interaction_ros.intents.intents_file import read_intents
from audio_interaction_ros.resources import shipped_path

pytestmark = pytest.mark.unit

FOLDER = Path(__file__).parents[1] / 'examples' / 'behaviour_trees' / 'cpp'
TREES = sorted((FOLDER / 'trees').glob('*.xml'))
PROJECT = ElementTree.parse(FOLDER / 'trees' / 'audio_interaction.btproj').getroot()
# Of BehaviorTree.CPP 4 itself, with their ports.
BUILT_IN = {
    'Sequence': set(), 'Fallback': set(), 'ReactiveSequence': set(), 'ReactiveFallback': set(),
    'ForceSuccess': set(), 'KeepRunningUntilFailure': set(), 'AlwaysSuccess': set(),
    'RetryUntilSuccessful': {'num_attempts'}, 'Delay': {'delay_msec'}, 'Sleep': {'msec'}}
OF_NAV2 = {'PipelineSequence', 'RecoveryNode', 'RateController', 'ComputePathToPose',
           'FollowPath', 'ClearEntireCostmap', 'Wait'}
CONTROLS = {'Sequence', 'Fallback', 'ReactiveSequence', 'ReactiveFallback', 'PipelineSequence',
            'RecoveryNode'}
DECORATORS = {'ForceSuccess', 'KeepRunningUntilFailure', 'RetryUntilSuccessful', 'Delay',
              'RateController'}


def test_the_tree_of_the_readme_is_the_smallest_example():
    root = FOLDER.parents[2]
    readme = (root / 'README.md').read_text(encoding='utf-8')
    shown = re.search(r'```python\n(import py_trees\n.*?)```', readme, re.S)[1]
    program = (FOLDER.parent / 'python' / 'smallest.py').read_text(encoding='utf-8')
    lines = [line.strip() for line in program.splitlines()]
    assert [line for line in shown.splitlines() if line.strip() not in lines] == []


def models():
    """Return {node: ports} of the model that Groot reads."""
    return {node.get('ID'): {port.get('name') for port in node}
            for node in PROJECT.find('TreeNodesModel')}


def described(name):
    """Return {port: (direction, type, default)} of a node in the model."""
    node = next(node for node in PROJECT.find('TreeNodesModel') if node.get('ID') == name)
    return {port.get('name'): (port.tag.removesuffix('_port'), port.get('type'),
                               port.get('default', '')) for port in node}


def declared(code):
    """Return the same of the ports that C++ declares."""
    pattern = r'(Input|Output)Port<([\w:]+)>\(\s*"(\w+)",(?:\s*("[^"]*"|[\d.]+),)?\s*"'
    def write(kind, default):  # as BehaviorTree.CPP writes it into a model
        return f'{float(default):f}' if kind == 'double' else default.strip('"')
    return {name: (direction.lower(), kind, write(kind, default))
            for direction, kind, name, default in re.findall(pattern, code)}


def sources():
    return '\n'.join(path.read_text(encoding='utf-8') for path in (FOLDER / 'src').glob('*.cpp'))


def test_the_project_has_every_tree():
    assert {item.get('path') for item in PROJECT.findall('include')} == {
        path.name for path in TREES}


@pytest.mark.parametrize('path', TREES, ids=lambda path: path.name)
def test_every_node_of_a_tree_is_known_and_has_the_ports_that_it_is_given(path):
    root = ElementTree.parse(path).getroot()
    assert root.get('BTCPP_format') == '4'
    trees = {tree.get('ID'): tree for tree in root.findall('BehaviorTree')}
    assert root.get('main_tree_to_execute') in trees
    known = {**BUILT_IN, **models()}
    for tree in trees.values():
        assert len(tree) == 1, 'a tree has one root'
        for node in tree.iter():
            if node is tree:
                continue
            given = set(node.attrib) - {'name'}
            if node.tag == 'SubTree':
                assert node.get('ID') in trees
                continue
            assert node.tag in known, f'{node.tag} is in no model'
            assert given <= known[node.tag], f'{node.tag}: {given - known[node.tag]}'
            children = len(node)
            assert children >= 1 if node.tag in CONTROLS else children == (
                node.tag in DECORATORS), f'{node.tag} has {children} children'


def test_the_model_is_what_the_sources_register_and_declare():
    text = sources()
    registered = set(re.findall(r'registerNodeType<[\w:]+>\("(\w+)"', text))
    assert registered == set(models()) - OF_NAV2
    for name in registered:
        body = re.search(rf'BT::PortsList {name}::providedPorts\(\)\n{{(.*?)\n}}', text, re.S)
        assert described(name) == declared(body.group(1)), name


def test_the_plugin_of_nav2_has_the_ports_of_the_same_node():
    text = (FOLDER / 'src/nav2_audio_hold.cpp').read_text(encoding='utf-8')
    ports, model = declared(text), described('AudioHold')
    assert ports.keys() == model.keys() and ports['silent_s'] == model['silent_s']
    assert 'BT_REGISTER_NODES' in text


def test_intents_of_the_trees_are_intents_that_are_understood():
    known = {intent.name for intent in read_intents(shipped_path('config/intents.yaml')).intents}
    used = {name for path in TREES for node in ElementTree.parse(path).iter('IntentHeard')
            for name in node.get('intents').split(';')}
    assert used and used <= known


def test_blackboard_entries_that_are_read_are_written_or_come_from_outside():
    outside = {'goal', 'place'}  # of nav2, and of the tree around
    for path in TREES:
        for tree in ElementTree.parse(path).getroot().findall('BehaviorTree'):
            entries = [(node.tag, key, value[1:-1]) for node in tree.iter()
                       for key, value in node.attrib.items() if re.fullmatch(r'{\w+}', value)]
            model = {node.get('ID'): {port.get('name') for port in node.findall('output_port')}
                     for node in PROJECT.find('TreeNodesModel')}
            written = {entry for tag, key, entry in entries if key in model.get(tag, ())}
            read = {entry for tag, key, entry in entries if key not in model.get(tag, ())}
            assert read <= written | outside, f'{path.name}: {read - written}'
