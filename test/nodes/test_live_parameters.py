"""A parameter set at run time takes effect or is refused with the reason; nothing in between."""

import dataclasses
import os
import time

import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.parameter import Parameter
from stand_ins import FakeSound
from std_msgs.msg import Bool

from audio_interaction_msgs.msg import Alert, Decision, Reply
from audio_interaction_ros.nodes.audio_file_node import AudioFileNode
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.live_parameters import LIVE, UNUSED, logger_service
from audio_interaction_ros.nodes.lifecycle.parameters import is_ours
from audio_interaction_ros.nodes.microphone_node import MicrophoneNode

pytestmark = pytest.mark.ros

OTHER_TEXTS = {'fifo.overflow': 'merge_silence', 'fifo.drain': 'C', 'kind': 'transcript',
               'transcript.second_pass': 'whisper', 'translation.second_pass': 'whisper',
               'translation.to_english': 'model', 'model.rope_index_dtype': 'fp16_compat',
               'alerts.profile': 'workshop', 'alerts.evidence': 'model', 'alerts.language': 'zh',
               'reply.source': 'model', 'assistant.address': 'name', 'transcript.language': 'zh',
               'audio.while_speaking': 'alerts', 'audio.echo': 'webrtc',
               'translation.source': 'words', 'reply.dtype': 'int4',
               'transcript.reader': 'moonshine:folder', 'transcript.end': 'smart',
               'transcript.partials_reader': 'moonshine:folder',
               'direction.msg_type': 'std_msgs/msg/Float32'}


@pytest.fixture(autouse=True)
def thresholds(tmp_path, monkeypatch):
    """Let there be files of thresholds and of intents that may be named."""
    path = tmp_path / 'thresholds.yaml'
    path.write_text('format: audio-interaction-thresholds/1\nchosen: {}\n'
                    'thresholds: {dog_bark: 0.75}\n')
    monkeypatch.setitem(OTHER_TEXTS, 'alerts.thresholds', str(path))
    intents = tmp_path / 'intents.yaml'
    intents.write_text('intents: [{name: dance, en: [dance]}]\n')
    monkeypatch.setitem(OTHER_TEXTS, 'intents.file', str(intents))


def another(node, name):
    """Return a value that a parameter may have and has not."""
    value, descriptor = node.get_parameter(name).value, node.describe_parameter(name)
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        span = [*descriptor.integer_range, *descriptor.floating_point_range]
        low, high = (span[0].from_value, span[0].to_value) if span else (0, 1000)
        choices = [low, high, (low + high) / 2]
        return next(type(value)(one) for one in choices
                    if type(value)(one) != value and name.rpartition('.')[2] != 'slots'
                    and (one > 0 or 'release' not in name)) if 'slots' not in name else 256
    if isinstance(value, str):
        return OTHER_TEXTS.get(name, OTHER_TEXTS.get(name.rpartition('.')[2], 'another'))
    return list(value)[:1]


def in_config(config, name):
    """Return what a configuration says of a parameter."""
    group, _, rest = name.partition('.')
    if group == 'lane':
        lane, _, key = rest.partition('.')
        return getattr(next(one for one in config.lanes if one.name == lane), key)
    return getattr(getattr(config, group), rest)


def kind(name):
    return f'lane.{name.rpartition(".")[2]}' if name.startswith('lane.') else name


def change(node, name, value):
    return node.set_parameters([Parameter(name, value=value)])[0]


@pytest.mark.parametrize('role', ['encoder_node', 'decoder_node'])
@pytest.mark.parametrize('state', ['active', 'inactive'])
def test_every_parameter_takes_effect_or_is_refused_with_the_reason(robot, role, state):
    node = robot.encoder() if role == 'encoder_node' else robot.decoder()
    if state == 'inactive':
        node.trigger_deactivate()
    applied = []
    apply = node.apply
    node.apply = lambda config: (apply(config), applied.append(config))
    names = [name for name in node._parameters if is_ours(name) or name == 'autostart']
    taken = set()
    for name in names:
        before, value = node.get_parameter(name).value, another(node, name)
        applied.clear()
        answer = change(node, name, value)
        if answer.successful:
            taken.add(kind(name))
            assert in_config(node.config, name) == value == node.get_parameter(name).value, name
            assert applied == [node.config], name
        else:
            assert name in answer.reason, (name, answer.reason)
            assert node.get_parameter(name).value == before and not applied, name
    assert taken == LIVE[role]
    assert len(names) > len(taken)


