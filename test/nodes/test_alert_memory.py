"""An alert that waits for a person outlives the decoder; a bad disk harms nobody."""

import json
import os
import signal
import stat

import pytest
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.parameter import Parameter
from std_msgs.msg import Bool, Empty

from audio_interaction_msgs.msg import Alert, AlertArray, FifoCredit
from audio_interaction_msgs.srv import AcknowledgeAlert
from audio_interaction_ros.alerts.keeper import AlertKeeper, journal_path
from audio_interaction_ros.nodes.lifecycle import qos

pytestmark = pytest.mark.ros

SCRIPT = {2: {2: 'There is a smoke alarm!'}}


def raise_alarm(robot, decoder):
    """Return what is published of the alarm that the script raises."""
    seen = Seen(robot)
    encoder, microphone = robot.encoder(), robot.microphone()
    robot.listen(encoder, microphone, decoder=False)
    robot.wait(lambda: decoder.ready, 'loaded')
    robot.tell(microphone, encoder, 4)
    robot.wait(lambda: seen.alerts and seen.holds and seen.holds[-1].data, 'the alarm')
    return seen


class Seen:
    def __init__(self, robot):
        self.alerts = robot.watch(Alert, 'alerts', qos.EVENTS)
        self.active = robot.watch(AlertArray, 'alerts/active', qos.ALERTS_ACTIVE)
        self.events = robot.watch(Empty, 'alerts/event', qos.FINAL_TEXT)
        self.holds = robot.watch(Bool, 'alerts/hold', qos.FLAG)
        self.diagnostics = robot.watch(DiagnosticArray, 'diagnostics', qos.DIAGNOSTICS)

    def forget(self):
        for messages in vars(self).values():
            messages.clear()

    def alert_words(self):
        return [item.message for array in self.diagnostics for item in array.status
                if item.name == 'decoder_node: alerts']


def journal(home, robot):
    domain = robot.context.get_domain_id()
    return home / 'audio_interaction' / f'alerts-{domain}.{robot.namespace.strip("/")}.json'


def test_cleanup_and_configure_keep_an_alert_and_its_hold(robot):
    decoder = robot.decoder({'alerts.journal_s': 0.0}, runtime=robot.scripted(script=SCRIPT))
    seen = raise_alarm(robot, decoder)
    alert = seen.alerts[0]
    decoder.trigger_deactivate()
    decoder.trigger_cleanup()
    seen.forget()
    decoder.trigger_configure()
    decoder.trigger_activate()
    robot.wait(lambda: seen.active and seen.active[-1].any_unacknowledged and seen.holds,
               'it is open again')
    assert [one.id for one in seen.active[-1].alerts] == [alert.id]
    assert all(one.data for one in seen.holds)
    assert not seen.events and not seen.alerts
    assert seen.active[-1].alerts[0].header.frame_id == 'mic'
    assert robot.call(AcknowledgeAlert, 'alerts/acknowledge', id=alert.id,
                      operator_name='Ada').success
    robot.wait(lambda: not seen.holds[-1].data, 'the hold is lifted')
    again = robot.call(AcknowledgeAlert, 'alerts/acknowledge', id=alert.id, operator_name='Bob')
    assert again.success and again.message.startswith('already acknowledged by Ada at ')
    assert seen.alerts[-1].id == alert.id and seen.alerts[-1].state == Alert.ACKNOWLEDGED


def test_the_life_of_the_journal_is_set_while_an_alert_is_open(robot, home):
    decoder = robot.decoder({'alerts.journal_s': 0.0}, runtime=robot.scripted(script=SCRIPT))
    alert = raise_alarm(robot, decoder).alerts[0]
    path = journal(home, robot)
    assert not path.exists()
    assert decoder.set_parameters([Parameter('alerts.journal_s', value=60.0)])[0].successful
    robot.wait(lambda: path.exists() and alert.id in path.read_text(encoding='utf-8'), 'kept')
    assert decoder.set_parameters([Parameter('alerts.journal_s', value=0.0)])[0].successful
    path.unlink()
    assert robot.call(AcknowledgeAlert, 'alerts/acknowledge', id=alert.id).success
    assert decoder.set_parameters([Parameter('alerts.hold_min_severity', value=0)])[0].successful
    assert not path.exists() and decoder.boards.alerts._keeper.path is None


