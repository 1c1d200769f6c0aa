"""Encoder and decoder in one process over real DDS, with scripted models."""

import os
import threading
import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import Bool, Empty, Int16MultiArray
from std_srvs.srv import SetBool, Trigger

from audio_interaction_msgs.msg import (
    Alert,
    AlertArray,
    AudioChunk,
    Decision,
    EncodedChunk,
    Reply,
    Transcript,
)
from audio_interaction_msgs.srv import AcknowledgeAlert, Cancel, SetPrompt
from audio_interaction_ros.config import OVERFLOW_POLICIES
from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.runtimes.base import Recognition

pytestmark = pytest.mark.ros


def held(robot, go_on):
    """Return a source of a runtime whose decoder computes nothing until the event is set."""
    made = robot.scripted(script={})()
    step = made.decoder.step

    def wait_and_step(requests):
        assert go_on.wait(120)
        return step(requests)
    made.decoder.step = wait_and_step
    return lambda _model: made


def books(encoder):
    return encoder._outlet.fifo.stats(time.monotonic())


def listen(robot, encoder, publisher):
    """Wait until the encoder hears what the publisher says, and a decoder is there."""
    robot.wait(lambda: publisher.get_subscription_count() > 0, 'encoder listens')
    robot.wait(lambda: encoder._input._subscriptions
               and encoder._input._subscriptions[0].get_publisher_count() > 0, 'it is heard')
    robot.wait(lambda: books(encoder).decoder_present, 'decoder offers credit')


def status(messages, name):
    for array in reversed(messages):
        for item in array.status:
            if item.name == name:
                return item
    return None


def says(messages, name, words):
    found = status(messages, name)
    return found is not None and words in found.message


def test_audio_becomes_transcript_reply_and_alert(robot):
    transcripts = robot.watch(Transcript, 'transcript', qos.EVENTS)
    replies = robot.watch(Reply, 'reply', qos.EVENTS)
    alerts = robot.watch(Alert, 'alerts', qos.EVENTS)
    active = robot.watch(AlertArray, 'alerts/active', qos.ALERTS_ACTIVE)
    events = robot.watch(Empty, 'alerts/event', qos.FINAL_TEXT)
    holds = robot.watch(Bool, 'alerts/hold', qos.FLAG)
    decisions = robot.watch(Decision, 'decisions', qos.DECISIONS)
    script = {0: {2: 'hello there'}, 2: {3: 'There is a smoke alarm!'}}
    robot.decoder(runtime=robot.scripted(script=script))
    encoder = robot.encoder()
    microphone = robot.microphone()
    listen(robot, encoder, microphone)
    robot.tell(microphone, encoder, 7)
    robot.wait(lambda: robot.finals(transcripts) and robot.finals(replies) and alerts, 'finals')
    assert robot.finals(transcripts) == ['hello there']
    assert [one.revision for one in transcripts] == list(range(len(transcripts)))
    assert transcripts[-1].header.frame_id == 'mic'
    assert transcripts[-1].source == 'streamed' and transcripts[-1].word_confidence > 0.9
    assert robot.finals(replies) == ['There is a smoke alarm!']
    assert replies[-1].emotion == Reply.URGENT
    assert alerts[0].label == 'smoke_alarm' and alerts[0].state == Alert.ACTIVE
    robot.wait(lambda: active and active[-1].any_unacknowledged, 'alerts/active')
    robot.wait(lambda: events and holds and holds[-1].data, 'alerts/event and alerts/hold')
    answer = robot.call(AcknowledgeAlert, 'alerts/acknowledge', id=alerts[0].id,
                        operator_name='me')
    assert answer.success
    robot.wait(lambda: not holds[-1].data, 'the hold is lifted')
    assert not robot.call(AcknowledgeAlert, 'alerts/clear', id='nobody').success
    assert robot.call(AcknowledgeAlert, 'alerts/clear', id='').success
    robot.wait(lambda: not active[-1].alerts, 'the alert is gone')
    robot.wait(lambda: len({one.seq for one in decisions}) >= 6, 'decisions')
    assert {one.lane for one in decisions} == {'transcript', 'translation', 'assistant'}