@pytest.mark.parametrize('role', ['encoder_node', 'decoder_node'])
def test_before_configure_every_parameter_may_be_set_and_is_used(robot, role):
    make = robot.encoder if role == 'encoder_node' else robot.decoder
    node = make({'autostart': False})
    wanted = {name: another(node, name) for name in node._parameters
              if is_ours(name) and kind(name) not in UNUSED[role] and name != 'lanes'
              and not name.startswith(('record.', 'alerts.rules', 'model.slots', 'audio.msg'))}
    for name, value in wanted.items():
        answer = change(node, name, value)
        assert answer.successful, (name, answer.reason)
    for name in UNUSED[role]:
        assert 'does not use it' in change(node, name, another(node, name)).reason
    from audio_interaction_ros.nodes.lifecycle import parameters
    for name, value in wanted.items():
        assert in_config(parameters.read(node), name) == value


def test_what_a_file_may_not_say_is_refused_in_any_state(robot):
    for state in ('active', 'unconfigured'):
        decoder = robot.decoder({'autostart': state == 'active'})
        for name, value, words in (
                ('lane.assistant.release', 0.0, 'above 0'),
                ('lane.assistant.min_confidence', -0.5, '0 to 1, or -1'),
                ('lane.assistant.threshold', 1.5, 'range'),
                ('lane.assistant.threshold', 'high', 'type'),
                ('alerts.hold_min_severity', 4, 'range')):
            answer = change(decoder, name, value)
            assert not answer.successful and words in answer.reason, (name, answer.reason)
    # this one is unconfigured
    assert 'expected one of' in change(decoder, 'fifo.overflow', 'sometimes').reason
    assert 'no group lane.kitchen' in change(decoder, 'lanes', ['assistant', 'kitchen']).reason
    assert change(decoder, 'lanes', ['assistant']).successful


def test_a_name_that_nobody_declared_is_answered_with_the_nearest(robot):
    from rcl_interfaces.srv import SetParameters, SetParametersAtomically
    robot.decoder()
    for name, near in (('lane.asistant.threshold', 'lane.assistant.threshold'),
                       ('alerts.hold_severity', 'alerts.hold_min_severity')):
        wanted = [Parameter(name, value=0.5).to_parameter_msg()]
        for kind, words in ((SetParameters, 'set_parameters'),
                            (SetParametersAtomically, 'set_parameters_atomically')):
            answer = robot.call(kind, f'decoder_node/{words}', parameters=wanted)
            one = answer.results[0] if kind is SetParameters else answer.result
            assert not one.successful
            assert f'{name}: there is no such parameter' in one.reason
            assert f'the nearest is {near}' in one.reason, one.reason


def test_in_the_middle_of_a_transition_it_says_try_again(robot):
    decoder = robot.decoder({'autostart': False})
    answers = []
    set_up = decoder.set_up

    def look_and_set_up():
        answers.append(change(decoder, 'alerts.hold_min_severity', 0))
        set_up()
    decoder.set_up = look_and_set_up
    decoder.trigger_configure()
    assert not answers[0].successful and 'configuring now; try again' in answers[0].reason
    assert change(decoder, 'alerts.hold_min_severity', 0).successful


def test_a_set_of_changes_is_taken_as_a_whole_or_not_at_all(robot):
    decoder = robot.decoder()
    answer = decoder.set_parameters_atomically([
        Parameter('alerts.hold_min_severity', value=0), Parameter('model.path', value='other')])
    assert not answer.successful and 'deactivate and clean it up' in answer.reason
    assert decoder.config.alerts.hold_min_severity == 3
    assert decoder.boards.alerts._settings.hold_min_severity == 3


