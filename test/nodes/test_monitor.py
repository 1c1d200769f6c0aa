"""monitor_node over DDS: what it tells of what others publish, and whom it asks to acknowledge."""

import asyncio
import json
import sys
import types

import numpy as np
import pytest

pytest.importorskip('aiohttp', reason='aiohttp is not installed: pip install -r '
                                      'requirements/monitor.txt')

import aiohttp
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from std_srvs.srv import SetBool

from audio_interaction_msgs.msg import (
    Alert,
    AlertArray,
    Decision,
    Reply,
    SoundEvent,
    SoundScores,
    Transcript,
)
from audio_interaction_msgs.srv import AcknowledgeAlert
from audio_interaction_ros.nodes.foxglove_audio_node import FoxgloveAudioNode, raw_audio_message
from audio_interaction_ros.nodes.hri_node import HriNode, live_speech
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.monitor_node import MonitorNode
from audio_interaction_ros.nodes.monitoring.reasons import Reasons

pytestmark = pytest.mark.ros


@pytest.fixture
def monitor(robot):
    """Return a monitor of the robot on a free port."""
    node = robot.add(MonitorNode(**robot.options({'monitor.port': 0})))
    assert not node.failure
    return node


def known(node):
    """Return what a page that joins now is told, by kind."""
    told = {}
    for kind, event in node.hub._board.list_events():
        told.setdefault(kind, []).append(event)
    return told


def test_whatever_is_published_is_told_once_and_to_those_who_come_later(robot, monitor):
    for kind, topic, profile, messages in (
            (Transcript, 'transcript', qos.EVENTS, [
                Transcript(utterance_id='u', text='Please br', stable_length=6, source='partial'),
                Transcript(utterance_id='u', text='Please bring', is_final=True, language='en')]),
            (Reply, 'reply', qos.EVENTS, [Reply(
                reply_id='r', text='Yes.', is_final=True, intent='bring',
                slot_names=['object'], slot_values=['water'])]),
            (Decision, 'decisions', qos.DECISIONS, [Decision(
                lane='assistant', p_respond=0.25, decision_latency_s=float('nan'))]),
            (SoundScores, 'sounds/scores', qos.DECISIONS, [SoundScores(
                sounds=['bark'], scores=[0.5], thresholds=[0.75])]),
            (SoundEvent, 'sounds', qos.EVENTS, [SoundEvent(
                sound='bark', score=0.875, threshold=0.75, bearing=1.5)]),
            (AlertArray, 'alerts/active', qos.ALERTS_ACTIVE, [AlertArray(alerts=[Alert(
                id='a', label='dog', severity=Alert.WARN, bearing=float('nan'))])] * 2)):
        publisher = robot.watcher.create_publisher(kind, topic, profile)
        robot.wait(lambda it=publisher: it.get_subscription_count() > 0, f'{topic} is watched')
        for message in messages:
            publisher.publish(message)
    robot.wait(lambda: {'text', 'decision', 'scores', 'sound', 'alerts'} <= set(known(monitor))
               and len(known(monitor)['text']) == 2
               and all(one['final'] for one in known(monitor)['text']), 'all is told')
    told = known(monitor)
    json.dumps(told, allow_nan=False)
    answer, heard = sorted(told['text'], key=lambda one: one['kind'])
    assert (heard['text'], heard['language']) == ('Please bring', 'en')
    assert (answer['intent'], answer['slots']) == ('bring', [['object', 'water']])
    assert (told['decision'][0]['p'], told['decision'][0]['latency']) == (0.25, None)
    assert told['scores'][0]['rows'] == [['bark', 0.5, 0.75]]
    assert told['sound'][0]['began'] and told['sound'][0]['bearing'] == 1.5
    alert, = told['alerts'][0]['open']
    assert (alert['severity'], alert['state'], alert['bearing']) == ('WARN', 'active', None)


