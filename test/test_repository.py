"""
The repository as a whole: manifests, interface package, commands, and what no file may contain.
"""

import ast
import dataclasses
import os
import re
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import yaml
from setuptools import find_packages

from audio_interaction_ros import __version__
from audio_interaction_ros.alerts.alert import Alert
from audio_interaction_ros.alerts.rules import load_rules
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.stream import events
from held_out.classes import ALERTS
from scripts.make_message_page import PAGE, make_page

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
MESSAGES = ROOT / 'audio_interaction_msgs'
MANIFESTS = {'audio_interaction_ros': ROOT / 'package.xml',
             'audio_interaction_msgs': MESSAGES / 'package.xml'}
GENERATED = {'.git', '.venv', 'build', 'install', 'log', '__pycache__', '.cache', 'work'}
TEXT = {'.py', '.md', '.rst', '.txt', '.yaml', '.yml', '.toml', '.cfg', '.xml', '.sh', '.msg',
        '.srv', '.action', '.json', ''}

# The interfaces that other packages build on: a change here is a change for every user.
SPAN = ('Header header', 'string utterance_id', 'uint32 revision', 'string text',
        'uint32 stable_length', 'bool is_final', 'string language', 'float32 confidence',
        'string source', 'float32 word_confidence', 'Time start', 'Time end',
        'float32 encode_latency_s', 'float32 decode_latency_s')
INTERFACES = {
    'msg/AudioChunk.msg': (
        'Header header', 'string encoding', 'uint32 sample_rate', 'uint16 channels',
        'uint32 frames', 'uint64 seq', 'uint8[] data'),
    'msg/EncodedChunk.msg': (
        'Header header', 'uint32 epoch', 'uint64 seq', 'Duration duration',
        'uint32 lost_samples_before', 'uint8 flags', 'float32 rms_dbfs', 'string model_id',
        'string dtype', 'uint32[] shape', 'uint8[] data', 'string[] sound_names',
        'float32[] sound_scores'),
    'msg/FifoCredit.msg': (
        'Header header', 'uint32 epoch', 'uint64 consumed_seq', 'uint16 capacity',
        'uint16 depth', 'float32 oldest_age_s'),
    'msg/Decision.msg': (
        'Header header', 'uint32 epoch', 'uint64 seq', 'string lane', 'bool respond',
        'float32 p_respond', 'uint16 queue_depth', 'float32 decision_latency_s'),
    'msg/Transcript.msg': (
        *SPAN, 'string[] words', 'Time[] word_starts', 'Time[] word_ends',
        'float32[] word_confidences', 'float32 bearing', 'string ended_by'),
    'msg/Translation.msg': (
        *SPAN, 'string source_language', 'string source_text',
        'string transcript_utterance_id'),
    'msg/Reply.msg': (
        'Header header', 'string reply_id', 'uint32 revision', 'string text', 'string delta',
        'bool is_final', 'uint8 emotion', 'string finish_reason',
        'float32 first_text_latency_s', 'string source_text',
        'string transcript_utterance_id', 'string intent', 'float32 intent_confidence',
        'string[] slot_names', 'string[] slot_values'),
    'msg/Alert.msg': (
        'Header header', 'string id', 'uint8 severity', 'uint8 category', 'uint8 state',
        'string label', 'string message', 'float32 confidence', 'uint32 count',
        'Time last_seen', 'Duration ttl', 'bool requires_ack', 'string evidence', 'string sound',
        'float32 score', 'float32 threshold', 'float32 bearing'),
    'msg/SoundEvent.msg': (
        'Header header', 'uint32 epoch', 'uint64 seq', 'uint8 state', 'string sound',
        'float32 score', 'float32 threshold', 'Time onset', 'Time offset', 'float32 bearing'),
    'msg/SoundScores.msg': (
        'Header header', 'uint32 epoch', 'uint64 seq', 'float32 rms_dbfs', 'string[] sounds',
        'float32[] scores', 'float32[] thresholds'),
    'msg/AlertArray.msg': (
        'Header header', 'Alert[] alerts', 'uint8 max_severity', 'bool any_unacknowledged'),
    'srv/AcknowledgeAlert.srv': (
        'string id', 'string response', 'string operator_name', '---', 'bool success',
        'string message'),
    'srv/SetPrompt.srv': (
        'string lane', 'string prompt', '---', 'bool success', 'string message'),
    'srv/Cancel.srv': ('string lane', '---', 'bool success', 'string message'),
    'action/Listen.action': (
        'Duration max_duration', 'string language', '---', 'bool success', 'string message',
        'Transcript transcript', '---', 'Transcript transcript'),
    'action/Say.action': (
        'string text', 'string language', 'uint8 priority', '---', 'bool success',
        'string message', 'float32 spoken', '---', 'float32 spoken'),
}


