"""A node that cannot work says why and is tried again; a fault in a lane costs that lane only."""

import inspect
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.parameter import Parameter

from audio_interaction_msgs.msg import Decision, FifoCredit
from audio_interaction_msgs.msg import EncodedChunk as EncodedChunkMessage
from audio_interaction_msgs.srv import SetPrompt
from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.nodes.io.chunk_messages import chunk_message
from audio_interaction_ros.nodes.io.stamps import stamp_ns
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.backoff import BackOff
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.nodes.lifecycle.worker import _MOST_COMMANDS
from audio_interaction_ros.runtimes.base import StepResult
from audio_interaction_ros.stream.chunk import EncodedChunk

pytestmark = pytest.mark.ros


class Stream:
    """Publishes chunks as an encoder would, and looks at what comes of them."""

    def __init__(self, robot):
        self.robot, self.seq = robot, 0
        self.publisher = robot.watcher.create_publisher(
            EncodedChunkMessage, 'encoded', qos.encoded_profile(32))
        self.decisions = robot.watch(Decision, 'decisions', qos.DECISIONS)
        self.credit = robot.watch(FifoCredit, 'encoded/credit', qos.CREDIT)
        self.diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)

    def ready(self, decoder):
        self.robot.wait(lambda: decoder.ready, 'the model is there')
        self.robot.wait(lambda: self.publisher.get_subscription_count() > 0, 'it listens')
        self.robot.wait(lambda: decoder.count_publishers('encoded') > 0, 'it is heard')
        self.robot.wait(lambda: decoder._decisions.get_subscription_count() > 0, 'decisions')

    def send(self, count=1, features=None):
        for _ in range(count):
            self.publisher.publish(chunk_message(EncodedChunk(
                features=np.zeros((2, 4), np.float32) if features is None else features,
                stamp_ns=self.seq * 400_000_000, epoch=5, seq=self.seq, model_id='scripted'),
                frame_id='mic'))
            self.seq += 1

    def tell(self, count=1, features=None):
        """Send chunks one by one, each when the one before was taken."""
        for _ in range(count):
            self.send(features=features)
            self.robot.wait(lambda: self.credit and (self.credit[-1].epoch == 5) and (
                self.credit[-1].consumed_seq >= self.seq), 'it is taken')

    def decided(self, lane):
        return [one.seq for one in self.decisions if one.lane == lane]

    def says(self, task, words):
        return any(words in status.message for array in self.diagnostics[-2:]
                   for status in array.status if status.name == f'decoder_node: {task}')


@pytest.fixture
def stream(robot):
    return Stream(robot)


def breaking(robot, wanted, **script):
    """Return a source of a runtime whose passes fail, or lie, where ``wanted`` says how."""
    made = robot.scripted(**(script or {'script': {}}))()
    step = made.decoder.step

    def step_or_break(requests):
        how = [wanted(request) for request in requests]
        if 'raise' in how:
            raise RuntimeError('device lost')
        return [StepResult(control_logits=result.control_logits * np.nan)
                if one == 'lie' else result for one, result in zip(how, step(requests),
                                                                   strict=True)]
    made.decoder.step = step_or_break
    return lambda _model: made


@pytest.mark.parametrize('how', ['raise', 'lie'])
def test_a_fault_in_a_step_resets_one_lane_and_shows(robot, stream, how):
    armed = []

    def wanted(request):
        if request.lane == 1 and len(request.feature_index) and armed:
            return armed[0]
        return ''
    decoder = robot.decoder(runtime=breaking(robot, wanted))
    stream.ready(decoder)
    stream.tell(2)
    armed.append(how)
    stream.tell(2)
    armed.clear()
    stream.tell(2)
    robot.wait(lambda: len(stream.decisions) == 16, 'all but two are decided')
    assert stream.decided('transcript') == stream.decided('assistant') == list(range(6))
    assert stream.decided('translation') == [0, 1, 4, 5]
    robot.wait(lambda: stream.says('decode', 'lane translation started anew after'), 'it shows')
    assert decoder.state == 'active' and decoder._progress.counts['faults'] == 2


@pytest.mark.parametrize('features', [
    np.zeros((3, 4), np.float32), np.full((2, 4), np.nan, np.float32)])
