"""safety_events_node: what a robot is told of what is heard, and when nobody hears."""

import json

import pytest
import yaml
from diagnostic_msgs.msg import DiagnosticArray
from std_msgs.msg import Bool, Empty
from std_srvs.srv import Trigger

from audio_interaction_msgs.msg import Alert, AlertArray, Decision, Reply, SoundEvent
from audio_interaction_ros.nodes import safety_events_node
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.safety_events_node import SafetyEventsNode
from audio_interaction_ros.safety_events.rules_file import FORMAT

pytestmark = pytest.mark.ros

FILE = {
    'format': FORMAT,
    'outputs': {
        'motion': {'kind': 'lock', 'topic': 'motion_lock', 'rate_hz': 50},
        'help': {'kind': 'bool', 'topic': 'help', 'when_lost': 'release'},
        'alarm': {'kind': 'empty', 'topic': 'alarm'},
        'siren': {'kind': 'trigger', 'service': 'siren', 'timeout_s': 0.5},
        'health': {'kind': 'diagnostics', 'message': 'deaf', 'level': 'ERROR'}},
    'rules': {
        'alarm': {'alerts': ['any'], 'min_severity': 'CRITICAL',
                  'to': ['motion', 'alarm', 'siren']},
        'bell': {'sounds': ['doorbell'], 'to': ['help']},
        'stop': {'intents': ['stop'], 'hold_s': 600, 'to': ['motion']},
        'deaf': {'lost': True, 'to': ['health']}}}


class Guarded:
    """The node, somebody who plays the decoder, and all that the robot is told."""

    def __init__(self, robot, folder, **changes):
        self.robot = robot
        self.log = folder / 'events.jsonl'
        file = {**FILE, 'watch': {'decoder_silent_s': 600.0, 'deaf_s': 0},
                'log': {'file': str(self.log)}, **changes}
        (folder / 'safety.yaml').write_text(yaml.safe_dump(file), encoding='utf-8')
        self.lock = robot.watch(Bool, 'motion_lock', qos.FLAG)
        self.help = robot.watch(Bool, 'help', qos.ALERTS_ACTIVE)
        self.alarms = robot.watch(Empty, 'alarm', qos.FINAL_TEXT)
        self.reports = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)
        self.publishers = {topic: robot.watcher.create_publisher(kind, topic, profile)
                           for topic, kind, profile in (
            ('alerts/active', AlertArray, qos.ALERTS_ACTIVE), ('sounds', SoundEvent, qos.EVENTS),
            ('reply', Reply, qos.EVENTS), ('decisions', Decision, qos.DECISIONS))}
        self.node = robot.add(SafetyEventsNode(
            **robot.options({'rules_file': str(folder / 'safety.yaml')})))
        for topic, publisher in self.publishers.items():
            robot.wait(lambda publisher=publisher: publisher.get_subscription_count(),
                       f'{topic} is heard')

    def tell(self, topic, message):
        self.publishers[topic].publish(message)

    def alert(self, state=Alert.ACTIVE, severity=Alert.CRITICAL):
        self.tell('alerts/active', AlertArray(alerts=[Alert(
            id='a1', label='smoke_alarm', severity=severity, state=state)]))

    def raise_anew(self):
        self.until_lock(False, lambda: self.alert(Alert.ACKNOWLEDGED))
        self.until_lock(True, self.alert)

    def until_lock(self, value, keep=lambda: None):
        def told():
            keep()
            return self.lock and self.lock[-1].data is value
        self.robot.wait(told, f'the lock is {value}')

    def events(self):
        lines = self.log.read_text(encoding='utf-8').splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith('\n')]

    def happened(self):
        return [event for event in self.events() if event['event'] == 'happened']


@pytest.fixture
def guarded(robot, tmp_path):
    """Return a function that makes one, with changes to the file."""
    return lambda **changes: Guarded(robot, tmp_path, **changes)


def test_a_robot_stands_until_it_is_heard_and_at_each_alarm(guarded):
    one = guarded()
    one.until_lock(True)  # nothing was heard of a decoder yet
    hears = lambda: one.tell('alerts/active', AlertArray())  # noqa: E731
    one.until_lock(False, hears)
    one.until_lock(True, one.alert)
    one.robot.wait(lambda: one.alarms, 'the alarm is told')
    one.until_lock(False, lambda: one.alert(Alert.ACKNOWLEDGED))
    assert len(one.alarms) == 1
    one.tell('reply', Reply(is_final=True, intent='stop', intent_confidence=0.9))
    one.until_lock(True, hears)
    causes = [event['cause'] for event in one.events() if event['event'] == 'on']
    assert causes == ['nothing was heard of the decoder yet', 'alert smoke_alarm CRITICAL',
                      'intent stop 0.90']


