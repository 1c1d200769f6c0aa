"""What ships for Foxglove, rqt and the aggregator: well formed, and about topics that exist."""

import ast
import json
import re
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
VIEWS = ROOT / 'config/views'
NAMESPACE = '/audio_interaction/'
TOPICS = {
    'transcript': 'Transcript', 'reply': 'Reply', 'decisions': 'Decision',
    'sounds': 'SoundEvent', 'sounds/scores': 'SoundScores', 'alerts/active': 'AlertArray',
    'encoded/credit': 'FifoCredit', 'alerts/hold': 'std_msgs/Bool',
    'diagnostics': 'diagnostic_msgs/DiagnosticArray'}
FOREIGN = {'std_msgs/Bool': {'data': 'bool'},
           'diagnostic_msgs/DiagnosticArray': {'status': 'diagnostic_msgs/DiagnosticStatus[]'}}


def fields_of(kind):
    """Return the fields of a message as name -> type."""
    if kind in FOREIGN:
        return FOREIGN[kind]
    path = ROOT / f'audio_interaction_msgs/msg/{kind}.msg'
    return {name: type_ for type_, name in re.findall(
        r'^([\w/]+(?:\[\])?) (\w+)$', path.read_text(), re.M)}


def check_path(path, *, separator='.'):
    """Hold a topic with fields, such as /ns/topic{lane=="x"}.a[0].b, against the messages."""
    assert path.startswith(NAMESPACE), path
    rest = path.removeprefix(NAMESPACE)
    topic = max((name for name in TOPICS if re.match(rf'{name}(\W|$)', rest)), key=len)
    rest, kind = rest.removeprefix(topic), TOPICS[topic]
    condition = re.match(r'\{(\w+)=="\w+"\}', rest)
    if condition:
        assert condition[1] in fields_of(kind), path
        rest = rest[condition.end():]
    for name, index in re.findall(rf'{re.escape(separator)}(\w+)(\[[\d:]+\])?', rest):
        assert name in fields_of(kind), path
        kind = fields_of(kind)[name]
        assert not index or kind.endswith('[]'), path
        kind = kind.removesuffix('[]')
    assert not re.sub(rf'{re.escape(separator)}\w+(\[[\d:]+\])?', '', rest), path


def test_the_topics_are_the_documented_ones():
    page = (ROOT / 'docs/interfaces.md').read_text(encoding='utf-8')
    rows = re.findall(r'^\| ((?:`[\w/]+`(?:, )?)+) \| ((?:`[\w/]+`(?:, )?)+)', page, re.M)
    documented = {}
    for topics, kinds in rows:
        names, types = (re.findall('`([^`]+)`', cell) for cell in (topics, kinds))
        if len(names) == len(types):
            documented.update(zip(names, types, strict=True))
    assert {topic: documented.get(topic) for topic in TOPICS} == TOPICS


def layout():
    return json.loads((VIEWS / 'foxglove.json').read_text(encoding='utf-8'))


def leaves(tree):
    if isinstance(tree, str):
        return [tree]
    assert set(tree) == {'direction', 'first', 'second', 'splitPercentage'}
    assert tree['direction'] in ('row', 'column') and 0 < tree['splitPercentage'] < 100
    return leaves(tree['first']) + leaves(tree['second'])


def test_the_layout_places_every_panel_once():
    placed = leaves(layout()['layout'])
    assert sorted(placed) == sorted(layout()['configById'])
    assert set(layout()) == {'configById', 'globalVariables', 'userNodes', 'playbackConfig',
                             'layout'}


def test_the_panels_show_fields_that_exist():
    for name, panel in layout()['configById'].items():
        paths = [path['value'] for path in panel.get('paths', ())]
        paths += [panel[key] for key in ('topicPath', 'topicToRender') if key in panel]
        if not name.startswith('CallService!'):
            assert paths, name
        for path in paths:
            check_path(path)


def test_the_lanes_are_those_of_the_shipped_configuration():
    paths = [path['value'] for panel in layout()['configById'].values()
             for path in panel.get('paths', ())]
    shown = re.findall(r'decisions\{lane=="(\w+)"\}', ' '.join(paths))
    edge = yaml.safe_load((ROOT / 'config/edge.yaml').read_text(encoding='utf-8'))
    parameters = edge['/**']['ros__parameters']
    assert set(shown) == set(parameters['lanes'])


def test_the_button_calls_the_service_with_its_fields():
    panel = layout()['configById']['CallService!acknowledge']
    request = (ROOT / 'audio_interaction_msgs/srv/AcknowledgeAlert.srv').read_text().split('---')
    assert panel['serviceName'] == f'{NAMESPACE}alerts/acknowledge'
    assert set(json.loads(panel['requestPayload'])) == set(
        re.findall(r'^string (\w+)$', request[0], re.M))


@pytest.mark.parametrize('wrong', ['/elsewhere/decisions.lane', '/audio_interaction/decisions.nil',
                                   '/audio_interaction/decisions{nil=="x"}.lane',
                                   '/audio_interaction/decisions.lane[0]'])
def test_a_field_that_does_not_exist_is_noticed(wrong):
    with pytest.raises(AssertionError):
        check_path(wrong)


def test_the_perspective_of_rqt_runs_what_it_configures():
    read = json.loads((VIEWS / 'ears.perspective').read_text(encoding='utf-8'))
    manager = read['groups']['pluginmanager']
    running = ast.literal_eval(manager['keys']['running-plugins']['repr'])
    assert set(manager['groups']) == {
        f'plugin__{name.replace("/", "__")}__{number}'
        for name, numbers in running.items() for number in numbers}
    for group in manager['groups'].values():
        keys = {name: ast.literal_eval(value['repr'])
                for name, value in group['groups']['plugin']['keys'].items()}
        for topic in keys.get('topics', ()):
            check_path(topic.removesuffix('/').replace('/p_respond', '.p_respond').replace(
                '/rms_dbfs', '.rms_dbfs'))


def reported():
    """Return the names under which the lifecycle nodes and the microphone report."""
    names = set()
    for path in (ROOT / 'audio_interaction_ros/nodes').glob('*_node.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == 'Diagnostics':
                tasks = next(word.value for word in node.keywords if word.arg == 'tasks')
                names |= {f'{path.stem}: {ast.literal_eval(key)}' for key in tasks.keys}
    return names


def test_the_aggregator_knows_all_that_is_reported_and_nothing_else():
    read = yaml.safe_load((VIEWS / 'diagnostics_aggregator.yaml').read_text(encoding='utf-8'))
    analyzers = [item for item in read['analyzers']['ros__parameters'].values()
                 if isinstance(item, dict)]
    named = [name for item in analyzers for name in item['startswith']]
    assert len(named) == len(set(named)) and len({item['path'] for item in analyzers}) == 4
    lifecycle = {name for name in reported()
                 if name.startswith(('encoder_node', 'decoder_node', 'microphone_node'))}
    assert set(named) == lifecycle