def start(robot, script, settings=None):
    decoder = robot.decoder(settings, runtime=robot.scripted(script=script))
    encoder, microphone = robot.encoder(), robot.microphone()
    robot.wait(lambda: microphone.get_subscription_count() > 0, 'encoder listens')
    robot.wait(lambda: encoder._input._subscriptions
               and encoder._input._subscriptions[0].get_publisher_count() > 0, 'it is heard')
    robot.wait(lambda: encoder._outlet.fifo.stats(time.monotonic()).decoder_present,
               'decoder is there')
    return decoder, encoder, microphone


def test_threshold_and_refractory_time_take_effect(robot):
    replies = robot.watch(Reply, 'reply', qos.EVENTS)
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    script = {2: {1: 'one', 4: 'two', 7: 'three', 11: 'four'}}
    decoder, encoder, microphone = start(robot, script)
    assert change(decoder, 'lane.assistant.threshold', 1.0).successful
    robot.tell(microphone, encoder, 3)  # one
    robot.wait(lambda: robot.values(diagnostics, 'decoder_node: input').get(
        'assistant.threshold') == '1', 'diagnostics show it')
    assert change(decoder, 'lane.assistant.threshold', 0.5).successful
    robot.tell(microphone, encoder, 3)  # two
    robot.wait(lambda: robot.finals(replies), 'a reply')
    # both ways it counts from the last reply
    assert change(decoder, 'lane.assistant.refractory_s', 60.0).successful
    robot.tell(microphone, encoder, 3)  # three
    assert change(decoder, 'lane.assistant.refractory_s', 0.4).successful
    robot.tell(microphone, encoder, 4)  # four
    robot.wait(lambda: len(robot.finals(replies)) == 2, 'another')
    assert robot.finals(replies) == ['two', 'four']


def test_zero_is_the_models_own_threshold_also_at_run_time(robot):
    decoder = robot.decoder({'lane.assistant.threshold': 0.9})
    robot.wait(lambda: decoder.ready, 'ready')
    assert decoder._health.thresholds['assistant'] == 0.9
    assert change(decoder, 'lane.assistant.threshold', 0.0).successful
    robot.wait(lambda: decoder._health.thresholds['assistant'] == 0.5, 'adjusted')


def test_min_confidence_takes_effect(robot):
    decisions = robot.watch(Decision, 'decisions', qos.DECISIONS)
    alerts = robot.watch(Alert, 'alerts', qos.EVENTS)
    made = robot.scripted(script={2: {1: 'a smoke alarm', 5: 'a smoke alarm'}})()
    speak = made.decoder._speak
    made.decoder._speak = lambda request: speak(request) * 0.2  # it doubts its words
    decoder, encoder, microphone = start(robot, {})
    decoder.trigger_deactivate()
    decoder.trigger_cleanup()
    decoder._runtime = lambda _model: made
    decoder.trigger_configure()
    # set while the model may still be loading
    assert change(decoder, 'lane.assistant.min_confidence', 0.5).successful
    decoder.trigger_activate()
    robot.wait(lambda: decoder.ready and 'assistant' in decoder._health.unsure, 'ready')
    robot.tell(microphone, encoder, 4)
    robot.wait(lambda: any(one.respond for one in decisions), 'decided')
    assert not alerts and decoder._health.unsure['assistant']._count == 1
    assert change(decoder, 'lane.assistant.min_confidence', -1.0).successful
    robot.tell(microphone, encoder, 4)
    robot.wait(lambda: alerts, 'an alert')


def test_severities_take_effect(robot):
    holds = robot.watch(Bool, 'alerts/hold', qos.FLAG)
    alerts = robot.watch(Alert, 'alerts', qos.EVENTS)
    decoder, encoder, microphone = start(robot, {2: {1: 'a dog barking'}})
    robot.tell(microphone, encoder, 3)
    robot.wait(lambda: alerts and holds, 'an alert')
    assert not holds[-1].data
    assert change(decoder, 'alerts.hold_min_severity', 0).successful
    robot.wait(lambda: holds[-1].data, 'it holds')
    assert change(decoder, 'alerts.while_speaking_min_severity', 4).successful
    assert decoder.boards.alerts._policy.settings.while_speaking_min_severity == 4


