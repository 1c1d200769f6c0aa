"""Rules of safety events: what is on, what happens once, and what is so while nothing is heard."""

import json
import shutil
from pathlib import Path

import pytest

from audio_interaction_ros.alerts.alert import AlertState, Severity
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.resources import shipped_path
from audio_interaction_ros.safety_events.event_log import EventLog
from audio_interaction_ros.safety_events.machine import OpenAlert, SafetyMachine
from audio_interaction_ros.safety_events.rules_file import (
    FORMAT,
    EventLogSettings,
    Output,
    Rule,
    SafetyEventsFile,
    Watch,
    read_safety_events,
)

pytestmark = pytest.mark.unit

LOCK = Output(kind='lock', topic='lock')
BELL = Output(kind='empty', topic='bell')
SMOKE = OpenAlert(id='a1', label='smoke_alarm', severity=Severity.CRITICAL,
                  state=AlertState.ACTIVE)


class Robot:
    """A machine whose decoder is there and hears, unless told otherwise, and its clock."""

    def __init__(self, outputs=None, watch=Watch(), hears=True, **rules):  # noqa: B008
        self.machine = SafetyMachine(SafetyEventsFile(
            format=FORMAT, outputs=outputs or {'lock': LOCK, 'bell': BELL}, rules=rules,
            watch=watch))
        self.now, self.alerts, self.hears = 100.0, [], hears

    def step(self, seconds=0.0):
        self.now += seconds
        if self.hears:
            self.machine.note_alerts(self.alerts, self.now)
            self.machine.note_heard(self.now)
        return self.machine.step(self.now)

    def open(self, *alerts):
        self.alerts = list(alerts)
        return self.step()


def at(alert, **changes):
    return OpenAlert(**{**vars(alert), **changes})


def test_an_alert_is_on_until_it_is_acknowledged_and_happens_once():
    robot = Robot(alarm=Rule(alerts=('smoke_alarm',), to=('lock', 'bell')))
    assert robot.step().levels == {'lock': False}
    step = robot.open(SMOKE)
    assert step.levels == {'lock': True}
    assert [(pulse.output, pulse.cause) for pulse in step.pulses] == [
        ('bell', 'alert smoke_alarm CRITICAL')]
    assert [(change.rule, change.on) for change in step.changes] == [('alarm', True)]
    assert not robot.open(SMOKE).pulses
    step = robot.open(at(SMOKE, state=AlertState.ACKNOWLEDGED))
    assert step.levels == {'lock': False} and not step.pulses
    assert [(change.rule, change.on) for change in step.changes] == [('alarm', False)]


def test_until_ended_an_acknowledged_alert_counts():
    robot = Robot(alarm=Rule(alerts=('any',), until='ended', to=('lock',)),
                  outputs={'lock': LOCK})
    assert robot.open(at(SMOKE, state=AlertState.ACKNOWLEDGED)).levels['lock']
    assert not robot.open().levels['lock']


@pytest.mark.parametrize(('rule', 'on'), [
    ({'alerts': ('any',)}, True), ({'alerts': ('glass_break',)}, False),
    ({'alerts': ('glass_break', 'smoke_alarm')}, True),
    ({'alerts': ('any',), 'min_severity': Severity.CRITICAL}, True),
    ({'alerts': ('any',), 'min_severity': Severity.CRITICAL, 'until': 'ended'}, True)])
def test_labels_and_severities_choose(rule, on):
    robot = Robot(outputs={'lock': LOCK}, alarm=Rule(to=('lock',), **rule))
    assert robot.open(SMOKE).levels['lock'] is on
    if 'min_severity' in rule:
        assert not robot.open(at(SMOKE, severity=Severity.ERROR)).levels['lock']


def test_a_worse_alert_and_another_one_happen_anew():
    robot = Robot(outputs={'bell': BELL}, alarm=Rule(alerts=('any',), to=('bell',)))
    assert len(robot.open(at(SMOKE, severity=Severity.WARN)).pulses) == 1
    assert len(robot.open(SMOKE).pulses) == 1
    assert len(robot.open(SMOKE, at(SMOKE, id='a2', label='fire')).pulses) == 1


def test_a_sound_is_on_while_it_sounds_and_a_while_after():
    robot = Robot(ring=Rule(sounds=('doorbell',), hold_s=2.0, to=('lock', 'bell')))
    robot.machine.note_sound('dog_bark', True, robot.now)
    assert not robot.step().levels['lock']
    robot.machine.note_sound('doorbell', True, robot.now)
    step = robot.step()
    assert step.levels['lock'] and len(step.pulses) == 1
    robot.machine.note_sound('doorbell', False, robot.now)
    assert robot.step(1.9).levels['lock']
    assert not robot.step(0.2).levels['lock']


