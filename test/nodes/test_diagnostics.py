"""What diagnostics say of nodes: why it is quiet, what is lost, what loads and what is wrong."""

import threading

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import Bool

from audio_interaction_msgs.msg import AlertArray, EncodedChunk
from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.nodes.lifecycle import qos

pytestmark = pytest.mark.ros


def test_no_publisher_is_named(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.encoder()
    robot.wait(lambda: robot.says(diagnostics, 'encoder_node: audio input', 'no publisher'),
               'named')


def test_an_incompatible_publisher_is_named(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.watcher.create_publisher(EncodedChunk, 'encoded', qos.DECISIONS)
    robot.watcher.create_publisher(Bool, 'robot_speaking', qos.DECISIONS)
    robot.decoder()
    robot.encoder()
    for task in ('decoder_node: input', 'encoder_node: audio input'):
        robot.wait(lambda task=task: robot.says(diagnostics, task,
                                                'watcher has an incompatible QoS'),
                   f'named by {task}')


def test_a_node_that_is_not_active_says_so(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.decoder({'autostart': False})
    encoder = robot.encoder({'autostart': False})
    for task in ('decoder_node: input', 'encoder_node: audio input'):
        robot.wait(lambda task=task: robot.says(diagnostics, task, 'the node is unconfigured'),
                   task)
    encoder.trigger_configure()
    robot.wait(lambda: robot.says(diagnostics, 'encoder_node: audio input',
                                  'the node is inactive'),
               'inactive')


def test_a_decoder_without_an_encoder_says_so(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.decoder()
    robot.wait(lambda: robot.says(diagnostics, 'decoder_node: input',
                                  'no encoder on /robot/encoded'),
               'named')
    robot.encoder()
    robot.wait(lambda: robot.says(diagnostics, 'decoder_node: input', 'ok'), 'it is found')


def test_losses_show_in_diagnostics(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    settings = {'fifo.capacity': 2}
    go_on = threading.Event()
    robot.decoder(settings, runtime=robot.held(go_on))
    encoder = robot.encoder(settings)
    microphone = robot.microphone()
    robot.listen(encoder, microphone)
    robot.tell(microphone, encoder, 12, settle=False)
    robot.wait(lambda: robot.says(diagnostics, 'encoder_node: fifo', 'dropped in the last 10 s'),
               'named')
    go_on.set()
    assert int(robot.values(diagnostics, 'encoder_node: fifo')['dropped_overflow']) > 0
    encoder._worker._capacity = 0
    robot.speak(microphone, 1)
    robot.wait(lambda: robot.says(diagnostics, 'encoder_node: audio input', 'encoder is too slow'),
               'blocks of audio too')


def test_how_near_a_lane_came_to_responding_shows(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.decoder({'lane.assistant.threshold': 0.9})
    encoder = robot.encoder()
    microphone = robot.microphone()
    robot.listen(encoder, microphone)
    robot.tell(microphone, encoder, 3)
    robot.wait(lambda: 'assistant.p_respond_max' in robot.values(diagnostics,
                                                                 'decoder_node: input'),
               'it shows')
    found = robot.values(diagnostics, 'decoder_node: input')
    assert 0 <= float(found['assistant.p_respond_max']) < float(found['assistant.threshold'])
    assert found['assistant.threshold'] == '0.9'


def test_a_model_that_takes_long_to_load_says_for_how_long(robot):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    go_on = threading.Event()

    def slow(_model):
        go_on.wait(60)
        return robot.scripted(script={})()
    encoder = robot.encoder(runtime=slow)
    robot.wait(lambda: robot.says(diagnostics, 'encoder_node: model', 'loading the model for '),
               'it says so')
    assert robot.says(diagnostics, 'encoder_node: audio input', 'not listening yet')
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
    robot.wait(lambda: robot.says(diagnostics, 'encoder_node: audio input', 'the robot speaks'),
               'named')


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
        robot.wait(lambda node=node: robot.says(diagnostics, f'{node}: model', 'sha256 abc'),
                   'named')
    robot.wait(lambda: decoder._worker is None and encoder._worker is None, 'cleaned up')
    decoder._runtime = encoder._runtime = robot.scripted(script={})
    decoder.autostart()
    encoder.autostart()
    robot.listen(encoder, robot.microphone())


@pytest.mark.parametrize(('key', 'value', 'words'), [
    ('fifo.capazity', 3, "unknown key 'fifo.capazity'"),
    ('fifo.overflow', 'explode', 'drop_oldest'),
    ('translation.to_english', 'nobody', 'whisper or model'),
    ('translation.source', 'words', 'transcript.second_pass: expected a reader of words'),
    ('fifo.capacity', 0, 'fifo.capacity')])
def test_a_wrong_parameter_is_named_and_the_node_lives(robot, key, value, words):
    diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
    robot.decoder({key: value})
    robot.wait(lambda: robot.says(diagnostics, 'decoder_node: model', words), 'named')
