"""Encoder and decoder in one process over real DDS, with scripted models."""

import threading
import time

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import Bool, Empty
from std_srvs.srv import SetBool, Trigger

from audio_interaction_msgs.msg import Alert, AlertArray, Decision, Reply, Transcript
from audio_interaction_msgs.srv import AcknowledgeAlert, Cancel, SetPrompt
from audio_interaction_ros.config import OVERFLOW_POLICIES
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.runtimes.base import Recognition

pytestmark = pytest.mark.ros


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
    robot.listen(encoder, microphone)
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
    decoder = robot.decoder(settings, runtime=robot.held(go_on))
    encoder = robot.encoder(settings)
    microphone = robot.microphone()
    robot.listen(encoder, microphone)
    for _ in range(10):
        robot.tell(microphone, encoder, 3, settle=False)
    robot.wait(lambda: robot.books(encoder).offered >= 29, 'everything is encoded')
    go_on.set()
    robot.wait(lambda: encoder.idle and decoder.idle, 'everything is worked off')
    stats = robot.books(encoder)
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
    robot.listen(encoder, microphone)
    robot.speak(microphone, 3)
    robot.wait(lambda: robot.says(diagnostics, 'decoder_node: decode', 'features of another'),
               'refusal')
    assert not decisions


def test_a_new_epoch_starts_every_lane_anew(robot):
    transcripts = robot.watch(Transcript, 'transcript', qos.EVENTS)
    decoder = robot.decoder(runtime=robot.scripted(script={0: {1: 'once'}}))
    encoder = robot.encoder()
    microphone = robot.microphone()
    robot.listen(encoder, microphone)
    robot.tell(microphone, encoder, 5)
    robot.wait(lambda: robot.finals(transcripts) == ['once'], 'first epoch')
    encoder.trigger_deactivate()
    encoder.trigger_activate()
    robot.listen(encoder, microphone)
    robot.tell(microphone, encoder, 3)
    robot.wait(lambda: decoder._model.session.stats.resets == 1, 'reset')
    robot.wait(lambda: encoder.idle, 'worked off')
    stats = robot.books(encoder)
    assert stats.offered == stats.consumed + stats.dropped


def test_set_listening_false_ends_capture_and_shows(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.decoder()
    encoder = robot.encoder()
    microphone = robot.microphone()
    robot.listen(encoder, microphone)
    assert robot.call(SetBool, 'encoder_node/set_listening', data=False).success
    robot.wait(lambda: microphone.get_subscription_count() == 0, 'nobody listens')
    robot.wait(lambda: robot.says(diagnostics, 'encoder_node: audio input', 'muted'), 'mute shows')
    offered = robot.books(encoder).offered
    robot.speak(microphone, 3)
    assert robot.call(SetBool, 'encoder_node/set_listening', data=True).success
    robot.listen(encoder, microphone)
    assert robot.books(encoder).offered == offered
    robot.tell(microphone, encoder, 3)
    robot.wait(lambda: robot.books(encoder).offered > offered, 'it listens again')


def test_replies_to_the_robots_own_voice_are_suppressed(robot):
    replies = robot.watch(Reply, 'reply', qos.EVENTS)
    alerts = robot.watch(Alert, 'alerts', qos.EVENTS)
    decisions = robot.watch(Decision, 'decisions', qos.DECISIONS)
    script = {1: {2: 'my own voice'}, 2: {2: 'a dog and a smoke alarm', 9: 'a person'}}
    decoder = robot.decoder(runtime=robot.scripted(script=script))
    encoder = robot.encoder({'audio.mute_holdoff_ms': 0.0})
    microphone = robot.microphone()
    speaking = robot.watcher.create_publisher(Bool, 'robot_speaking', qos.FLAG)
    robot.listen(encoder, microphone)
    robot.wait(lambda: speaking.get_subscription_count() > 0, 'robot_speaking is heard')
    speaking.publish(Bool(data=True))
    robot.wait(lambda: encoder._voice.speech.is_active(time.monotonic()), 'robot speaks')
    robot.tell(microphone, encoder, 5)
    robot.wait(lambda: robot.books(encoder).consumed >= 4, 'heard')
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
    robot.listen(encoder, microphone)
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
    robot.listen(encoder, microphone)
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
    robot.listen(encoder, microphone)
    robot.tell(microphone, encoder, 7)
    robot.wait(lambda: robot.finals(transcripts), 'final transcript')
    assert len(robot.finals(transcripts)) == 1 and robot.finals(transcripts)[0].endswith(expected)
    assert transcripts[-1].revision > max(one.revision for one in transcripts[:-1])


def test_two_robots_do_not_hear_each_other(robots):
    texts = []
    pairs = []
    for number in (1, 2):
        robot = robots(f'/robot{number}')
        texts.append(robot.watch(Transcript, 'transcript', qos.EVENTS))
        robot.decoder(runtime=robot.scripted(script={0: {1: f'robot {number}'}}))
        pairs.append((robot, robot.encoder(), robot.microphone()))
    for robot, encoder, microphone in pairs:
        robot.listen(encoder, microphone)
        robot.tell(microphone, encoder, 5)
    pairs[0][0].wait(lambda: all(robot.finals(one) for one in texts), 'both transcribe')
    assert [robot.finals(one) for one in texts] == [['robot 1'], ['robot 2']]