def test_a_sound_whose_end_never_came_is_over_in_time():
    robot = Robot(outputs={'lock': LOCK}, ring=Rule(sounds=('any',), longest_s=60.0, to=('lock',)))
    robot.machine.note_sound('siren', True, robot.now)
    assert robot.step(59.0).levels['lock']
    assert not robot.step(2.0).levels['lock']


def test_an_intent_holds_and_an_unsure_one_does_not():
    robot = Robot(stop=Rule(intents=('stop',), min_confidence=0.6, hold_s=5.0,
                            to=('lock', 'bell')))
    robot.machine.note_intent('stop', 0.5, robot.now)
    robot.machine.note_intent('go', 0.9, robot.now)
    assert not robot.step().levels['lock']
    robot.machine.note_intent('stop', 0.9, robot.now)
    step = robot.step()
    assert step.levels['lock'] and step.pulses[0].cause == 'intent stop 0.90'
    robot.step(4.0)
    robot.machine.note_intent('stop', 0.9, robot.now)  # said again: five seconds from now
    assert robot.step(4.0).levels['lock']
    assert not robot.step(1.1).levels['lock']


def test_what_happens_too_soon_is_counted_and_does_not_happen():
    robot = Robot(outputs={'bell': BELL},
                  stop=Rule(intents=('any',), at_most_every_s=10.0, to=('bell',)))
    happened = 0
    for _ in range(25):
        robot.machine.note_intent('stop', 1.0, robot.now)
        happened += len(robot.step(1.0).pulses)
    assert happened == 3 and robot.machine.suppressed == {'stop': 22}


@pytest.mark.parametrize(('when_lost', 'before', 'lost'), [
    ('engage', True, True), ('release', False, False), ('keep', True, False)])
def test_without_ears_an_output_is_what_the_file_says(when_lost, before, lost):
    lock = Output(kind='lock', topic='lock', when_lost=when_lost)
    robot = Robot(outputs={'lock': lock}, hears=False,
                  alarm=Rule(alerts=('any',), to=('lock',)))
    step = robot.step()
    assert step.lost and step.levels['lock'] is before  # nothing was heard yet
    robot.hears = True
    step = robot.step()
    assert not step.lost and not step.levels['lock']
    robot.hears = False
    assert not robot.step(2.9).lost
    step = robot.step(0.2)
    assert 'the decoder is busy or gone' in step.lost and step.levels['lock'] is lost
    robot.hears = True
    assert robot.step().levels == {'lock': False}


def test_an_alarm_that_was_open_when_the_decoder_died_stays_on_with_keep():
    lock = Output(kind='lock', topic='lock', when_lost='keep')
    robot = Robot(outputs={'lock': lock}, alarm=Rule(alerts=('any',), to=('lock',)))
    robot.open(SMOKE)
    robot.hears = False
    assert robot.step(60.0).levels['lock']


def test_a_decoder_without_audio_is_deaf_unless_that_is_not_watched():
    for deaf_s, lost in ((10.0, True), (0.0, False)):
        robot = Robot(outputs={'lock': LOCK}, watch=Watch(deaf_s=deaf_s), hears=False,
                      alarm=Rule(alerts=('any',), to=('lock',)))
        robot.machine.note_alerts([], robot.now)
        assert bool(robot.step().lost) is lost


def test_being_lost_is_a_rule_like_others():
    health = Output(kind='diagnostics', message='deaf')
    robot = Robot(outputs={'health': health, 'bell': BELL}, hears=False,
                  deaf=Rule(lost=True, to=('health', 'bell')))
    step = robot.step()
    assert step.levels == {'health': True} and len(step.pulses) == 1
    assert not robot.step(1.0).pulses
    robot.hears = True
    assert robot.step().levels == {'health': False}


GOOD = {
    'format': FORMAT, 'outputs': {'lock': {'kind': 'lock', 'topic': 'l'}},
    'rules': {'alarm': {'alerts': ['any'], 'to': ['lock']}}}