def test_a_bad_chunk_is_refused_at_the_door_and_the_next_is_heard(robot, stream, features):
    decoder = robot.decoder()
    stream.ready(decoder)
    stream.tell(1)
    stream.tell(1, features)
    stream.tell(1)
    robot.wait(lambda: stream.decided('assistant') == [0, 2], 'the others are decided')
    robot.wait(lambda: stream.says('decode', 'expected features'), 'it is named')
    assert decoder._health.refusals == 1 and decoder._progress.counts['faults'] == 0


def test_a_decoder_whose_every_step_fails_is_configured_again_until_it_works(
        robot, stream, monkeypatch):
    monkeypatch.setattr('audio_interaction_ros.nodes.lifecycle.backoff._FIRST_S', 0.05)
    lost = threading.Event()
    lost.set()
    decoder = robot.decoder(runtime=breaking(
        robot, lambda request: 'raise' if lost.is_set() and len(request.feature_index) else ''))
    for round_ in range(2):
        stream.ready(decoder)

        def gives_up(round_=round_):
            stream.send()
            return decoder.recovery.attempts.total > round_
        robot.wait(gives_up, 'it gives up')
        robot.wait(lambda: stream.says('model', 'device lost'), 'it says so')
    lost.clear()
    stream.ready(decoder)
    robot.wait(lambda: decoder.state == 'active', 'it is active again')

    def decides():
        stream.send()
        return stream.decisions
    robot.wait(decides, 'it decides')
    robot.wait(lambda: decoder.recovery.attempts.failures == 0, 'the failures are forgiven')
    assert decoder.recovery.attempts.total >= 2


def test_an_encoder_that_is_configured_again_says_what_it_lost(robot, monkeypatch):
    monkeypatch.setattr('audio_interaction_ros.nodes.lifecycle.backoff._FIRST_S', 0.05)
    broken, made = threading.Event(), robot.scripted(script={})()
    encode = made.encoder.encode

    def encode_or_break(mel):
        if broken.is_set():
            raise RuntimeError('device lost')
        return encode(mel)
    made.encoder.encode = encode_or_break
    encoded = robot.watch(EncodedChunkMessage, 'encoded', qos.encoded_profile(32))
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.decoder()
    encoder = robot.encoder(runtime=lambda _model: made)
    microphone = robot.microphone()

    def listens():
        robot.wait(lambda: microphone.get_subscription_count() > 0, 'it listens')
        robot.wait(lambda: encoder._input and encoder._input._subscriptions
                   and encoder._input._subscriptions[0].get_publisher_count() > 0, 'heard')
        robot.wait(lambda: encoder._outlet.fifo.decoder_present(time.monotonic()), 'credit')
    listens()
    robot.tell(microphone, encoder, 3)
    robot.wait(lambda: encoded, 'something is encoded')
    before, offered = encoded[-1], encoder._outlet.fifo.stats(0.0).offered
    broken.set()

    def gives_up():
        if encoder._input is not None:
            robot.speak(microphone)
        return encoder.recovery.attempts.total
    robot.wait(gives_up, 'it gives up')
    broken.clear()
    robot.wait(lambda: encoder.state == 'active' and encoder.ready
               and encoder._epoch > before.epoch, 'it is active again')
    listens()
    robot.tell(microphone, encoder, 3)
    robot.wait(lambda: encoded[-1].epoch > before.epoch, 'it is heard again')
    first = next(one for one in encoded if one.epoch > before.epoch)
    assert first.flags & EncodedChunkMessage.DISCONTINUITY
    apart_ns = stamp_ns(first.header.stamp) - stamp_ns(before.header.stamp)
    assert first.lost_samples_before == (apart_ns - 400_000_000) // 62_500 > 0
    robot.wait(lambda: encoder.idle, 'all is worked off')
    books = encoder._outlet.fifo.stats(0.0)
    assert books.offered == books.consumed + books.dropped > offered
    robot.wait(lambda: any('were not heard because of a fault' in status.message
                           for message in diagnostics[-1:] for status in message.status),
                   'it is said')