def test_audio_becomes_an_outline_and_is_not_listened_to_while_the_encoder_is_muted(
        robot, monitor):
    microphone = robot.microphone()
    robot.wait(lambda: monitor._input._subscriptions and microphone.get_subscription_count(),
               'it listens')
    robot.speak(microphone, 2)
    robot.wait(lambda: len(known(monitor).get('outline', [])) >= 8, 'outlines')
    piece = known(monitor)['outline'][0]
    assert set(piece) == {'start', 'pairs', 'rms'} and len(piece['pairs']) == 10
    robot.encoder()
    robot.call(SetBool, 'encoder_node/set_listening', data=False)
    robot.wait(lambda: not monitor._input.is_open, 'it stops listening too')
    robot.call(SetBool, 'encoder_node/set_listening', data=True)
    robot.wait(lambda: monitor._input.is_open, 'and listens again')


def test_the_page_acknowledges_by_the_service_of_the_decoder(robot, monitor):
    asked = []

    def answer(request, response):
        asked.append(request)
        response.success, response.message = True, 'acknowledged a'
        return response

    async def press(alert_id):
        async with aiohttp.ClientSession() as session, session.ws_connect(
                f'{monitor.address}watch',
                headers={'Origin': monitor.address.rstrip('/')}) as watching:
            await watching.send_json({'do': 'acknowledge', 'what': alert_id})
            async for message in watching:
                for kind, told in json.loads(message.data):
                    if kind == 'answer':
                        return told
        return None
    told = asyncio.run(press('a'))
    assert not told['done'] and 'is it running?' in told['message']
    robot.watcher.create_service(AcknowledgeAlert, 'alerts/acknowledge', answer)
    robot.wait(lambda: robot.watcher.count_clients(f'{robot.namespace}/alerts/acknowledge'),
               'a client')
    client = next(iter(monitor.clients))
    robot.wait(client.service_is_ready, 'the service is found')
    assert asyncio.run(press('a')) == {'id': 'a', 'done': True, 'message': 'acknowledged a'}
    assert [(one.id, one.operator_name) for one in asked] == [('a', 'page')]


def test_what_cannot_be_served_is_said(robot):
    for settings, reason in (({'monitor.host': '0.0.0.0'}, 'monitor.token'),
                             ({'monitor.token': 'short'}, '16 characters'),
                             ({'monitor.prot': 1}, 'monitor.prot')):
        node = robot.add(MonitorNode(**robot.options(settings)))
        assert reason in node.failure and not node.address


def test_the_assistant_starts_it_in_a_process_of_its_own_and_ends_it(robot):
    from audio_interaction_ros.nodes.halves import MonitorProcess
    process = MonitorProcess(['--ros-args', '-r', f'__ns:={robot.namespace}',
                              '-p', 'monitor.port:=0'])
    try:
        robot.wait(lambda: robot.sees('monitor_node'), 'it runs')
    finally:
        process.close()
    assert process._process.returncode == 0


def test_the_assistant_says_at_once_what_the_page_lacks(monkeypatch, capsys):
    from audio_interaction_ros.nodes import assistant
    monkeypatch.setitem(sys.modules, 'aiohttp', None)
    monkeypatch.delitem(sys.modules, 'audio_interaction_ros.monitor.server', raising=False)
    monkeypatch.delattr('audio_interaction_ros.monitor.server', raising=False)
    assert assistant.main(['--monitor']) == 1
    assert "pip install 'aiohttp>=3.10,<4'" in capsys.readouterr().err


def diagnostics(name='encoder_node: fifo', level=b'\x00', message='ok', **values):
    return DiagnosticArray(status=[DiagnosticStatus(
        name=name, level=level, message=message,
        values=[KeyValue(key=key, value=value) for key, value in values.items()])])


def test_reasons_are_told_when_they_change_and_a_node_that_falls_silent_is_one():
    told, now = [], [0.0]
    reasons = Reasons(lambda kind, event: told.append((kind, event)), clock=lambda: now[0])
    reasons.hear(diagnostics(pending='2', in_flight='3', dropped_overflow='4',
                             lost_in_flight='1'))
    reasons.hear(diagnostics(pending='2', in_flight='3', dropped_overflow='4',
                             lost_in_flight='1'))
    reasons.hear(diagnostics('decoder_node: input', level=b'\x01', message='no encoder',
                             **{'assistant.threshold': '0.75', 'lost_samples': 'nan'}))
    assert told == [
        ('status', {'key': 'encoder_node: fifo', 'level': 0, 'message': 'ok'}),
        ('status', {'key': 'decoder_node: input', 'level': 1, 'message': 'no encoder'}),
        ('lane', {'key': 'assistant', 'threshold': 0.75})]
    counted = reasons.count()
    assert (counted['waiting'], counted['dropped'], counted['lost_s']) == (5, 5, None)
    now[0] = 7.0
    reasons.watch()
    assert {event['key'] for _, event in told[3:] if event['level'] == 2} == {
        'encoder_node: silent', 'decoder_node: silent'}
    reasons.hear(diagnostics())
    reasons.watch()
    assert told[-1][1] == {'key': 'encoder_node: silent', 'level': 0, 'message': 'ok'}


