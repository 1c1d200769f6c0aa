"""
The walls of the house: who may import whom, read from the sources and checked in a process.

Every import statement counts, also one inside a function; only type checking is exempt.
"""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[1]
PACKAGE = 'audio_interaction_ros'

FACTS = {'protocol', 'config', 'errors', 'reading', 'resources', 'strict_yaml',
         'parameter_file', 'terminal', 'process_memory', 'whole_file'}
HEARING = FACTS | {'audio'}
CORE = HEARING | {'stream', 'alerts', 'runtimes.base'}
RUNTIME = FACTS | {'runtimes'}
FILES = {'numpy', 'yaml', 'safetensors', 'tokenizers', 'huggingface_hub'}
ROS = {'rclpy', 'audio_interaction_msgs', 'std_msgs', 'std_srvs', 'diagnostic_msgs',
       'lifecycle_msgs', 'rcl_interfaces', 'sensor_msgs', 'builtin_interfaces', 'launch',
       'launch_ros', 'rosidl_runtime_py', 'ament_index_python'}
FRAMEWORKS = {'torch', 'transformers', 'onnxruntime', 'onnx', 'tensorrt', 'tensorflow'}

# module or package -> (what of this package it may import, what else besides the standard
# library); the longest matching name counts.
ROWS = {
    'protocol': (FACTS, set()),
    'errors': (FACTS, set()),
    'config': (FACTS, set()),
    'reading': (FACTS, set()),
    'parameter_file': (FACTS, set()),
    'strict_yaml': ({'errors'}, {'yaml'}),
    'terminal': (set(), set()),
    'whole_file': (set(), set()),
    'process_memory': (set(), set()),
    'audio': (HEARING, {'numpy', 'soxr', 'soundfile'}),
    'audio.bag': (HEARING, {'numpy', 'rosbags'}),
    'audio.devices': (HEARING, {'sounddevice'}),
    'audio.webrtc': (FACTS, {'numpy', 'livekit'}),
    'audio.speex': (FACTS, {'numpy', 'pyaec'}),
    'stream': (HEARING | {'stream', 'runtimes.base'}, {'numpy'}),
    'alerts': (CORE, {'numpy'}),
    'intents': (CORE | {'intents'}, set()),
    'intents.words': (set(), set()),
    'speech': (HEARING | {'speech', 'intents.words'}, {'numpy'}),
    'speech.voice': (FACTS | {'speech'}, {'numpy', 'soxr'}),
    'speech.engines': (FACTS | {'speech.engine'}, {'numpy', 'soundfile', 'hibari', 'piper',
                                                   'kokoro_onnx', 'misaki'}),
    # What a text model writes of words that were read.
    'dialogue': (CORE | {'dialogue', 'intents.answers'}, {'numpy'}),
    'taught': (FACTS | {'taught'}, {'numpy', 'safetensors'}),
    'taught.recordings': (HEARING | {'taught.fit'}, {'numpy'}),
    # The page: what it is told and who may see it needs no server.
    'monitor': (FACTS | {'monitor'}, set()),
    'monitor.outline': (HEARING | {'monitor'}, {'numpy'}),
    'monitor.server': (FACTS | {'monitor'}, {'aiohttp'}),
    'safety_events': (FACTS | {'safety_events', 'alerts.alert'}, set()),
    # Recordings as tests: what was heard of them, in one form, against what was expected.
    'replay': (CORE | {'replay', 'intents.words', 'offline'}, {'jiwer', 'junitparser', 'numpy'}),
    'replay.heard': (FACTS | {'alerts.alert'}, set()),
    'replay.verdict': ({'replay'}, set()),
    'assembly': (CORE | {'assembly', 'runtimes.registry', 'runtimes.reader_pair', 'taught',
                         'intents', 'dialogue'}, set()),
    # The nets. What a model is, its angles and its ids can be had without a framework.
    'model': (FACTS | {'model'}, {'numpy', 'torch'}),
    'model.shapes': (FACTS, {'numpy'}),
    'model.rope': (FACTS, {'numpy'}),
    'model.sound_head': (FACTS, {'numpy', 'safetensors'}),
    'model.voice_activity': (FACTS, {'numpy'}),
    'model.tokenizer': (FACTS, {'tokenizers'}),
    # Their files; only what makes modules of weights knows torch.
    'checkpoints': (FACTS | {'checkpoints', 'model.shapes'}, FILES),
    'checkpoints.config': (FACTS | {'model.shapes'}, set()),
    'checkpoints.manifest': (FACTS | {'checkpoints.cache'}, set()),
    'checkpoints.arrays': (FACTS | {'checkpoints.cache'}, {'numpy', 'safetensors', 'ml_dtypes'}),
    'checkpoints.voice_activity': (FACTS | {'checkpoints', 'model.voice_activity'}, FILES),
    'checkpoints.layout': (FACTS | {'checkpoints', 'model'}, {'torch'} | FILES),
    'checkpoints.load': (FACTS | {'checkpoints', 'model'}, {'torch'} | FILES),
    'checkpoints.released': (FACTS | {'checkpoints', 'model'}, {'torch', 'transformers'} | FILES),
    'checkpoints.gguf_file': (FACTS, {'gguf'} | FILES),
    'checkpoints.gguf_text': (FACTS | {'checkpoints'}, {'gguf'} | FILES),
    'checkpoints.onnx_file': (FACTS, {'onnx'} | FILES),
    'graphs': (FACTS | {'graphs', 'model.shapes'}, {'numpy', 'onnx'}),
    'graphs.text_model': (FACTS | {'graphs', 'model.shapes'}, {'numpy'}),
    'graphs.writer': (FACTS | {'graphs', 'checkpoints'}, {'numpy', 'onnx'}),
    'graphs.manifest': (FACTS | {'checkpoints.cache'}, set()),
    'graphs.quantise': (set(), {'numpy'}),
    'graphs.names': (set(), set()),
    'runtimes': (RUNTIME, {'numpy'}),
    'runtimes.registry': (FACTS | {'runtimes.base'}, set()),
    'runtimes.row_file': (set(), {'numpy'}),
    'runtimes.graph_folder': ({'graphs.manifest', 'checkpoints.config', 'model.tokenizer',
                               'model.sound_head', 'runtimes.row_file'}, {'numpy'}),
    # Graphs are made where they are missing; what that needs is imported then.
    'runtimes.onnx': (RUNTIME | {'graphs', 'checkpoints', 'model'}, {'numpy', 'onnxruntime'}),
    'runtimes.onnx_session': (FACTS, {'numpy', 'onnxruntime'}),
    'runtimes.onnx_text_net': ({'graphs.names', 'model.rope', 'model.shapes', 'runtimes.row_file',
                                'runtimes.onnx_session'}, {'numpy', 'onnxruntime'}),
    'runtimes.onnx_decoder': (RUNTIME | {'graphs.names', 'checkpoints.config', 'model.rope'},
                              {'numpy', 'onnxruntime'}),
    'runtimes.onnx_encoder': (RUNTIME | {'graphs.names', 'checkpoints.config'},
                              {'numpy', 'onnxruntime'}),
    'runtimes.onnx_static': (RUNTIME | {'graphs.names', 'model.shapes'},
                             {'numpy', 'onnxruntime'}),
    'runtimes.static_decoder': ({'runtimes', 'checkpoints.config', 'model.rope'}, {'numpy'}),
    'runtimes.static_pass': ({'runtimes.base', 'runtimes.batch'}, {'numpy'}),
    # TensorRT and the CUDA bindings are imported when a GPU is used, here only.
    'runtimes.cuda': ({'errors', 'runtimes.device_memory'}, {'numpy', 'cuda'}),
    'runtimes.device_memory': (set(), {'numpy'}),
    'runtimes.engine_step': (RUNTIME | {'graphs.names', 'model.shapes'}, {'numpy'}),
    'runtimes.engine_tower': (RUNTIME | {'graphs.names', 'checkpoints.config'}, {'numpy'}),
    'runtimes.tensorrt': (RUNTIME | {'graphs', 'checkpoints.config', 'model.tokenizer'},
                          {'numpy', 'tensorrt', 'cuda'}),
    'runtimes.engine_files': (FACTS | {'checkpoints.cache', 'graphs.manifest'}, set()),
    'runtimes.specs': ({'runtimes.base', 'checkpoints.config'}, set()),
    'runtimes.windowed': ({'protocol', 'runtimes.base', 'runtimes.specs', 'checkpoints.config'},
                          {'numpy'}),
    'runtimes.torch': (RUNTIME | {'checkpoints', 'model'}, {'numpy', 'torch'}),
    'runtimes.batch': ({'runtimes.base'}, {'numpy'}),
    'runtimes.choice': ({'protocol', 'runtimes.base'}, {'numpy'}),
    'runtimes.packed': (set(), {'torch'}),
    'runtimes.onnx_text': (RUNTIME | {'graphs', 'checkpoints', 'model'},
                           {'numpy', 'onnxruntime'}),
    # Reads stored audio as a whole, so it makes its own mel.
    'runtimes.second_pass': (RUNTIME | {'audio.mel'}, {'numpy'}),
    'runtimes.spoken_part': (RUNTIME | {'audio.speech_span'}, {'numpy'}),
    'runtimes.whisper_words': (RUNTIME | {'audio.mel'}, {'numpy'}),
    'runtimes.smart_turn': ({'audio.mel', 'checkpoints.base_weights', 'protocol',
                             'runtimes.onnx_session'}, {'numpy', 'onnxruntime'}),
    # Readers of the user's own models, each the only place that knows its library.
    'runtimes.sherpa_model': (RUNTIME, {'onnxruntime', 'sherpa_onnx'}),
    'runtimes.sherpa_reader': (RUNTIME | {'checkpoints'}, {'numpy', 'sherpa_onnx'}),
    'runtimes.faster_whisper_reader': (RUNTIME | {'audio.mel', 'checkpoints'},
                                       {'numpy', 'ctranslate2', 'tokenizers'}),
    'runtimes.moonshine': (RUNTIME | {'checkpoints'}, {'numpy', 'onnxruntime', 'tokenizers'}),
    'runtimes.onnx_second_pass': (RUNTIME | {'graphs', 'checkpoints', 'model'},
                                  {'numpy', 'onnxruntime', 'tokenizers'}),
}
# Of the workshop: which of its other rooms each may import. docs/architecture.md says the same.
WORKSHOP = {
    'held_out': set(),
    'measure': {'held_out'},
    'train': {'held_out', 'measure'},
    'eval': {'held_out', 'measure', 'train'},
    'export': {'held_out', 'measure', 'eval'},
    'bench': {'measure', 'export'},
}
MEASURES_A_NODE = ROOT / 'bench' / 'hush.py'
"""How soon a robot is silent shows on its topics only, so this file listens to them."""