@pytest.mark.parametrize('overflow', OVERFLOW_POLICIES)
def test_a_slow_decoder_loses_no_chunk_uncounted(robot, overflow):
    settings = {'fifo.capacity': 3, 'fifo.overflow': overflow}
    go_on = threading.Event()
    decoder = robot.decoder(settings, runtime=held(robot, go_on))
    encoder = robot.encoder(settings)
    microphone = robot.microphone()
    listen(robot, encoder, microphone)
    for _ in range(10):
        robot.tell(microphone, encoder, 3, settle=False)
    robot.wait(lambda: books(encoder).offered >= 29, 'everything is encoded')
    go_on.set()
    robot.wait(lambda: encoder.idle and decoder.idle, 'everything is worked off')
    stats = books(encoder)
    assert stats.offered == stats.consumed + stats.dropped
    assert stats.dropped_overflow > 0 and stats.lost_in_flight == 0
    assert decoder._model.session.fifo.stats.consumed == stats.consumed
    assert decoder._model.session.fifo.stats.dropped == decoder._model.session.stats.missing == 0


def test_a_foreign_model_is_refused_and_said_so(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    decisions = robot.watch(Decision, 'decisions', qos.DECISIONS)
    robot.decoder(runtime=robot.scripted(script={}, model_id='one'))
    encoder = robot.encoder(runtime=robot.scripted(script={}, model_id='another'))
    microphone = robot.microphone()
    listen(robot, encoder, microphone)
    robot.speak(microphone, 3)
    robot.wait(lambda: says(diagnostics, 'decoder_node: decode', 'features of another'), 'refusal')
    assert not decisions


def test_a_new_epoch_starts_every_lane_anew(robot):
    transcripts = robot.watch(Transcript, 'transcript', qos.EVENTS)
    decoder = robot.decoder(runtime=robot.scripted(script={0: {1: 'once'}}))
    encoder = robot.encoder()
    microphone = robot.microphone()
    listen(robot, encoder, microphone)
    robot.tell(microphone, encoder, 5)
    robot.wait(lambda: robot.finals(transcripts) == ['once'], 'first epoch')
    encoder.trigger_deactivate()
    encoder.trigger_activate()
    listen(robot, encoder, microphone)
    robot.tell(microphone, encoder, 3)
    robot.wait(lambda: decoder._model.session.stats.resets == 1, 'reset')
    robot.wait(lambda: encoder.idle, 'worked off')
    stats = books(encoder)
    assert stats.offered == stats.consumed + stats.dropped


def test_set_listening_false_ends_capture_and_shows(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.decoder()
    encoder = robot.encoder()
    microphone = robot.microphone()
    listen(robot, encoder, microphone)
    assert robot.call(SetBool, 'encoder_node/set_listening', data=False).success
    robot.wait(lambda: microphone.get_subscription_count() == 0, 'nobody listens')
    robot.wait(lambda: says(diagnostics, 'encoder_node: audio input', 'muted'), 'mute shows')
    offered = books(encoder).offered
    robot.speak(microphone, 3)
    assert robot.call(SetBool, 'encoder_node/set_listening', data=True).success
    listen(robot, encoder, microphone)
    assert books(encoder).offered == offered
    robot.tell(microphone, encoder, 3)
    robot.wait(lambda: books(encoder).offered > offered, 'it listens again')


def test_nothing_is_written_unless_a_directory_is_named(robot, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    robot.decoder()
    encoder = robot.encoder({'record.directory': str(tmp_path / 'kept')})
    silent = robot.encoder({'record.directory': ''})
    microphone = robot.microphone()
    listen(robot, encoder, microphone)
    robot.tell(microphone, encoder, 4)
    robot.wait(lambda: books(encoder).offered >= 3, 'encoded')
    assert silent._recorder is None
    encoder.trigger_deactivate()
    encoder.trigger_cleanup()
    kept = [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob('*.wav')]
    assert len(kept) == 1 and kept[0].startswith('kept/audio-')
    everything = [path for path in tmp_path.rglob('*') if path.is_file()]
    assert len(everything) == 1


def test_recordings_are_deleted_while_running_also_when_inactive(robot, tmp_path):
    encoder = robot.encoder({'record.directory': str(tmp_path), 'record.retention_s': 1.0})
    robot.decoder()
    for number, prepare in enumerate((lambda: None, encoder.trigger_deactivate)):
        prepare()
        old, foreign = tmp_path / f'audio-{number}.wav', tmp_path / 'notes.wav'
        for path in (old, foreign):
            path.write_bytes(b'x')
            os.utime(path, (1, 1))
        robot.wait(lambda old=old: not old.exists(), 'the recording is deleted')
        assert foreign.exists()


def test_a_recording_that_fails_shows_and_the_robot_hears_on(robot, tmp_path):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.decoder()
    stick = tmp_path / 'stick'
    stick.write_text('in the way')  # from the start
    encoder = robot.encoder({'record.directory': str(stick / 'kept')})
    microphone = robot.microphone()
    listen(robot, encoder, microphone)
    robot.tell(microphone, encoder, 4)
    robot.wait(lambda: books(encoder).consumed >= 3, 'it hears')
    robot.wait(lambda: says(diagnostics, 'encoder_node: audio input', 'nothing is recorded'),
               'it shows')
    assert encoder._ears.restarts == 0 and encoder._recorder.lost >= 3


def test_replies_to_the_robots_own_voice_are_suppressed(robot):
    replies = robot.watch(Reply, 'reply', qos.EVENTS)
    alerts = robot.watch(Alert, 'alerts', qos.EVENTS)
    decisions = robot.watch(Decision, 'decisions', qos.DECISIONS)
    script = {1: {2: 'my own voice'}, 2: {2: 'a dog and a smoke alarm', 9: 'a person'}}
    decoder = robot.decoder(runtime=robot.scripted(script=script))
    encoder = robot.encoder({'audio.mute_holdoff_ms': 0.0})
    microphone = robot.microphone()
    speaking = robot.watcher.create_publisher(Bool, 'robot_speaking', qos.FLAG)
    listen(robot, encoder, microphone)
    robot.wait(lambda: speaking.get_subscription_count() > 0, 'robot_speaking is heard')
    speaking.publish(Bool(data=True))
    robot.wait(lambda: encoder._voice.speech.is_active(time.monotonic()), 'robot speaks')
    robot.tell(microphone, encoder, 5)
    robot.wait(lambda: books(encoder).consumed >= 4, 'heard')
    robot.wait(lambda: alerts, 'a critical alert all the same')
    assert [one.label for one in alerts] == ['smoke_alarm'] and decoder._health.replies == 0
    assert not any(one.respond for one in decisions)
    speaking.publish(Bool(data=False))
    robot.wait(lambda: not encoder._voice.speech.is_active(time.monotonic()), 'robot is silent')
    robot.tell(microphone, encoder, 8)
    robot.wait(lambda: robot.finals(replies), 'reply')
    assert robot.finals(replies) == ['a person']


def test_services_of_the_decoder_check_the_lane(robot):
    decoder = robot.decoder()
    robot.wait(lambda: decoder.ready, 'ready')
    assert robot.call(SetPrompt, 'decoder_node/set_prompt', lane='assistant', prompt='hi').success
    answer = robot.call(SetPrompt, 'decoder_node/set_prompt', lane='nobody', prompt='hi')
    assert not answer.success and 'assistant' in answer.message
    assert robot.call(Cancel, 'decoder_node/cancel', lane='').success
    assert not robot.call(Cancel, 'decoder_node/cancel', lane='nobody').success
    assert robot.call(Trigger, 'decoder_node/reset').success


def test_a_running_reply_can_be_cancelled(robot):
    replies = robot.watch(Reply, 'reply', qos.EVENTS)
    robot.decoder(runtime=robot.scripted(script={2: {1: 'x' * 90}}, step_s=0.05))
    encoder = robot.encoder()
    microphone = robot.microphone()
    listen(robot, encoder, microphone)
    robot.tell(microphone, encoder, 4, settle=False)
    robot.wait(lambda: replies, 'the reply begins')
    assert robot.call(Cancel, 'decoder_node/cancel', lane='assistant').success
    robot.wait(lambda: robot.finals(replies), 'the reply ends')
    assert replies[-1].finish_reason == 'cancel' and len(replies[-1].text) < 90


@pytest.mark.parametrize(('lane', 'kind', 'message_type'), [
    (0, 'transcript', Transcript), (2, 'reply', Reply)])
def test_a_running_reply_becomes_final_where_the_decoder_is_deactivated(
        robot, lane, kind, message_type):
    messages = robot.watch(message_type, kind, qos.EVENTS)
    decoder = robot.decoder(runtime=robot.scripted(script={lane: {1: 'x' * 90}}, step_s=0.05))
    encoder = robot.encoder()
    microphone = robot.microphone()
    listen(robot, encoder, microphone)
    robot.tell(microphone, encoder, 4, settle=False)
    robot.wait(lambda: messages, 'the reply begins')
    decoder.trigger_deactivate()
    robot.wait(lambda: robot.finals(messages), 'the reply ends')
    decoder.trigger_activate()
    robot.wait(lambda: decoder.idle, 'settled')
    assert len(robot.finals(messages)) == 1 and len(messages[-1].text) < 90
    assert [one.revision for one in messages] == list(range(len(messages)))
    if kind == 'reply':
        assert messages[-1].finish_reason == 'cancel' and not messages[-1].delta


class FakeWhisper:
    def transcribe(self, samples, languages=()):
        return Recognition(text=f'{len(samples)} samples', language='en')


class BrokenWhisper:
    def transcribe(self, samples, languages=()):
        raise RuntimeError('no')


@pytest.mark.parametrize(('whisper', 'expected'), [
    (FakeWhisper, ' samples'), (BrokenWhisper, 'draft')])
def test_a_second_pass_makes_transcripts_final(robot, whisper, expected):
    transcripts = robot.watch(Transcript, 'transcript', qos.EVENTS)
    settings = {'transcript.second_pass': 'whisper'}
    robot.decoder(settings, runtime=robot.scripted(script={0: {3: 'draft'}}))
    encoder = robot.encoder(settings, transcriber=lambda _settings: whisper())
    microphone = robot.microphone()
    listen(robot, encoder, microphone)
    robot.tell(microphone, encoder, 7)
    robot.wait(lambda: robot.finals(transcripts), 'final transcript')
    assert len(robot.finals(transcripts)) == 1 and robot.finals(transcripts)[0].endswith(expected)
    assert transcripts[-1].revision > max(one.revision for one in transcripts[:-1])


BAD_MESSAGES = {
    'zero length': (AudioChunk(encoding='s16le', sample_rate=16000, channels=1),
                    'whole, positive'),
    'eight bytes': (AudioChunk(encoding='s16le', sample_rate=16000, channels=1, frames=1600,
                               data=[0] * 8), '1600 frames'),
    'odd bytes': (AudioChunk(encoding='s16le', sample_rate=16000, channels=1, data=[0] * 7),
                  '2 bytes'),
    'no channels': (AudioChunk(encoding='s16le', sample_rate=16000, data=[0] * 8), 'channel'),
    'unknown encoding': (AudioChunk(encoding='opus', sample_rate=16000, channels=1), 's16le'),
    'zero rate': (AudioChunk(encoding='s16le', channels=1, frames=4, data=[0] * 8), 'rate'),
}


@pytest.mark.parametrize('name', BAD_MESSAGES)
def test_a_bad_message_is_named_and_the_node_lives(robot, name):
    message, words = BAD_MESSAGES[name]
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.decoder()
    encoder = robot.encoder()
    microphone = robot.microphone()
    listen(robot, encoder, microphone)
    microphone.publish(message)
    robot.wait(lambda: says(diagnostics, 'encoder_node: audio input', words), 'named')
    robot.tell(microphone, encoder, 4)
    robot.wait(lambda: books(encoder).consumed >= 3, 'the node lives')


def hear(robot, samples, *, times=1, rate=16000, stamps=None):
    """Publish float samples to a new pair of nodes; return the encoder's input statistics."""
    from audio_interaction_ros.audio.block import AudioBlock
    from audio_interaction_ros.nodes.io.audio_messages import audio_message
    robot.decoder()
    encoder = robot.encoder({'audio.silence_warning_s': 0.4})
    microphone = robot.microphone()
    listen(robot, encoder, microphone)
    for index in range(times):
        stamp = stamps[index] if stamps else 10 ** 12 + index * len(samples) * 10 ** 9 // rate
        microphone.publish(audio_message(
            AudioBlock(samples=samples, sample_rate_hz=rate, stamp_ns=stamp), seq=index,
            frame_id='mic'))
    robot.wait(lambda: books(encoder).consumed >= 2, 'chunks are consumed')
    return encoder


def test_nan_and_inf_are_replaced_and_counted(robot):
    samples = np.full(6400, 0.1, np.float32)
    samples[:3] = [np.nan, np.inf, -np.inf]
    encoder = hear(robot, samples, times=3)
    assert encoder._model.pipeline.frontend.stats.nonfinite_samples >= 6


def test_offset_and_clipping_show_in_diagnostics(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    hear(robot, np.tile(np.array([1.0, 0.0], np.float32), 3200), times=3)

    def value(key):
        return float(values(diagnostics, 'encoder_node: audio input').get(key, 0))
    robot.wait(lambda: value('dc_offset') > 0.4, 'offset')
    robot.wait(lambda: value('clipped_samples') > 0, 'clipping')


def test_digital_silence_is_named(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    hear(robot, np.zeros(6400, np.float32), times=4)
    robot.wait(lambda: says(diagnostics, 'encoder_node: audio input', 'right microphone'), 'named')


def test_stamps_that_go_backwards_are_counted(robot):
    second = 10 ** 9
    stamps = [start * second + chunk * 400_000_000
              for start, chunks in ((100, 2), (50, 6)) for chunk in range(chunks)]
    encoder = hear(robot, np.full(6400, 0.1, np.float32), times=len(stamps), stamps=stamps)
    robot.wait(lambda: encoder._model.pipeline.frontend.stats.backwards_stamps == 1, 'counted')


def test_a_format_change_mid_stream_is_followed(robot):
    robot.decoder()
    encoder = robot.encoder()
    microphone = robot.microphone()
    listen(robot, encoder, microphone)
    robot.tell(microphone, encoder, 3)
    robot.tell(microphone, encoder, 3, rate=48000, block=4800)
    robot.wait(lambda: books(encoder).consumed >= 4, 'both are heard')
    assert encoder._model.pipeline.frontend.stats.format_changes == 1


def test_unstamped_arrays_are_heard(robot):
    robot.decoder()
    encoder = robot.encoder()
    microphone = robot.microphone(Int16MultiArray)
    listen(robot, encoder, microphone)
    for _ in range(30):
        microphone.publish(Int16MultiArray(data=[100] * 1600))
    robot.wait(lambda: books(encoder).consumed >= 6, 'chunks')


def test_no_publisher_is_named(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.encoder()
    robot.wait(lambda: says(diagnostics, 'encoder_node: audio input', 'no publisher'), 'named')


def test_an_incompatible_publisher_is_named(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.watcher.create_publisher(EncodedChunk, 'encoded', qos.DECISIONS)
    robot.watcher.create_publisher(Bool, 'robot_speaking', qos.DECISIONS)
    robot.decoder()
    robot.encoder()
    for task in ('decoder_node: input', 'encoder_node: audio input'):
        robot.wait(lambda task=task: says(diagnostics, task, 'watcher has an incompatible QoS'),
                   f'named by {task}')


def values(messages, name):
    found = status(messages, name)
    return {item.key: item.value for item in found.values} if found else {}


def test_a_node_that_is_not_active_says_so(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.decoder({'autostart': False})
    encoder = robot.encoder({'autostart': False})
    for task in ('decoder_node: input', 'encoder_node: audio input'):
        robot.wait(lambda task=task: says(diagnostics, task, 'the node is unconfigured'), task)
    encoder.trigger_configure()
    robot.wait(lambda: says(diagnostics, 'encoder_node: audio input', 'the node is inactive'),
               'inactive')


def test_a_decoder_without_an_encoder_says_so(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.decoder()
    robot.wait(lambda: says(diagnostics, 'decoder_node: input', 'no encoder on /robot/encoded'),
               'named')
    robot.encoder()
    robot.wait(lambda: says(diagnostics, 'decoder_node: input', 'ok'), 'it is found')


def test_losses_show_in_diagnostics(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    settings = {'fifo.capacity': 2}
    go_on = threading.Event()
    robot.decoder(settings, runtime=held(robot, go_on))
    encoder = robot.encoder(settings)
    microphone = robot.microphone()
    listen(robot, encoder, microphone)
    robot.tell(microphone, encoder, 12, settle=False)
    robot.wait(lambda: says(diagnostics, 'encoder_node: fifo', 'dropped in the last 10 s'),
               'named')
    go_on.set()
    assert int(values(diagnostics, 'encoder_node: fifo')['dropped_overflow']) > 0
    encoder._worker._capacity = 0
    robot.speak(microphone, 1)
    robot.wait(lambda: says(diagnostics, 'encoder_node: audio input', 'encoder is too slow'),
               'blocks of audio too')


def test_how_near_a_lane_came_to_responding_shows(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.decoder({'lane.assistant.threshold': 0.9})
    encoder = robot.encoder()
    microphone = robot.microphone()
    listen(robot, encoder, microphone)
    robot.tell(microphone, encoder, 3)
    robot.wait(lambda: 'assistant.p_respond_max' in values(diagnostics, 'decoder_node: input'),
               'it shows')
    found = values(diagnostics, 'decoder_node: input')
    assert 0 <= float(found['assistant.p_respond_max']) < float(found['assistant.threshold'])
    assert found['assistant.threshold'] == '0.9'


def test_an_audio_publisher_of_another_type_is_named(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.microphone(Int16MultiArray)
    robot.encoder({'audio.msg_type': 'audio_interaction_msgs/msg/AudioChunk'})
    robot.decoder()
    robot.wait(lambda: says(diagnostics, 'encoder_node: audio input',
                            '/robot/watcher publishes std_msgs/msg/Int16MultiArray'), 'named')


def test_the_format_and_the_rate_of_the_audio_show(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.decoder()
    encoder = robot.encoder()
    microphone = robot.microphone()
    listen(robot, encoder, microphone)

    def value(key):
        robot.speak(microphone, 1, rate=48000, block=4800)
        return float(values(diagnostics, 'encoder_node: audio input').get(key, 0))
    robot.wait(lambda: value('messages_per_s') > 0, 'rate')
    robot.wait(lambda: (value('sample_rate_hz'), value('channels')) == (48000, 1), 'format')


def test_a_model_that_takes_long_to_load_says_for_how_long(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    go_on = threading.Event()

    def slow(_model):
        go_on.wait(60)
        return robot.scripted(script={})()
    encoder = robot.encoder(runtime=slow)
    robot.wait(lambda: says(diagnostics, 'encoder_node: model', 'loading the model for '),
               'it says so')
    assert says(diagnostics, 'encoder_node: audio input', 'not listening yet')
    go_on.set()
    robot.wait(lambda: encoder.ready, 'ready')


def test_no_hold_is_lifted_before_the_model_is_loaded(robot):
    holds = robot.watch(Bool, 'alerts/hold', qos.FLAG)
    active = robot.watch(AlertArray, 'alerts/active', qos.ALERTS_ACTIVE)
    go_on = threading.Event()

    def slow(_model):
        go_on.wait(60)
        return robot.scripted(script={})()
    robot.decoder(runtime=slow)
    robot.wait(lambda: len(active) >= 3, 'timers run')  # 2 Hz; the hold would have come at 5 Hz
    assert not holds
    go_on.set()
    robot.wait(lambda: holds and not holds[-1].data, 'nothing is held')


def test_the_robots_own_voice_shows(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.encoder()
    speaking = robot.watcher.create_publisher(Bool, 'robot_speaking', qos.FLAG)
    robot.wait(lambda: speaking.get_subscription_count() > 0, 'robot_speaking is heard')
    speaking.publish(Bool(data=True))
    robot.wait(lambda: says(diagnostics, 'encoder_node: audio input', 'the robot speaks'), 'named')


def test_the_printer_says_once_why_it_is_quiet(robot, capfd):
    from audio_interaction_ros.nodes.printer import PrinterNode
    robot.add(PrinterNode(grace_s=1.0, **robot.options()))
    robot.encoder()
    said = []

    def printed():
        said.append(capfd.readouterr().err)
        return 'no publisher on /robot/audio' in ''.join(said)
    robot.wait(printed, 'it says so')
    microphone = robot.microphone()
    robot.wait(lambda: microphone.get_subscription_count() > 0, 'somebody speaks')
    assert ''.join(said).count('no publisher on') == 1


def test_weights_that_do_not_load_leave_the_node_alive(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)

    def corrupt(_model):
        raise CheckpointError('expected sha256 abc, found def; download the file again')
    decoder = robot.decoder(runtime=corrupt)
    encoder = robot.encoder(runtime=corrupt)
    for node in ('decoder_node', 'encoder_node'):
        robot.wait(lambda node=node: says(diagnostics, f'{node}: model', 'sha256 abc'), 'named')
    robot.wait(lambda: decoder._worker is None and encoder._worker is None, 'cleaned up')
    decoder._runtime = encoder._runtime = robot.scripted(script={})
    decoder.autostart()
    encoder.autostart()
    listen(robot, encoder, robot.microphone())


@pytest.mark.parametrize(('key', 'value', 'words'), [
    ('fifo.capazity', 3, "unknown key 'fifo.capazity'"),
    ('fifo.overflow', 'explode', 'drop_oldest'),
    ('translation.to_english', 'nobody', 'whisper or model'),
    ('translation.source', 'words', 'transcript.second_pass: expected a reader of words'),
    ('fifo.capacity', 0, 'fifo.capacity')])
def test_a_wrong_parameter_is_named_and_the_node_lives(robot, key, value, words):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.decoder({key: value})
    robot.wait(lambda: says(diagnostics, 'decoder_node: model', words), 'named')


def test_two_robots_do_not_hear_each_other(robots):
    texts = []
    pairs = []
    for number in (1, 2):
        robot = robots(f'/robot{number}')
        texts.append(robot.watch(Transcript, 'transcript', qos.EVENTS))
        robot.decoder(runtime=robot.scripted(script={0: {1: f'robot {number}'}}))
        pairs.append((robot, robot.encoder(), robot.microphone()))
    for robot, encoder, microphone in pairs:
        listen(robot, encoder, microphone)
        robot.tell(microphone, encoder, 5)
    pairs[0][0].wait(lambda: all(robot.finals(one) for one in texts), 'both transcribe')
    assert [robot.finals(one) for one in texts] == [['robot 1'], ['robot 2']]
