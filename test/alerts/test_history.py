"""What a person is told who acknowledges or clears, also for the second time."""

import pytest

from audio_interaction_ros.alerts.alert import (
    Alert,
    AlertChange,
    AlertState,
    Category,
    ChangeKind,
    Severity,
)
from audio_interaction_ros.alerts.history import AlertHistory

pytestmark = pytest.mark.unit

ASKED, CLEARED = ChangeKind.ACKNOWLEDGED, ChangeKind.CLEARED


def alert(name='fire-1-1', state=AlertState.ACTIVE):
    return Alert(id=name, label='fire', category=Category.ALARM, severity=Severity.CRITICAL,
                 state=state, message='', confidence=1.0, count=1, stamp_ns=0, last_seen_ns=0,
                 ttl_ns=0, requires_ack=True)


def change(kind, name='fire-1-1', operator='Ada'):
    return AlertChange(alert=alert(name, AlertState[kind.name]), kind=kind,
                       previous=AlertState.ACTIVE, operator=operator)


def test_what_was_done_is_listed():
    done = [change(ASKED), change(ASKED, 'fire-2-2'), change(ChangeKind.EXPIRED, 'dog-1-3')]
    assert AlertHistory().answer(ASKED, '', done, []) == (
        True, 'acknowledged: fire-1-1, fire-2-2')


@pytest.mark.parametrize('alert_id', ['', 'fire-1-1'])
def test_a_second_acknowledgement_names_the_first(alert_id):
    history = AlertHistory()
    history.note([change(ASKED)], '12:00')
    still_open = [alert(state=AlertState.ACKNOWLEDGED)]
    assert history.answer(ASKED, alert_id, [], still_open) == (
        True, 'already acknowledged by Ada at 12:00: fire-1-1')


def test_an_acknowledgement_from_before_the_start_is_called_so():
    still_open = [alert(state=AlertState.ACKNOWLEDGED)]
    assert AlertHistory().answer(ASKED, 'fire-1-1', [], still_open) == (
        True, 'already acknowledged before the last start: fire-1-1')


@pytest.mark.parametrize(('kind', 'operator', 'words'), [
    (CLEARED, 'Ada', 'cleared by Ada at 12:05'), (CLEARED, '', 'cleared at 12:05'),
    (ChangeKind.EXPIRED, '', 'expired at 12:05')])
def test_an_alert_that_is_over_is_called_so(kind, operator, words):
    history = AlertHistory()
    history.note([change(ASKED)], '12:00')
    history.note([change(kind, operator=operator)], '12:05')
    for asked in (ASKED, CLEARED):
        assert history.answer(asked, 'fire-1-1', [], []) == (
            False, f'fire-1-1 is over: {words}')


def test_an_unknown_id_and_nothing_open():
    success, words = AlertHistory().answer(ASKED, 'x\ny', [], [alert()])
    assert not success and words.startswith(r"no alert 'x\ny' is open")
    assert AlertHistory().answer(ASKED, '', [], []) == (True, 'none is open')


def test_a_hundred_are_remembered():
    history = AlertHistory()
    history.note([change(CLEARED, f'fire-{i}') for i in range(101)], 'now')
    assert history.answer(CLEARED, 'fire-0', [], [])[1].startswith('no alert')
    assert 'is over' in history.answer(CLEARED, 'fire-1', [], [])[1]