def project_files():
    """Return every text file of the project, none that was generated."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders
                      if name not in GENERATED and not name.endswith(('.egg-info', '_cache'))
                      and name != '.hypothesis']
        found += [Path(folder, name) for name in names
                  if Path(name).suffix in TEXT and name != '.git']  # a file in a second work tree
    return found


def lines_of(path):
    """Return an interface's fields and separators, without comments and constants."""
    lines = (line.split('#')[0].strip() for line in path.read_text().splitlines())
    return tuple(re.sub(r'^(std_msgs|builtin_interfaces)/', '', line)
                 for line in lines if line and '=' not in line)


def constants_of(name):
    """Return the constants of a message as name -> value."""
    text = (MESSAGES / 'msg' / f'{name}.msg').read_text()
    return {key: int(value) for key, value in re.findall(r'^uint8 (\w+)=(\d+)$', text, re.M)}


@pytest.mark.parametrize('name', MANIFESTS)
def test_a_manifest_is_well_formed(name):
    text = MANIFESTS[name].read_text()
    # Without this line colcon hides a schema error and takes the package for plain Python.
    assert text.splitlines()[1].startswith('<?xml-model href=')
    package = ElementTree.fromstring(text)
    assert package.get('format') == '3'
    assert package.findtext('name') == name
    assert package.findtext('license') == 'Apache-2.0'
    email = package.find('maintainer').get('email')
    assert re.fullmatch(r'[-\w.%+]+@[-\w.]+\.[a-zA-Z]{2,}', email)
    tags = [element.tag for element in package]
    assert len(set(tags) & {'name', 'version', 'description', 'maintainer', 'license'}) == 5
    kinds = {'audio_interaction_ros': 'ament_python', 'audio_interaction_msgs': 'ament_cmake'}
    assert package.findtext('export/build_type') == kinds[name]


def test_the_version_is_the_same_everywhere():
    versions = {name: ElementTree.parse(path).getroot().findtext('version')
                for name, path in MANIFESTS.items()}
    versions['setup.py'] = re.search(
        r"version='([^']+)'", (ROOT / 'setup.py').read_text()).group(1)
    assert set(versions.values()) == {__version__}, versions


@pytest.mark.parametrize('name', INTERFACES)
def test_an_interface_is_what_other_packages_build_on(name):
    assert lines_of(MESSAGES / name) == INTERFACES[name]


def test_every_interface_is_built_and_every_built_one_is_known():
    on_disk = {path.relative_to(MESSAGES).as_posix()
               for folder in ('msg', 'srv', 'action') for path in (MESSAGES / folder).iterdir()}
    built = set(re.findall(r'"((?:msg|srv|action)/\w+\.\w+)"',
                           (MESSAGES / 'CMakeLists.txt').read_text()))
    assert on_disk == built == set(INTERFACES)


def test_the_page_of_messages_is_made_from_their_definitions():
    assert PAGE.read_text(encoding='utf-8') == make_page(), (
        'run: python scripts/make_message_page.py')


def test_the_documentation_names_every_event_of_the_command_line():
    text = (ROOT / 'docs' / 'interfaces.md').read_text(encoding='utf-8')
    section = text[text.index('## Events as JSON'):text.index('## Times')]
    rows = dict(re.findall(r'^\| `(\w+)` \| (.*) \|$', section, re.M))
    common = {item.name for item in dataclasses.fields(events.Event)}
    for name in {*events.__all__, 'AlertChange'} - {'Event'}:
        kind = Alert if name == 'AlertChange' else getattr(events, name)
        row = rows[name].replace('the same', rows['FinalTranscript'])
        missing = {item.name for item in dataclasses.fields(kind)} - common - set(
            re.findall('`([a-z_]+)`', row))
        assert not missing, name


