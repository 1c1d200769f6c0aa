"""The command replay and the fixture of the same name, on a scripted model."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.cli import replay_sources
from audio_interaction_ros.cli.main import main
from audio_interaction_ros.config import AssistantConfig, LaneConfig
from audio_interaction_ros.offline import Assistant
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.replay.expectation import FORMAT
from audio_interaction_ros.replay.listener import OfflineListener, keep_pace
from audio_interaction_ros.runtimes.scripted import (
    ScriptedDecoder,
    ScriptedEncoder,
    ScriptedTokenizer,
)

pytestmark = pytest.mark.unit

ROOT = Path(__file__).parents[2]
SCRIPT = {0: {4: (Emotion.NORMAL, 'good morning')}, 1: {6: (Emotion.URGENT, 'Glass breaking.')}}
LANES = (LaneConfig(name='transcript', kind='transcript'),
         LaneConfig(name='assistant', alerts=True))
EXPECTED = f"""
format: {FORMAT}
expect:
- {{kind: transcript, text: Good morning., at: 2.0}}
- {{kind: alert, label: glass_break, severity: ERROR, at: 2.8, within_s: 3.0}}
- {{kind: reply, pattern: glass}}
nothing_else: [transcript, alert, reply, sound]
"""


def make_assistant():
    return Assistant(config=AssistantConfig(lanes=LANES), encoder=ScriptedEncoder(),
                     decoder=ScriptedDecoder(script=SCRIPT), tokenizer=ScriptedTokenizer())


@pytest.fixture(autouse=True)
def listener(monkeypatch):
    """Let the command hear a script."""
    made = OfflineListener(make_assistant, {lane.name: lane.kind for lane in LANES})
    monkeypatch.setattr(replay_sources.OfflineListener, 'load', lambda *_, **__: made)
    return made


@pytest.fixture
def recording(tmp_path):
    path = tmp_path / 'kitchen.wav'
    noise = np.random.default_rng(1).standard_normal(4 * 16_000) * 0.1
    soundfile.write(path, noise, 16_000)
    (tmp_path / 'kitchen.expect.yaml').write_text(EXPECTED, encoding='utf-8')
    return path


def test_a_recording_as_expected_ends_with_0(recording, capsys):
    assert main(['replay', str(recording)]) == 0
    assert 'kitchen.wav: passed (3 as expected)' in capsys.readouterr().out


def test_a_difference_ends_with_1_and_says_what_came(recording, capsys):
    other = recording.with_name('other.yaml')
    other.write_text(EXPECTED.replace('glass_break', 'smoke_alarm'), encoding='utf-8')
    assert main(['replay', str(recording), '--expect', str(other), '--quiet']) == 1
    said = capsys.readouterr().out
    assert 'MISSING  2.8 s alert smoke_alarm' in said and 'label glass_break' in said
    assert 'TOO MUCH' in said and '  ok ' not in said


@pytest.mark.parametrize('words', [
    ['nowhere.wav'], ['{recording}', '--expect', 'nowhere.yaml'],
    ['{recording}', '--record', 'out.yaml', '--junit', 'out.xml'],
    ['{recording}', '--record', '{folder}/no/such/folder.yaml'],
    ['{recording}', '--through', 'recorded'], ['{folder}/empty']])
def test_a_wrong_option_ends_with_2(recording, words, capsys):
    (recording.parent / 'empty').mkdir()
    assert main(['replay', *(word.format(recording=recording, folder=recording.parent)
                             for word in words)]) == 2
    assert 'expected' in capsys.readouterr().err.lower()


@pytest.mark.parametrize(('package', 'words'), [
    ('jiwer', []), ('junitparser', ['--junit', 'out.xml'])])
def test_a_package_that_will_be_needed_is_asked_for_before_anything_is_heard(
        recording, monkeypatch, capsys, package, words):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(replay_sources.OfflineListener, 'load', lambda *_, **__: pytest.fail(
        'something is heard in vain'))
    assert main(['replay', str(recording), *words]) == 2
    said = capsys.readouterr().err
    assert package in said and 'pip install -r requirements/replay.txt' in said


@pytest.mark.parametrize('speed', ['0', '-1', 'inf', 'fast'])
def test_a_wrong_speed_is_refused(recording, speed):
    with pytest.raises(SystemExit):
        main(['replay', str(recording), f'--speed={speed}'])


def test_what_was_recorded_passes_and_what_is_another_recording_does_not(recording, capsys):
    new = recording.with_name('new.yaml')
    assert main(['replay', str(recording), '--record', str(new)]) == 0
    assert main(['replay', str(recording), '--expect', str(new)]) == 0
    silence = recording.with_name('silence.wav')
    soundfile.write(silence, np.zeros(1600), 16_000)
    assert main(['replay', str(silence), '--expect', str(new), '--json']) == 1
    assert len(json.loads(capsys.readouterr().out.splitlines()[-1])['missing']) == 3


def test_a_folder_is_replayed_as_a_whole(recording, capsys):
    deeper = recording.parent / 'hall'
    deeper.mkdir()
    (deeper / 'door.expect.yaml').write_text(
        EXPECTED + 'recording: ../kitchen.wav\n', encoding='utf-8')
    assert main(['replay', str(recording.parent)]) == 0
    said = capsys.readouterr().out
    assert 'hall/door: passed' in said and 'kitchen: passed' in said
    assert '2 of 2 recordings as expected' in said
    (deeper / 'door.expect.yaml').write_text(
        EXPECTED.replace('2.0', '9.0') + 'recording: ../kitchen.wav\n', encoding='utf-8')
    assert main(['replay', str(recording.parent)]) == 1
    assert '1 of 2 recordings as expected; not hall/door' in capsys.readouterr().out


@pytest.mark.parametrize(('name', 'more'), [
    ('lost', ''), ('kitchen', 'recording: nowhere.wav\n')])
def test_an_expectation_without_its_recording_is_named(recording, name, more, capsys):
    path = recording.with_name(f'{name}.expect.yaml')
    path.write_text(EXPECTED + more, encoding='utf-8')
    assert main(['replay', str(recording.parent)]) == 2
    assert str(path) in capsys.readouterr().err


def blocks(size, stamp_ns=0):
    samples = (np.random.default_rng(1).standard_normal(4 * 16_000) * 0.1).astype(np.float32)
    for start in range(0, len(samples), size):
        yield AudioBlock(samples=samples[start:start + size], sample_rate_hz=16_000,
                         stamp_ns=stamp_ns + start * 62_500)


def test_speed_blocks_and_the_time_of_recording_change_nothing(listener):
    once = listener.hear(blocks(1600))
    assert [one.kind for one in once] == ['transcript', 'alert', 'reply']
    for size, speed, stamp_ns in ((1600, 0.0, 0), (333, 1e6, 0), (6400, 1e5, 10 ** 18)):
        assert listener.hear(blocks(size, stamp_ns), speed) == once


@pytest.mark.parametrize(('speed', 'slept'), [(1.0, 4.0), (10.0, 0.4), (0.0, 0.0)])
def test_a_speed_is_kept(speed, slept):
    now = [100.0]

    def sleep(seconds):
        now[0] += seconds
    assert len(list(keep_pace(blocks(1600), speed, lambda: now[0], sleep))) == 40
    assert now[0] - 100.0 == pytest.approx(slept)


PASSES = """
def test_kitchen(audio_replay):
    assert len(audio_replay({recording!r}).matched) == 3