def module_name(path):
    parts = path.relative_to(ROOT / PACKAGE).with_suffix('').parts
    return '.'.join(part for part in parts if part != '__init__')


def imports(path):
    """Return the dotted names that a source imports; ``from x import y`` counts as x.y."""
    tree = ast.parse(path.read_text(encoding='utf-8'), filename=str(path))
    exempt = {id(child) for node in ast.walk(tree) if isinstance(node, ast.If)
              and 'TYPE_CHECKING' in ast.dump(node.test)
              for statement in node.body for child in ast.walk(statement)}
    for node in ast.walk(tree):
        if id(node) in exempt:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f'{path}: a relative import; write the full name'
            yield from (f'{node.module}.{alias.name}' for alias in node.names)


def inside(name, allowed):
    return any(name == room or name.startswith(f'{room}.') for room in allowed)


def violations(path, ours, others):
    for name in imports(path):
        top, _, rest = name.partition('.')
        if top == PACKAGE:
            if rest != '__version__' and not inside(rest, ours):
                yield name
        elif top not in sys.stdlib_module_names and top not in others:
            yield name


def row_of(module):
    rows = [row for row in ROWS if inside(module, (row,))]
    return ROWS[max(rows, key=len)] if rows else None


SOURCES = sorted((ROOT / PACKAGE).rglob('*.py'))