def test_the_documentation_counts_the_sounds_right():
    """Labels of recordings, the sentences that the model says of them, the labels of the rules."""
    rules = load_rules(ROOT / 'config/alerts.yaml')
    told = {rule.label for text, _ in ALERTS.values() for rule in rules.match(text)}
    labels = len(ALERTS)
    counts = {'README.md': f'alerts of {len(told)} kinds',
              'models/edge/README.md':
                  f'{labels} labels of sounds become {len(told)} kinds of alerts',
              'docs/edge.md': f'All {labels} labels together',
              'docs/alerts.md': f'Of the {len(rules.labels)} labels'}
    for page, words in (*counts.items(), ('docs/alerts.md', f'names {len(told)} ')):
        assert words in ' '.join((ROOT / page).read_text(encoding='utf-8').split()), page
    assert len(told) == len({text for text, _ in ALERTS.values()})


def test_the_emotions_of_a_reply_are_those_of_the_protocol():
    assert constants_of('Reply') == {emotion.name: emotion.value for emotion in Emotion}


def test_colcon_finds_both_packages():
    defaults = yaml.safe_load((ROOT / 'colcon_defaults.yaml').read_text())
    for verb in ('build', 'test', 'list'):
        paths = [ROOT / path for path in defaults[verb]['base-paths'] if '*' not in path]
        assert {path / 'package.xml' for path in paths} == set(MANIFESTS.values())


def test_only_the_package_itself_is_installed():
    include = ['audio_interaction_ros', 'audio_interaction_ros.*']
    source = ast.parse((ROOT / 'setup.py').read_text())
    call = next(node for node in ast.walk(source) if isinstance(node, ast.Call)
                and getattr(node.func, 'id', '') == 'find_packages')
    assert ast.unparse(call) == "find_packages(include=[NAME, f'{NAME}.*'])"
    packages = find_packages(ROOT, include=include)
    folders = {'.'.join(path.parent.relative_to(ROOT).parts)
               for path in (ROOT / 'audio_interaction_ros').rglob('__init__.py')}
    assert set(packages) == folders
    modules = {'.'.join(path.parent.relative_to(ROOT).parts)
               for path in (ROOT / 'audio_interaction_ros').rglob('*.py')}
    assert modules <= folders, 'a folder with modules lacks its __init__.py'


def console_scripts():
    """Return command -> module path of every console script, read from setup.py as text."""
    text = (ROOT / 'setup.py').read_text()
    nodes = re.search(r'for node in \(([^)]+)\)', text).group(1)
    scripts = {name: f'audio_interaction_ros/nodes/{name}.py'
               for name in re.findall(r"'(\w+)'", nodes)}
    return {'audio-interaction': 'audio_interaction_ros/cli/main.py', **scripts}


@pytest.mark.parametrize('command', console_scripts())
def test_a_command_leads_to_a_main(command):
    tree = ast.parse((ROOT / console_scripts()[command]).read_text())
    names = {name for node in tree.body for name in (
        [node.name] if isinstance(node, ast.FunctionDef)
        else [alias.asname or alias.name for alias in node.names]
        if isinstance(node, ast.ImportFrom) else [])}
    assert 'main' in names


@pytest.mark.parametrize('name', sorted(
    path.name for path in (ROOT / 'requirements').glob('*.txt') if path.name != 'constraints.txt'))
def test_a_requirement_has_both_bounds(name):
    lines = [line for line in (ROOT / 'requirements' / name).read_text().splitlines()
             if line and not line.startswith('#')]
    assert lines
    for line in lines:
        requirement, _, _ = line.partition('; ')  # on which Python it is needed
        assert re.fullmatch(r'[\w.\[\]-]+(==[\d.]+|>=[\d.]+,<[\d.]+)', requirement), line