@pytest.mark.parametrize('name', ['encoder', 'decoder'])
def test_a_model_that_cannot_be_loaded_is_tried_again(robot, stream, monkeypatch, name):
    monkeypatch.setattr('audio_interaction_ros.nodes.lifecycle.backoff._FIRST_S', 0.05)
    asked = []

    def load(_model):
        asked.append(1)
        if len(asked) < 4:
            raise CheckpointError('no network')
        return robot.scripted(script={})()
    node = getattr(robot, name)(runtime=load)
    robot.wait(lambda: 'no network; next try in' in node.failure, 'it says when')
    robot.wait(lambda: node._model is not None and node.state == 'active', 'it works')
    assert len(asked) == 4 and node.failure == ''


def test_a_second_pass_that_cannot_be_loaded_is_tried_again(robot, monkeypatch):
    monkeypatch.setattr('audio_interaction_ros.nodes.lifecycle.backoff._FIRST_S', 0.05)
    asked = []

    def load(_name):
        asked.append(1)
        if len(asked) < 3:
            raise CheckpointError('no network')
        return object()
    encoder = robot.encoder({'transcript.second_pass': 'whisper'}, transcriber=load)
    robot.wait(lambda: len(asked) == 3 and encoder._second_pass.failure == '', 'it works')


def test_a_wrong_configuration_waits_for_another_parameter(robot, stream, monkeypatch):
    monkeypatch.setattr('audio_interaction_ros.nodes.lifecycle.backoff._FIRST_S', 0.05)
    asked = []

    def load(_model):
        asked.append(1)
        return robot.scripted(script={})()
    decoder = robot.decoder(runtime=load)
    robot.wait(lambda: decoder.ready, 'it works')
    for leave in (decoder.trigger_deactivate, decoder.trigger_cleanup):
        leave()
    decoder.set_parameters([Parameter('lane.assistant.max_reply_tokens', value=400)])
    asked.clear()
    decoder.autostart()
    robot.wait(lambda: 'lower lane.assistant.max_reply_tokens to 245' in decoder.failure
               and 'before a parameter is set' in decoder.failure, 'it says what to change')
    robot.wait(lambda: decoder.state == 'unconfigured', 'it waits')
    assert not decoder.recovery.is_hopeless
    ticks = len(stream.diagnostics)
    robot.wait(lambda: len(stream.diagnostics) >= ticks + 2, 'time passes')
    # it is counted, and makes nobody wait longer
    attempts = decoder.recovery.attempts
    assert len(asked) == 1 and attempts.total == 1 and attempts.failures == 0
    decoder.set_parameters([Parameter('lane.assistant.max_reply_tokens', value=96)])
    robot.wait(lambda: decoder.ready and decoder.state == 'active', 'it works')
    assert decoder.failure == '' and decoder.recovery.attempts.total == 1


def test_a_change_is_waited_for_until_it_can_be_read(robot):
    """Nothing calls after a change on every distribution; a try must not read the old value."""
    decoder = robot.decoder({'lane.assistant.max_reply_tokens': 400})
    robot.wait(lambda: decoder.recovery.is_hopeless, 'it cannot work')
    robot.wait(lambda: decoder.state == 'unconfigured', 'it fell back')
    with decoder.lock:  # the timer that recovers stands still
        accepted = decoder._on_set_parameters(
            [Parameter('lane.assistant.max_reply_tokens', value=96)])
        assert accepted.successful
        decoder.recovery._look()  # between the answer and the storing
        assert decoder.state == 'unconfigured' and not decoder.recovery.attempts.is_waiting
    decoder.set_parameters([Parameter('lane.assistant.max_reply_tokens', value=96)])
    robot.wait(lambda: decoder.ready and decoder.state == 'active', 'it works')


def test_no_callback_is_used_that_humble_does_not_have():
    source = Path(inspect.getfile(ManagedNode)).read_text(encoding='utf-8')
    assert 'add_post_set_parameters_callback' not in source


def test_a_parameter_file_that_is_gone_or_half_written_later_keeps_no_node_down(
        robot, tmp_path, monkeypatch):
    path = tmp_path / 'parameters.yaml'
    path.write_text('/**:\n  ros__parameters:\n    fifo: {capacity: 8}\n')
    monkeypatch.setattr(sys, 'argv', ['node', '--ros-args', '--params-file', str(path)])
    decoder = robot.decoder()
    robot.wait(lambda: decoder.ready, 'ready')
    for change in (lambda: path.write_text('/**:\n  ros__par'), path.unlink):
        change()
        decoder.trigger_deactivate()
        decoder.trigger_cleanup()
        decoder.autostart()
        robot.wait(lambda: decoder.ready and decoder.state == 'active', 'it works again')