@pytest.mark.parametrize('path', [p for p in SOURCES if row_of(module_name(p))],
                         ids=lambda path: module_name(path))
def test_a_module_imports_only_what_its_row_allows(path):
    ours, others = row_of(module_name(path))
    assert list(violations(path, ours, others)) == []


@pytest.mark.parametrize('path', SOURCES, ids=lambda path: module_name(path) or PACKAGE)
def test_only_nodes_import_ros(path):
    if inside(module_name(path), ('nodes',)):
        return
    names = list(imports(path))
    assert [name for name in names if name.partition('.')[0] in ROS] == []
    assert [name for name in names if name.startswith(f'{PACKAGE}.nodes')] == []


@pytest.mark.parametrize('path', SOURCES, ids=lambda path: module_name(path) or PACKAGE)
def test_nothing_of_the_package_imports_the_workshop(path):
    assert [name for name in imports(path) if name.partition('.')[0] in WORKSHOP] == []


@pytest.mark.parametrize('path', sorted(
    path for folder in WORKSHOP for path in (ROOT / folder).rglob('*.py')),
    ids=lambda path: str(path.relative_to(ROOT)))
def test_the_workshop_imports_no_ros_and_only_the_rooms_below(path):
    if path != MEASURES_A_NODE:
        assert trespasses(path, path.relative_to(ROOT).parts[0]) == []