def record(**fields):
    return types.SimpleNamespace(**fields)


def test_foxglove_gets_16_bits_of_every_channel():
    from audio_interaction_ros.audio.block import AudioBlock
    samples = np.array([[0.5, -0.5], [2.0, np.nan]], np.float32)
    message = raw_audio_message(record, AudioBlock(
        samples=samples, sample_rate_hz=48_000, stamp_ns=1_500_000_000))
    assert (message.format, message.sample_rate, message.number_of_channels) == (
        'pcm-s16', 48_000, 2)
    assert np.frombuffer(message.data, '<i2').tolist() == [16383, -16383, 32767, 0]
    assert (message.timestamp.sec, message.timestamp.nanosec) == (1, 500_000_000)


@pytest.mark.parametrize('field', ['locale', 'language'])
def test_live_speech_grows_and_becomes_final(field):
    def kind(**fields):
        return record(incremental='', final='', confidence=0.0, **{field: ''}, **fields)
    growing = live_speech(kind, Transcript(text='Please', language='en'))
    assert (growing.incremental, growing.final, getattr(growing, field)) == ('Please', '', 'en')
    final = live_speech(kind, Transcript(text='Please.', is_final=True, word_confidence=0.75))
    assert (final.incremental, final.final, final.confidence) == ('', 'Please.', 0.75)
    assert live_speech(kind, Transcript(
        text='x', is_final=True, word_confidence=float('nan'))).confidence == 0.0


@pytest.mark.parametrize(('node', 'package'), [
    (FoxgloveAudioNode, 'foxglove_msgs'), (HriNode, 'hri_msgs')])
def test_a_missing_package_is_named_and_how_to_get_it(robot, monkeypatch, node, package):
    monkeypatch.setitem(sys.modules, f'{package}.msg', None)
    made = robot.add(node(**robot.options()))
    assert f'apt install ros-$ROS_DISTRO-{package.replace("_", "-")}' in made.failure


def test_the_audio_of_foxglove_where_its_package_is_installed(robot):
    kind = pytest.importorskip('foxglove_msgs.msg', reason='foxglove_msgs is not installed')
    robot.add(FoxgloveAudioNode(**robot.options()))
    seen = robot.watch(kind.RawAudio, 'audio/foxglove', qos.AUDIO_OUT)
    microphone = robot.microphone()
    robot.wait(lambda: microphone.get_subscription_count() > 0, 'it listens')
    robot.wait(lambda: robot.watcher.count_publishers(f'{robot.namespace}/audio/foxglove'),
               'it is there')
    robot.speak(microphone, 1)
    robot.wait(lambda: seen, 'audio')
    assert seen[0].sample_rate == 16_000 and len(seen[0].data) == 3200


def test_a_voice_of_rep_155_where_its_package_is_installed(robot):
    kind = pytest.importorskip('hri_msgs.msg', reason='hri_msgs is not installed')
    robot.add(HriNode(**robot.options({'voices': 'humans/voices'})))
    speech = robot.watch(kind.LiveSpeech, 'humans/voices/ears/speech', qos.EVENTS)
    tracked = robot.watch(kind.IdsList, 'humans/voices/tracked', qos.FINAL_TEXT)
    publisher = robot.watcher.create_publisher(Transcript, 'transcript', qos.EVENTS)
    robot.wait(lambda: publisher.get_subscription_count() > 0 and tracked, 'it is there')
    publisher.publish(Transcript(text='Hello', language='en'))
    publisher.publish(Transcript(text='Hello.', language='en', is_final=True))
    robot.wait(lambda: len(speech) == 2, 'speech')
    assert (speech[0].incremental, speech[1].final) == ('Hello', 'Hello.')
    assert list(tracked[0].ids) == ['ears']