def test_a_wrong_parameter_file_is_named_once_with_what_to_do(
        robot, tmp_path, monkeypatch, capfd):
    path = tmp_path / 'typo.yaml'
    path.write_text('/**:\n  ros__parameters:\n    model: {pth: here}\n')
    monkeypatch.setattr(sys, 'argv', ['node', '--ros-args', '--params-file', str(path)])
    decoder = robot.decoder()
    robot.wait(lambda: 'pth' in decoder.failure, 'it says so')
    assert f"{path}: model: unknown key 'pth'" in decoder.failure
    assert decoder.failure.endswith('; then start the node again')
    assert capfd.readouterr().err.count("unknown key 'pth'") == 1
    assert decoder.recovery.attempts.total == 1 and not decoder.recovery.attempts.is_waiting


def test_a_node_that_somebody_cleaned_up_stays_so(robot, monkeypatch):
    decoder = robot.decoder()
    robot.wait(lambda: decoder.ready, 'ready')
    decoder.trigger_deactivate()
    decoder.trigger_cleanup()
    decoder.recovery._look()
    assert decoder.state == 'unconfigured' and not decoder.recovery.attempts.is_waiting


def test_without_autostart_nobody_starts_the_node_again(robot, monkeypatch):
    def load(_model):
        raise CheckpointError('no network')
    decoder = robot.decoder({'autostart': False}, runtime=load)
    decoder.trigger_configure()
    robot.wait(lambda: 'no network' in decoder.failure, 'it says so')
    robot.wait(lambda: decoder.state == 'unconfigured', 'it falls back')
    assert not decoder.recovery.attempts.is_waiting and 'next try' not in decoder.failure


def test_set_prompt_answers_after_the_prompt_was_tried(robot, stream):
    decoder = robot.decoder({'lane.assistant.slots': 128})
    stream.ready(decoder)
    answer = robot.call(SetPrompt, 'decoder_node/set_prompt', lane='assistant', prompt='p' * 130)
    assert not answer.success
    for words in ('at most 21 tokens', 'lane.assistant.slots', 'found a prompt of 130'):
        assert words in answer.message
    stream.tell(1)
    assert robot.call(SetPrompt, 'decoder_node/set_prompt', lane='assistant',
                      prompt='p' * 21).success
    stream.tell(40)
    robot.wait(lambda: stream.decided('assistant')[-1:] == [40], 'it decides on')
    assert decoder._progress.counts['faults'] == 0 and decoder.state == 'active'


def test_set_prompt_says_that_the_model_is_being_loaded(robot):
    go_on = threading.Event()

    def slow(_model):
        assert go_on.wait(60)
        return robot.scripted(script={})()
    decoder = robot.decoder(runtime=slow)
    answer = robot.call(SetPrompt, 'decoder_node/set_prompt', lane='assistant', prompt='hi')
    go_on.set()
    assert not answer.success and 'being loaded' in answer.message
    robot.wait(lambda: decoder.ready, 'ready')


def test_commands_that_nobody_reads_are_refused_in_the_end(robot):
    go_on = threading.Event()

    def slow(_model):
        assert go_on.wait(60)
        return robot.scripted(script={})()
    decoder = robot.decoder(runtime=slow)
    taken = sum(decoder._commands._put(lambda _model, _emit: None) for _
                in range(5 * _MOST_COMMANDS))
    assert _MOST_COMMANDS <= taken < 3 * _MOST_COMMANDS
    go_on.set()
    robot.wait(lambda: decoder.ready, 'ready')


def test_the_wait_between_tries_doubles_up_to_a_minute():
    back_off = BackOff()
    assert [back_off.fail(100.0) for _ in range(8)] == [1, 2, 4, 8, 16, 32, 60, 60]
    assert back_off.is_waiting and not back_off.is_due(159.9) and back_off.is_due(160.0)
    back_off.stop_waiting()
    assert not back_off.is_due(1e9)
    back_off.succeed()
    back_off.try_now()
    assert back_off.is_due(-1e9) and back_off.failures == 0 and back_off.total == 8
    back_off.give_up()
    assert not back_off.is_waiting and back_off.failures == 0 and back_off.total == 9
    assert back_off.fail(0.0) == 1 and back_off.total == 10