WRONG = {
    'an unknown key': ({'rulez': {}}, 'rulez'),
    'another format': ({'format': 'x'}, FORMAT),
    'no rules': ({'rules': {}}, 'rules'),
    'an unknown output': ({'rules': {'a': {'alerts': ['any'], 'to': ['bell']}}}, 'rules.a.to'),
    'an output of no rule': ({'outputs': {**GOOD['outputs'], 'b': {
        'kind': 'empty', 'topic': 't'}}}, 'outputs.b'),
    'an unknown kind': ({'outputs': {'lock': {'kind': 'horn', 'topic': 't'}}}, 'kind'),
    'a topic of a call': ({'outputs': {'lock': {'kind': 'trigger', 'topic': 't'}}}, 'topic'),
    'a call without a service': ({'outputs': {'lock': {'kind': 'trigger'}}}, 'service'),
    'two causes': ({'rules': {'a': {'alerts': ['any'], 'sounds': ['x'], 'to': ['lock']}}}, 'one'),
    'no cause': ({'rules': {'a': {'to': ['lock']}}}, 'one of these'),
    'an intent that holds nothing': ({'rules': {'a': {'intents': ['stop'], 'to': ['lock']}}},
                                     'hold_s'),
    'a severity of a sound': ({'rules': {'a': {'sounds': ['x'], 'min_severity': 'WARN',
                                               'to': ['lock']}}}, 'min_severity'),
    'a time that is none': ({'watch': {'decoder_silent_s': 0.1}}, 'decoder_silent_s'),
    'a log without an end': ({'log': {'file': 'x', 'most_bytes': 0}}, 'most_bytes'),
    'another way to be lost': ({'outputs': {'lock': {
        'kind': 'lock', 'topic': 't', 'when_lost': 'perhaps'}}}, 'when_lost')}


def written(tmp_path, more):
    path = tmp_path / 'safety.yaml'
    path.write_text(json.dumps({**GOOD, **more}), encoding='utf-8')
    return path


@pytest.mark.parametrize(('more', 'key'), WRONG.values(), ids=WRONG)
def test_a_wrong_file_is_refused_by_name_and_key(tmp_path, more, key):
    with pytest.raises(ConfigurationError, match=key) as caught:
        read_safety_events(written(tmp_path, more))
    assert 'safety.yaml' in str(caught.value)


def test_the_good_file_and_the_shipped_one_are_taken(tmp_path):
    assert read_safety_events(written(tmp_path, {})).rules['alarm'].alerts == ('any',)
    shipped = read_safety_events(shipped_path('config/safety_events.yaml'))
    assert shipped.outputs['motion'].when_lost == 'engage' and not shipped.dry_run


def test_the_log_keeps_no_more_than_it_may(tmp_path):
    settings = EventLogSettings(file=str(tmp_path / 'deep' / 'events.jsonl'), most_bytes=1000,
                                files=2)
    log = EventLog(settings, clock=lambda: 1_700_000_000.25)
    for number in range(100):
        log.write('happened', number=number, cause='火')
    log.close()
    files = sorted((tmp_path / 'deep').iterdir())
    assert [path.name for path in files] == ['events.jsonl', 'events.jsonl.1', 'events.jsonl.2']
    assert all(path.stat().st_size <= 1000 for path in files)
    newest = json.loads(files[0].read_text(encoding='utf-8').splitlines()[-1])
    assert newest == {'time': '2023-11-14T22:13:20.250Z', 'event': 'happened', 'number': 99,
                      'cause': '火'}
    assert not log.failure


def test_a_log_that_cannot_be_written_says_so_and_stops_nothing(tmp_path):
    (tmp_path / 'file').write_text('in the way')
    log = EventLog(EventLogSettings(file=str(tmp_path / 'file' / 'events.jsonl')))
    log.write('happened')
    assert 'cannot' in log.failure
    EventLog(None).write('happened')
    full = Path('/dev/full')
    if full.exists():
        log = EventLog(EventLogSettings(file=str(full), most_bytes=1 << 30))
        log.write('happened')
        assert 'could not be written' in log.failure
        log.close()


@pytest.mark.parametrize('take_away', [
    lambda path: path.rename(path.with_suffix('.moved')), lambda path: path.unlink(),
    lambda path: shutil.rmtree(path.parent)], ids=['moved', 'removed', 'its folder too'])
def test_a_log_that_was_taken_away_is_begun_anew(tmp_path, take_away):
    """As logrotate and people do; no line goes where nobody will find it."""
    path = tmp_path / 'logs' / 'events.jsonl'
    log = EventLog(EventLogSettings(file=str(path)))
    log.write('before')
    take_away(path)
    log.write('after')
    log.close()
    assert [json.loads(line)['event'] for line in path.read_text().splitlines()] == ['after']
    assert not log.failure