def test_kill_9_keeps_an_alert_and_its_hold(robot, home):
    offers = robot.watch(FifoCredit, 'encoded/credit', qos.CREDIT)
    seen = Seen(robot)
    encoder, microphone = robot.encoder(), robot.microphone()
    victim = robot.process('decoder_node', SCRIPT=json.dumps(SCRIPT))
    robot.listen(encoder, microphone, decoder=False)
    robot.wait(lambda: offers, 'a decoder offers credit')
    robot.tell(microphone, encoder, 4)
    robot.wait(lambda: seen.alerts, 'the alarm')
    robot.wait(lambda: journal(home, robot).exists(), 'it is written down')
    victim.send_signal(signal.SIGKILL)
    victim.wait()
    seen.forget()
    robot.process('decoder_node', LOAD_S='2')
    robot.wait(lambda: seen.active and seen.holds, 'it speaks again')
    # at once, while the model loads: nobody needs ears to know of it
    assert seen.holds[0].data and seen.active[0].any_unacknowledged
    assert [one.label for one in seen.active[-1].alerts] == ['smoke_alarm']
    assert not seen.events and not seen.alerts
    alert_id = seen.active[-1].alerts[0].id
    assert robot.call(AcknowledgeAlert, 'alerts/acknowledge', id=alert_id).success
    assert robot.call(AcknowledgeAlert, 'alerts/clear', id=alert_id).success
    robot.wait(lambda: not journal(home, robot).exists(), 'nothing is left of it')


def test_the_journal_is_for_its_owner_only_and_says_what_it_holds(robot, home):
    decoder = robot.decoder(runtime=robot.scripted(script=SCRIPT))
    raise_alarm(robot, decoder)
    path = journal(home, robot)
    robot.wait(path.exists, 'written')
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one['message'] for one in json.loads(path.read_text())['alerts']] == [
        'There is a smoke alarm!']


@pytest.mark.parametrize('content', [b'', b'\xff\xfe', b'[[[[', b'{"format": "another"}',
                                     b'{"format": "audio_interaction_ros alerts", "version": 9}'])
def test_a_journal_that_nobody_can_read_is_named_and_the_node_works(robot, home, content):
    path = journal(home, robot)
    path.parent.mkdir()
    path.write_bytes(content)
    decoder = robot.decoder(runtime=robot.scripted(script=SCRIPT))
    seen = Seen(robot)
    robot.wait(lambda: any('alerts from before the start are not known' in words
                           for words in seen.alert_words()), 'named')
    assert path.with_suffix('.unread').read_bytes() == content
    raise_alarm(robot, decoder)


def test_a_home_that_cannot_be_written_is_named_and_alerts_are_raised(robot, home):
    (home / 'audio_interaction').write_text('in the way')
    decoder = robot.decoder(runtime=robot.scripted(script=SCRIPT))
    seen = raise_alarm(robot, decoder)
    robot.wait(lambda: any('would not survive a restart' in words
                           for words in seen.alert_words()), 'named')


def test_without_a_home_the_node_says_so(monkeypatch):
    monkeypatch.delenv('ROS_HOME')
    monkeypatch.delenv('HOME')
    monkeypatch.setattr('pwd.getpwuid', {}.__getitem__)
    keeper = AlertKeeper(place=lambda: journal_path('/robot', 0), lifetime_s=60.0)
    assert 'set ROS_HOME' in keeper.failure and not keeper.recall().alerts
    keeper.close()


def test_an_old_journal_is_forgotten_and_said_so(robot, home):
    decoder = robot.decoder(runtime=robot.scripted(script=SCRIPT))
    seen = raise_alarm(robot, decoder)
    path = journal(home, robot)
    robot.wait(path.exists, 'written')
    document = json.loads(path.read_text())
    decoder.release()
    path.write_text(json.dumps({**document, 'saved_s': document['saved_s'] - 90_000}))
    seen.forget()
    robot.decoder()
    robot.wait(lambda: any('older than alerts.journal_s' in words
                           for words in seen.alert_words()), 'named')
    robot.wait(lambda: seen.active and not seen.active[-1].alerts, 'forgotten')


def test_each_namespace_and_domain_has_a_file_of_its_own(monkeypatch):
    monkeypatch.setenv('ROS_HOME', '/ros')
    places = [journal_path(*of) for of in (('/', 0), ('/a', 0), ('/a/b', 0), ('/a', 7))]
    assert len(set(places)) == 4
    assert {os.path.dirname(place) for place in places} == {'/ros/audio_interaction'}