def trespasses(path, room):
    """Return what a source of a room of the workshop imports and may not."""
    others = set(WORKSHOP) - WORKSHOP[room] - {room}
    return [name for name in imports(path) if name.partition('.')[0] in ROS | others
            or inside(name, (f'{PACKAGE}.nodes',))]


def test_a_room_sees_who_trespasses(tmp_path):
    wrong = tmp_path / 'wrong.py'
    wrong.write_text('def f():\n    from eval.hearing.listener import Listener\n'
                     f'import train.records\nfrom {PACKAGE}.nodes import assistant\n'
                     'from measure import intervals\nimport rclpy\nimport numpy\n')
    assert sorted(trespasses(wrong, 'train')) == [
        f'{PACKAGE}.nodes.assistant', 'eval.hearing.listener.Listener', 'rclpy']
    assert 'train.records' in trespasses(wrong, 'bench')


def test_no_two_rooms_of_the_workshop_import_each_other():
    below = {}
    while len(below) < len(WORKSHOP):  # a room is placed once all that it imports are
        ready = [room for room in WORKSHOP if room not in below and WORKSHOP[room] <= set(below)]
        assert ready, f'a circle among {sorted(set(WORKSHOP) - set(below))}'
        below |= dict.fromkeys(ready)


def test_the_picture_shows_every_room_and_what_it_may_import():
    """The table of docs/architecture.md: each room of the workshop, each module of the package."""
    text = (ROOT / 'docs' / 'architecture.md').read_text(encoding='utf-8')
    rows = re.findall(r'^\| (`.*?) \|.*\| (.*) \|$', text[:text.index('## SoundFlow')], re.M)
    told = {room: allowed for names, allowed in rows for room in re.findall('`([^`]+)`', names)}
    for room, allowed in WORKSHOP.items():
        prefix = 'the package without `nodes`'
        assert told[room].startswith(prefix), room
        assert set(re.findall('`([^`]+)`', told[room][len(prefix):])) == allowed, room
    inner = {module_name(path).partition('.')[0] for path in SOURCES} - {''}
    assert inner <= set(told), f'no row: {sorted(inner - set(told))}'
    assert set(told) <= inner | set(WORKSHOP), 'a row of no room'


def test_the_rows_see_a_violation(tmp_path):
    wrong = tmp_path / 'wrong.py'
    wrong.write_text('def f():\n    import torch\n'
                     f'from {PACKAGE}.nodes.lifecycle.qos import X\nimport os\n')
    found = sorted(violations(wrong, *ROWS['stream']))
    assert found == [f'{PACKAGE}.nodes.lifecycle.qos.X', 'torch']


def run_fresh(code):
    return subprocess.run(
        [sys.executable, '-c', code], cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.parametrize('module', ['stream', 'stream.session', 'alerts.policy',
                                    'stream.listening', 'runtimes.scripted', 'runtimes.registry',
                                    'config', 'checkpoints.weights', 'model.voice_activity',
                                    'graphs.names', 'graphs.manifest'])
def test_a_fresh_import_brings_no_framework_and_no_ros_and_says_nothing(module):
    heavy = sorted(FRAMEWORKS | {'rclpy', 'audio_interaction_msgs'})
    done = run_fresh(
        f'import {PACKAGE}.{module}\nimport sys\n'
        f'came = [name for name in {heavy} if name in sys.modules]\n'
        'assert not came, came')
    assert done.returncode == 0, done.stderr
    assert (done.stdout, done.stderr) == ('', '')