def test_a_severity_and_a_state_that_are_unknown_here_count_as_the_worst(guarded):
    one = guarded()
    one.until_lock(False, lambda: one.tell('alerts/active', AlertArray()))
    one.until_lock(True, lambda: one.alert(state=9, severity=9))


def test_a_sound_is_a_flag_that_late_comers_get(guarded):
    one = guarded()
    hears = lambda: one.tell('alerts/active', AlertArray())  # noqa: E731
    one.until_lock(False, hears)
    one.tell('sounds', SoundEvent(sound='doorbell', state=SoundEvent.STARTED))
    one.robot.wait(lambda: one.help and one.help[-1].data, 'the bell is told')
    late = []
    one.robot.watcher.create_subscription(Bool, 'help', late.append, qos.ALERTS_ACTIVE)
    one.robot.wait(lambda: late and late[-1].data, 'a late comer gets it')
    one.tell('sounds', SoundEvent(sound='doorbell', state=SoundEvent.ENDED))
    one.robot.wait(lambda: not one.help[-1].data, 'its end is told')


def test_a_service_is_called_and_one_that_is_missing_or_refuses_is_told(guarded):
    one, calls = guarded(), []
    one.alert()
    one.robot.wait(lambda: one.node._outputs.calls['siren'].failed == 1, 'nobody is there')
    assert one.node._outputs.calls['siren'].failure == 'siren: no such service'

    def answer(_request, response):
        calls.append(1)
        response.success, response.message = len(calls) > 1, 'not now'
        return response
    one.robot.watcher.create_service(Trigger, 'siren', answer)
    one.raise_anew()
    one.robot.wait(lambda: one.node._outputs.calls['siren'].called == 2, 'it is called')
    assert one.node._outputs.calls['siren'].failure == 'siren: refused: not now'
    one.robot.wait(lambda: any('not now' in status.message for report in one.reports
                               for status in report.status), 'diagnostics say so')
    one.raise_anew()
    one.robot.wait(lambda: one.node._outputs.calls['siren'].called == 3, 'it is called again')
    assert not one.node._outputs.calls['siren'].failure and len(calls) == 2


def test_when_the_decoder_dies_the_robot_stands_and_diagnostics_say_why(guarded, robot):
    process = robot.process('decoder_node')
    one = guarded(watch={'decoder_silent_s': 1.0, 'deaf_s': 0})
    one.until_lock(False)
    process.kill()
    one.until_lock(True)
    one.robot.wait(lambda: any('busy or gone' in status.message and 'deaf' in status.message
                               for report in one.reports for status in report.status
                               if status.name == 'safety_events_node: rules'), 'it is told')
    assert 'busy or gone' in [
        event for event in one.events() if event['event'] == 'lost'][-1]['why']


def test_a_dry_run_tells_the_log_and_nobody_else(guarded):
    one = guarded(dry_run=True)
    one.alert()
    one.robot.wait(lambda: len(one.happened()) == 2, 'both are logged')
    assert {event['output'] for event in one.happened()} == {'alarm', 'siren'}
    assert all(event['dry_run'] for event in one.events())
    assert one.robot.watcher.count_publishers('/robot/motion_lock') == 0
    assert not one.lock and not one.alarms and not one.node._outputs.calls


@pytest.mark.parametrize('said', ['', 'shipped'])
def test_the_shipped_file_needs_no_path(robot, said):
    node = SafetyEventsNode(**robot.options({'rules_file': said, 'dry_run': True}))
    try:
        assert 'told_to_stop' in node._file.rules
    finally:
        node.destroy_node()


def test_a_wrong_file_ends_the_node_with_one_sentence(tmp_path, capfd):
    (tmp_path / 'wrong.yaml').write_text('format: nothing\nrules: {}\noutputs: {}\n')
    words = ['--ros-args', '-p', f'rules_file:={tmp_path / "wrong.yaml"}']
    assert safety_events_node.main(['safety_events_node', *words]) == 2
    said = capfd.readouterr().err
    assert said.startswith(f'error: {tmp_path / "wrong.yaml"}') and said.count('\n') == 1