"""
FAILS = """
def test_kitchen(audio_replay):
    audio_replay({recording!r}, {other!r}, speed=1000.0)
def test_words(audio_replay):
    audio_replay({recording!r}, thruogh='nodes')
"""
CONFTEST = """
import importlib.util, sys
sys.path.insert(0, {root!r})
spec = importlib.util.spec_from_file_location('scripted_replay', {module!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
listener = module.OfflineListener(
    module.make_assistant, {{lane.name: lane.kind for lane in module.LANES}})
module.replay_sources.OfflineListener.load = lambda *_, **__: listener
"""


def test_the_fixture_passes_and_fails_as_the_command_does(recording, tmp_path):
    other = recording.with_name('other.yaml')
    other.write_text(EXPECTED.replace('glass_break', 'smoke_alarm'), encoding='utf-8')
    (tmp_path / 'conftest.py').write_text(CONFTEST.format(root=str(ROOT), module=__file__))
    (tmp_path / 'test_passes.py').write_text(PASSES.format(recording=str(recording)))
    (tmp_path / 'test_fails.py').write_text(FAILS.format(recording=str(recording),
                                                         other=str(other)))
    done = subprocess.run(
        [sys.executable, '-m', 'pytest', '-p', 'no:audio_interaction', '-p',
         'audio_interaction_ros.cli.pytest_plugin', '-p', 'no:cacheprovider', '-q',
         str(tmp_path)], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert '2 failed, 1 passed' in done.stdout, done.stdout + done.stderr
    assert 'MISSING  2.8 s alert smoke_alarm' in done.stdout
    assert 'expected words among through, config, model, profile, found thruogh' in done.stdout