def third_party(folder):
    """Return the names of all top-level modules imported below a folder that are not Python's."""
    names = set()
    for path in (ROOT / folder).rglob('*.py'):
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
            if isinstance(node, ast.Import):
                names |= {alias.name.split('.')[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names.add(node.module.split('.')[0])
    own = {'audio_interaction_ros', 'held_out', 'measure', 'train', 'bench', 'eval', 'export'}
    return names - set(sys.stdlib_module_names) - own


@pytest.mark.parametrize(('folder', 'files'), [
    ('audio_interaction_ros', ('run.txt', 'tensorrt.txt', 'readers.txt', 'replay.txt',
                               'monitor.txt', 'voice.txt', 'voices.txt', 'speex.txt')),
    ('held_out', ('run.txt',)),
    ('measure', ('run.txt', 'train.txt', 'eval.txt')),
    ('train', ('run.txt', 'train.txt', 'cluster.txt', 'voices.txt')),
    ('export', ('run.txt', 'train.txt')),
    ('eval', ('run.txt', 'train.txt', 'eval.txt', 'cluster.txt'))])
def test_every_import_is_a_requirement(folder, files):
    named_otherwise = {'PyYAML': 'yaml', 'hibari-tts': 'hibari', 'piper-tts': 'piper',
                       'cuda-python': 'cuda'}
    required = {named_otherwise.get(name, name.replace('-', '_')) for file in files
                for name in re.findall(
        r'^([\w-]+)(?:\[\w+\])?[>=]', (ROOT / 'requirements' / file).read_text(), re.M)}
    ros = {element.text for element in ElementTree.parse(
        ROOT / 'package.xml').getroot().iter('exec_depend')}
    # A runtime of two, whoever imports it says so in test_boundaries; a picture beside a table;
    # whoever runs tests with the fixture has pytest.
    optional = {'torch', 'matplotlib', 'pytest'} if folder == 'audio_interaction_ros' else set()
    assert third_party(folder) <= required | ros | optional


def test_every_make_target_that_the_documents_name_exists():
    targets = set(re.findall(r'^([a-z-]+):', (ROOT / 'Makefile').read_text(), re.M))
    documents = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *(ROOT / 'docs').rglob('*.md')]
    # Commands only, in code: prose may "make sure".
    named = {target for path in documents for target in re.findall(
        r'(?:^|`|&& |; )(?:\w+=\S+ )*make ([a-z-]+)\b', path.read_text(encoding='utf-8'), re.M)}
    assert {'setup', 'test', 'lint', 'assistant', 'bench'} <= targets
    assert 'setup' in named
    assert named <= targets


def test_a_program_that_is_shown_ends_at_ctrl_c_without_a_traceback():
    """Python raises one of two exceptions then, by who handles the signal first."""
    shown = [code for path in project_files() if path.suffix == '.md' for code in re.findall(
        r'```python\n(.*?)```', path.read_text(encoding='utf-8'), re.S)]
    shown += [path.read_text(encoding='utf-8') for path in (ROOT / 'examples').rglob('*.py')]
    spinning = [code for code in shown if 'rclpy.spin(' in code]
    assert spinning
    for code in spinning:
        assert 'except (KeyboardInterrupt, ExternalShutdownException):' in code
        assert 'import ExternalShutdownException' in code


WIDE = {'docs/messages.md', 'docs/parameters.md'}  # made by programs


def test_the_prose_of_the_documents_is_wrapped():
    """No line above 100 characters in any page; tables and code may be wider."""
    wide = set()
    for path in project_files():
        if path.suffix == '.md':
            text = re.sub(r'^ *```.*?^ *```$', '', path.read_text(encoding='utf-8'),
                          flags=re.M | re.S)
            if any(len(line) > 100 and not line.startswith(('|', '    '))
                   for line in text.splitlines()):
                wide.add(path.relative_to(ROOT).as_posix())
    assert wide <= WIDE


@pytest.mark.parametrize('name', ['.ci/run', 'scripts/setup_environment.sh'])
def test_a_script_can_be_executed(name):
    assert os.access(ROOT / name, os.X_OK)


def whole_strings(path):
    """Return the string constants of a source that do not merely continue an f-string."""
    tree = ast.parse(path.read_text(encoding='utf-8'))
    continued = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
                 for part in node.values[1:]}
    return [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)
            and isinstance(node.value, str) and id(node) not in continued]


def test_topic_names_are_relative():
    # Several robots share a network by namespace; /diagnostics is an agreed global name, and
    # REP-155 fixes where voices are (a parameter of hri_node).
    allowed = {'/diagnostics', '/humans/voices'}
    sources = [*(ROOT / 'audio_interaction_ros' / 'nodes').rglob('*.py'),
               *(ROOT / 'launch').glob('*.py')]
    assert sources
    absolute = [f'{path.name}: {text}' for path in sources for text in whole_strings(path)
                if re.fullmatch(r'(/\w+)+', text) and text not in allowed]
    for path in (ROOT / 'config').glob('*.yaml'):
        absolute += [f'{path.name}: {line}' for line in path.read_text(
            encoding='utf-8').splitlines() if re.search(r':\s*[\'"]?/\w+', line.split('#')[0])
            and '/**' not in line]
    assert not absolute


def test_no_file_names_a_path_of_one_machine():
    pattern = re.compile(r'(?<![\w.$}])/(?:work|root|home|farm|Users)/\w')
    found = [f'{path.relative_to(ROOT)}: {line.strip()[:80]}' for path in project_files()
             for line in path.read_text(encoding='utf-8', errors='replace').splitlines()
             if pattern.search(line)]
    assert not found
