"""What a process was started with and can never work ends it with a code, for who watches it."""

import pytest
from rclpy.parameter import Parameter

from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.nodes import assistant, audio_file_node, monitor_node
from audio_interaction_ros.nodes.decoder_node import DecoderNode
from audio_interaction_ros.nodes.encoder_node import EncoderNode
from audio_interaction_ros.nodes.lifecycle.spinning import run
from audio_interaction_ros.nodes.scripted_process import scripted
from audio_interaction_ros.nodes.speech_node import SpeechNode

pytestmark = pytest.mark.ros


def start(kind, *, autostart=True, done=lambda: False, **options):
    """Run one node as its command does; return the exit code."""
    told = {'autostart': autostart, **options.pop('told', {})}
    return run(lambda: [kind(parameter_overrides=[
        Parameter(name, value=value) for name, value in told.items()], **options)], [], done=done)


@pytest.mark.parametrize(('kind', 'told', 'reason'), [
    (EncoderNode, {'audio.treshold': 3}, 'audio.treshold'),
    (EncoderNode, {'model.path': './nowhere'}, "'./nowhere'"),
    (DecoderNode, {'lane.assistant.threshold': 4.0}, 'lane.assistant.threshold'),
    (DecoderNode, {'alerts.profile': 'castle'}, 'castle'),
    (SpeechNode, {'speech.engines': 'megaphone'}, 'megaphone')])
def test_a_node_that_cannot_work_as_it_was_started_ends_with_2(capfd, kind, told, reason):
    assert start(kind, told=told) == 2
    said = capfd.readouterr().err
    assert reason in said and '; then start the node again' in said


def test_what_is_found_when_the_model_is_there_ends_it_too(capfd):
    told = {'lane.assistant.max_reply_tokens': 400}
    assert start(DecoderNode, told=told, runtime=scripted) == 2
    assert 'lower lane.assistant.max_reply_tokens to 245' in capfd.readouterr().err


def test_what_may_come_is_waited_for(monkeypatch):
    monkeypatch.setattr('audio_interaction_ros.nodes.lifecycle.backoff._FIRST_S', 0.05)
    asked = []

    def load(_model):
        asked.append(1)
        raise CheckpointError('no network')
    assert start(EncoderNode, runtime=load, done=lambda: len(asked) > 2) == 0


def test_under_a_manager_a_node_stays(capfd):
    looks = []

    def done():
        looks.append(1)
        return len(looks) > 20
    assert start(EncoderNode, autostart=False, told={'audio.treshold': 3}, done=done) == 0


def test_the_assistant_ends_with_its_halves(capfd):
    words = ['--ros-args', '-p', 'model.path:=./nowhere']
    assert assistant.main(words) == 2
    assert "'./nowhere'" in capfd.readouterr().err


@pytest.mark.parametrize(('node', 'told', 'reason'), [
    (audio_file_node, 'path:=nowhere.wav', 'nowhere.wav'), (audio_file_node, 'pace:=warp', 'warp'),
    (monitor_node, 'monitor.host:=0.0.0.0', 'monitor.token'),
    (monitor_node, 'monitor.prot:=1', 'prot')])
def test_a_source_and_a_page_end_with_1(capfd, monkeypatch, node, told, reason):
    words = ['node', '--ros-args', '-p', told]
    monkeypatch.setattr('sys.argv', words)
    assert node.main(words) == 1
    assert reason in capfd.readouterr().err
