"""The policy: each rule by example, and as properties over any order of things."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_interaction_ros.alerts.alert import (
    LEGAL_TRANSITIONS,
    AlertState,
    Category,
    ChangeKind,
    Severity,
)
from audio_interaction_ros.alerts.policy import AlertPolicy
from audio_interaction_ros.alerts.rules import parse_rules
from audio_interaction_ros.alerts.settings import AlertSettings
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.stream.events import ReplyFinished

pytestmark = pytest.mark.unit

S = 1_000_000_000
START = 1_700_000_000 * S

RULES = """
defaults: {ttl_s: 30, cooldown_s: 10, min_interval_s: 1}
labels:
  smoke: {category: ALARM, severity: CRITICAL, en: [smoke alarm]}
  dog: {category: ANIMAL, severity: INFO, en: [dog]}
  cough: {category: HUMAN_DISTRESS, severity: WARN, min_repeats: 3, repeat_window_s: 5,
          en: [cough]}
"""


def make_policy(**settings):
    return AlertPolicy(parse_rules(RULES, source='test'), AlertSettings(**settings))


def reply(at_s, text, *, lane='assistant', emotion=Emotion.NORMAL, p_respond=0.75,
          robot_speaking=False):
    stamp = START + round(at_s * S)
    return ReplyFinished(
        lane=lane, stamp_ns=stamp, epoch=1, seq=0, reply_id='1-1', text=text, emotion=emotion,
        reason='end', start_ns=stamp - S, end_ns=stamp, p_respond=p_respond,
        robot_speaking=robot_speaking)


def at(seconds):
    return START + round(seconds * S)


def test_a_label_raises_an_alert_with_its_fields():
    policy = make_policy()
    (change,) = policy.on_reply(reply(5, 'A smoke alarm!'))
    alert = change.alert
    assert change.kind is ChangeKind.RAISED and change.previous is None
    assert (alert.label, alert.category, alert.severity) == (
        'smoke', Category.ALARM, Severity.CRITICAL)
    assert (alert.state, alert.count, alert.message) == (AlertState.ACTIVE, 1, 'A smoke alarm!')
    assert (alert.stamp_ns, alert.last_seen_ns) == (at(4), at(5))
    assert (alert.ttl_ns, alert.requires_ack, alert.confidence) == (30 * S, True, 0.75)
    assert policy.active == [alert]


def test_only_named_lanes_raise_alerts():
    spoken = reply(1, 'the smoke alarm was loud', lane='transcript')
    assert make_policy().on_reply(spoken) == []
    assert len(make_policy(lanes=('transcript',)).on_reply(spoken)) == 1


def test_while_the_robot_speaks_only_severe_sightings_count():
    policy = make_policy()
    assert policy.on_reply(reply(1, 'A dog', robot_speaking=True)) == []
    assert policy.on_reply(reply(2, 'Come!', emotion=Emotion.URGENT, robot_speaking=True)) == []
    assert (policy.stats.sightings, policy.stats.while_speaking) == (2, 2)
    (change,) = policy.on_reply(reply(3, 'A dog and a smoke alarm', robot_speaking=True))
    assert change.alert.label == 'smoke'
    never = make_policy(while_speaking_min_severity=4)
    assert never.on_reply(reply(3, 'A smoke alarm', robot_speaking=True)) == []
    always = make_policy(while_speaking_min_severity=0)
    assert len(always.on_reply(reply(3, 'A dog', robot_speaking=True))) == 1


def test_an_unknown_urgent_reply_is_a_warning():
    policy = make_policy()
    (change,) = policy.on_reply(reply(1, 'Come quickly!', emotion=Emotion.URGENT))
    assert (change.alert.category, change.alert.severity) == (Category.UNKNOWN, Severity.WARN)
    assert policy.on_reply(reply(2, 'Nice weather.')) == []


def test_urgent_raises_a_mild_label_to_a_warning():
    (change,) = make_policy().on_reply(reply(1, 'A dog', emotion=Emotion.URGENT))
    assert (change.alert.label, change.alert.severity) == ('dog', Severity.WARN)


def test_sightings_merge_into_one_alert():
    policy = make_policy()
    first = policy.on_reply(reply(1, 'A smoke alarm', p_respond=0.5))[0].alert
    (change,) = policy.on_reply(reply(3, 'Still the smoke alarm', p_respond=0.25))
    assert change.kind is ChangeKind.REPEATED
    assert change.alert == replace(first, count=2, last_seen_ns=at(3),
                                   message='Still the smoke alarm')


def test_a_sighting_too_soon_is_the_same_one():
    policy = make_policy()
    policy.on_reply(reply(1, 'A dog'))
    assert policy.on_reply(reply(1.5, 'A dog')) == []
    assert policy.active[0].count == 1
    assert len(policy.on_reply(reply(2.0, 'A dog'))) == 1
    assert policy.stats.debounced == 1


def test_an_alert_waits_for_enough_repeats_within_the_window():
    policy = make_policy()
    assert policy.on_reply(reply(0, 'cough')) == []
    assert policy.on_reply(reply(4, 'cough')) == []
    assert policy.on_reply(reply(7, 'cough')) == []  # the first is too old by now
    (change,) = policy.on_reply(reply(9, 'cough'))
    assert (change.kind, change.alert.count) == (ChangeKind.RAISED, 3)
    assert policy.stats.debounced == 1


def test_a_mild_alert_expires_after_its_time():
    policy = make_policy()
    policy.on_reply(reply(0, 'A dog'))
    assert policy.tick(at(29.9)) == []
    (change,) = policy.tick(at(30))
    assert (change.kind, change.alert.state) == (ChangeKind.EXPIRED, AlertState.EXPIRED)
    assert policy.active == []


def test_a_latched_alert_stays_until_acknowledged_and_expires_then():
    policy = make_policy()
    alert = policy.on_reply(reply(0, 'smoke alarm'))[0].alert
    assert policy.tick(at(3600)) == []
    (change,) = policy.acknowledge(alert.id, 'Ada', at(3600))
    assert (change.kind, change.operator) == (ChangeKind.ACKNOWLEDGED, 'Ada')
    assert policy.acknowledge('', 'Ada', at(3601)) == []
    assert policy.tick(at(3629)) == []
    assert [change.kind for change in policy.tick(at(3630))] == [ChangeKind.EXPIRED]


def test_clear_ends_an_alert_and_starts_the_cooldown():
    policy = make_policy()
    policy.on_reply(reply(0, 'smoke alarm'))
    (change,) = policy.clear('', at(5), 'Ada')
    assert (change.alert.state, change.operator) == (AlertState.CLEARED, 'Ada')
    assert policy.on_reply(reply(14, 'smoke alarm')) == []
    assert policy.stats.cooled_down == 1
    assert policy.on_reply(reply(15, 'smoke alarm'))[0].kind is ChangeKind.RAISED


def test_an_unknown_id_changes_nothing():
    policy = make_policy()
    policy.on_reply(reply(0, 'smoke alarm'))
    assert policy.acknowledge('nothing', 'Ada', at(1)) == []
    assert policy.clear('nothing', at(1)) == []
    assert policy.needs_hold(Severity.CRITICAL)


def test_hold_follows_unacknowledged_alerts_of_its_severity():
    policy = make_policy()
    policy.on_reply(reply(0, 'A dog'))
    assert policy.needs_hold(Severity.INFO) and not policy.needs_hold(Severity.ERROR)
    policy.on_reply(reply(0, 'smoke alarm'))
    assert policy.needs_hold(Severity.ERROR)
    policy.acknowledge('', 'Ada', at(1))
    assert not policy.needs_hold(Severity.INFO)


def test_a_worse_sighting_undoes_the_acknowledgement():
    policy = make_policy()
    policy.on_reply(reply(0, 'A dog'))
    policy.acknowledge('', 'Ada', at(1))
    assert policy.on_reply(reply(2, 'A dog'))[0].alert.state is AlertState.ACKNOWLEDGED
    (change,) = policy.on_reply(reply(2.1, 'A dog', emotion=Emotion.URGENT))
    assert (change.kind, change.alert.state) == (ChangeKind.ESCALATED, AlertState.ACTIVE)


def test_the_most_severe_alert_comes_first():
    policy = make_policy()
    policy.on_reply(reply(0, 'A dog'))
    policy.on_reply(reply(1, 'smoke alarm'))
    assert [alert.label for alert in policy.active] == ['smoke', 'dog']


def test_a_recording_that_begins_again_keeps_what_timers_had_left():
    policy = make_policy()
    policy.on_reply(reply(1000, 'A dog'))
    assert policy.tick(at(1020)) == []
    assert policy.tick(at(0)) == []  # set back
    assert policy.tick(at(9)) == []
    assert [change.kind for change in policy.tick(at(10))] == [ChangeKind.EXPIRED]


def test_late_stamps_do_not_make_time_pass():
    policy = make_policy()
    policy.on_reply(reply(0, 'A dog'))
    for _ in range(20):  # two lanes, one four seconds behind the other
        assert policy.tick(at(6)) == []
        assert policy.tick(at(2)) == []
    assert len(policy.active) == 1


def before_the_restart():
    policy = make_policy()
    policy.on_reply(reply(0, 'smoke alarm'))
    return policy.active


def test_a_restored_alert_is_open_as_it_was_and_nothing_is_raised():
    policy = make_policy()
    alerts = before_the_restart()
    policy.restore(alerts)
    assert policy.active == alerts and policy.needs_hold(Severity.CRITICAL)
    assert (policy.stats.restored, policy.stats.raised) == (1, 0)
    (change,) = policy.on_reply(reply(9, 'smoke alarm'))
    assert (change.kind, change.alert.id, change.alert.count) == (
        ChangeKind.REPEATED, alerts[0].id, 2)


def test_a_restored_alert_is_latched_on_any_time_line():
    policy = make_policy()
    policy.restore(before_the_restart())
    for seconds in (1e6, 0, -1e6):
        assert policy.tick(at(seconds)) == []
    assert policy.needs_hold(Severity.CRITICAL)


def test_acknowledged_before_any_audio_it_expires_after_its_time_of_audio():
    policy = make_policy()
    policy.restore(before_the_restart())
    (change,) = policy.acknowledge('', 'Ada', None)
    assert change.alert.state is AlertState.ACKNOWLEDGED
    assert policy.tick(at(0)) == [] and policy.tick(at(29)) == []
    assert [change.kind for change in policy.tick(at(30))] == [ChangeKind.EXPIRED]


def test_an_acknowledged_alert_stays_acknowledged():
    first = make_policy()
    first.on_reply(reply(0, 'smoke alarm'))
    first.acknowledge('', 'Ada', at(1))
    policy = make_policy()
    policy.restore(first.active)
    assert policy.active[0].state is AlertState.ACKNOWLEDGED
    assert not policy.needs_hold(Severity.INFO)


def test_a_label_that_the_rules_no_longer_know_keeps_its_alert():
    policy = make_policy()
    (alert,) = before_the_restart()
    policy.restore([replace(alert, label='boiler')])
    assert policy.tick(at(3600)) == [] and policy.needs_hold(Severity.CRITICAL)
    (change,) = policy.clear('', at(3601), 'Ada')
    assert change.alert.label == 'boiler'


def test_an_id_is_never_given_twice_though_the_recording_begins_again():
    policy = make_policy()
    (alert,) = before_the_restart()
    policy.restore([alert])
    policy.clear('', at(0))
    (change,) = policy.on_reply(reply(10, 'smoke alarm'))
    again = make_policy()
    again.restore([replace(alert, id=f'smoke-{(START - S) // S}-2')])
    again.clear('', at(0), 'Ada')
    again.tick(at(11))
    ids = [again.on_reply(reply(0, 'smoke alarm'))[0].alert.id]
    assert len({alert.id, change.alert.id}) == 2
    assert ids == [f'smoke-{(START - S) // S}-1']
    again.clear('', at(12))
    again.tick(at(30))
    assert again.on_reply(reply(0, 'smoke alarm'))[0].alert.id.endswith('-3')


TEXTS = st.sampled_from(['smoke alarm', 'A dog', 'cough', 'a dog and a smoke alarm', 'hello', ''])
TIMES = st.one_of(st.floats(0, 100), st.floats(-1e6, 1e6))
ACTIONS = st.one_of(
    st.tuples(st.just('reply'), TIMES, TEXTS, st.sampled_from(list(Emotion)),
              st.sampled_from(['assistant', 'transcript']), st.booleans()),
    st.tuples(st.just('tick'), TIMES),
    st.tuples(st.just('acknowledge'), TIMES, st.booleans()),
    st.tuples(st.just('clear'), TIMES, st.booleans()))


def apply(policy, action, ids):
    kind, seconds, *rest = action
    if kind == 'reply':
        text, emotion, lane, own = rest
        return policy.on_reply(reply(seconds, text, emotion=emotion, lane=lane,
                                     robot_speaking=own))
    if kind == 'tick':
        return policy.tick(at(seconds))
    chosen = '' if rest[0] or not ids else ids[len(ids) // 2]
    if kind == 'acknowledge':
        return policy.acknowledge(chosen, 'Ada', at(seconds))
    return policy.clear(chosen, at(seconds), 'Ada')


@given(st.lists(ACTIONS, max_size=40))
def test_any_history_is_legal_and_every_sighting_is_accounted_for(actions):
    policy = make_policy()
    latest = {}
    for action in actions:
        for change in apply(policy, action, list(latest)):
            known = latest.get(change.alert.id)
            assert change.previous is (known.state if known else None)
            assert (change.previous, change.alert.state) in LEGAL_TRANSITIONS
            if known is None:
                assert change.kind is ChangeKind.RAISED
            else:
                assert change.alert.severity >= known.severity
                seen = change.kind in (ChangeKind.REPEATED, ChangeKind.ESCALATED)
                assert change.alert.count == known.count + seen
            latest[change.alert.id] = change.alert
        still_open = [alert for alert in latest.values() if alert.state.open]
        assert sorted(still_open, key=lambda a: a.id) == sorted(
            policy.active, key=lambda a: a.id)
        assert len({alert.label for alert in still_open}) == len(still_open)
        stats = policy.stats
        assert sum(alert.count for alert in latest.values()) == stats.counted
        assert len(latest) == stats.raised
        assert stats.sightings == (
            stats.counted + stats.debounced + stats.cooled_down + stats.covered
            + stats.while_speaking + policy.pending)


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=30))
def test_without_a_person_a_latched_alert_never_ends(times):
    policy = make_policy()
    policy.on_reply(reply(0, 'smoke alarm'))
    for seconds in times:
        assert policy.tick(at(seconds)) == []
    assert policy.needs_hold(Severity.CRITICAL)