def test_the_encoder_takes_hold_off_retention_and_the_queues_settings(robot, tmp_path):
    encoder = robot.encoder({'record.directory': str(tmp_path), 'record.retention_s': 3.0})
    old = tmp_path / 'audio-1.wav'
    speech = encoder._voice.speech
    speech.set_speaking(True, 0.0)
    speech.set_speaking(False, 1.0)
    assert not speech.is_active(10.0)
    assert change(encoder, 'audio.mute_holdoff_ms', 60_000.0).successful
    assert speech.is_active(10.0)
    assert change(encoder, 'record.retention_s', 1e6).successful
    old.write_bytes(b'x')
    os.utime(old, (time.time() - 1000, time.time() - 1000))
    encoder._recorder._recordings.delete_old()
    assert old.exists()
    assert change(encoder, 'record.retention_s', 60.0).successful
    robot.wait(lambda: not old.exists(), 'deleted')
    for name, value in (('credit_timeout_s', 7.0), ('overflow', 'drop_newest')):
        assert change(encoder, f'fifo.{name}', value).successful
        assert getattr(encoder._outlet.fifo.settings, name) == value
    assert dataclasses.replace(encoder.config.fifo) == encoder._outlet.fifo.settings


def test_a_log_level_is_set_by_service(robot):
    if not logger_service():
        pytest.skip('this rclpy has no logger services')
    from rcl_interfaces.msg import LoggerLevel
    from rcl_interfaces.srv import SetLoggerLevels
    decoder = robot.decoder()
    name = decoder.get_logger().name
    try:
        answer = robot.call(SetLoggerLevels, 'decoder_node/set_logger_levels',
                            levels=[LoggerLevel(name=name, level=40)])
        assert answer.results[0].successful
        assert decoder.get_logger().get_effective_level() == 40
    finally:
        decoder.get_logger().set_level(20)


def test_a_microphone_opens_its_device_again_with_what_was_set(robot):
    library = FakeSound()
    node = robot.add(MicrophoneNode(library=library, **robot.options()))

    def opened(key):
        return len(library.streams) and library.streams[-1].options[key]
    for name, value, key, expected in (
            ('device', 'respeaker', 'device', 2), ('sample_rate_hz', 16000, 'samplerate', 16000),
            ('channels', 2, 'channels', 2), ('block_ms', 100, 'blocksize', 1600)):
        assert change(node, name, value).successful
        robot.wait(lambda key=key, expected=expected: opened(key) == expected, name)
    assert not any(one.active for one in library.streams[:-1])
    streams = len(library.streams)
    for name, value, words in (
            ('device', 'webcam', 'USB microphone'), ('channels', 0, '1 or more'),
            ('sample_rate_hz', -1, '0 or more'), ('block_ms', 0, '1 or more')):
        answer = change(node, name, value)
        assert not answer.successful and words in answer.reason, name
    assert not node.set_parameters([Parameter('device')])[0].successful  # taken away
    assert change(node, 'frame_id', 'left ear').successful
    from audio_interaction_msgs.msg import AudioChunk
    heard = robot.watch(AudioChunk, 'audio', qos.AUDIO_IN)
    robot.wait(lambda: node._publisher.get_subscription_count() > 0, 'somebody listens')

    def speak():
        library.streams[-1].options['callback'](np.ones((1600, 2), np.int16), 1600, None, None)
        return heard
    robot.wait(speak, 'it is heard')
    assert heard[0].header.frame_id == 'left ear' and len(library.streams) >= streams


def test_what_a_recording_is_played_with_is_read_only(robot):
    node = robot.add(AudioFileNode(**robot.options({'path': 'nowhere.wav'})))
    robot.wait(lambda: node.finished, 'it says that there is no file')
    for name in ('path', 'topic', 'pace', 'block_ms', 'tail_s', 'frame_id', 'wait_for_decoder',
                 'max_ahead'):
        answer = change(node, name, another(node, name))
        assert not answer.successful and 'read-only' in answer.reason
