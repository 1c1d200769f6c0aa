"""Alerts of sounds and of words that were read, beside what the model says."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_interaction_ros.alerts.alert import LEGAL_TRANSITIONS, ChangeKind, Severity
from audio_interaction_ros.alerts.policy import AlertPolicy
from audio_interaction_ros.alerts.rules import parse_rules
from audio_interaction_ros.alerts.settings import AlertSettings
from audio_interaction_ros.protocol import Emotion
from audio_interaction_ros.stream.events import FinalReply, ReplyFinished, SoundEnded, SoundStarted

pytestmark = pytest.mark.unit

S = 1_000_000_000
START = 1_700_000_000 * S
RULES = """
defaults: {ttl_s: 30, cooldown_s: 10, min_interval_s: 1}
default_profile: home
profiles: {home: {smoke_alarm: 0.6, fire_bell: 0.6, bark: 0.5, cough: 0.5}}
labels:
  smoke: {category: ALARM, severity: CRITICAL, en: [smoke alarm], sounds: [smoke_alarm],
          covers: {fire: 10}, say: {en: A smoke alarm is sounding., zh: 烟雾报警器在响。}}
  fire: {category: ALARM, severity: CRITICAL, en: [fire alarm], sounds: [fire_bell],
         say: {en: A fire alarm is sounding., zh: 火警在响。}}
  dog: {category: ANIMAL, severity: INFO, en: [dog], sounds: [bark, howl],
        say: {en: A dog is barking., zh: 有狗在叫。}}
  cough: {category: HUMAN_DISTRESS, severity: WARN, min_repeats: 3, repeat_window_s: 5,
          sounds: [cough], say: {en: A cough., zh: 咳嗽。}}
  train: {category: VEHICLE, severity: INFO, en: [train]}
  help: {category: HUMAN_DISTRESS, severity: CRITICAL, intents: [help, trapped],
         en: [call for help], sounds: [shout],
         say: {en: Someone is calling for help., zh: 有人在呼救。}}
"""
CLASSES = ('smoke_alarm', 'bark', 'cough', 'speech')


def make_policy(*, classes=CLASSES, rules=RULES, **settings):
    rules = parse_rules(rules, source='test')
    policy = AlertPolicy(rules, AlertSettings(
        sounds=frozenset(rules.rules_of_sounds()), **settings))
    policy.note_classes(classes)
    return policy


def at(seconds):
    return START + round(seconds * S)


def begin(at_s, sound='bark', *, score=0.75, robot_speaking=False):
    return SoundStarted(
        lane='', stamp_ns=at(at_s), epoch=1, seq=0, sound=sound, score=score, threshold=0.5,
        onset_ns=at(at_s - 0.8), robot_speaking=robot_speaking)


def end(at_s, sound='bark', *, score=0.75):
    return SoundEnded(lane='', stamp_ns=at(at_s), epoch=1, seq=0, sound=sound, score=score,
                      threshold=0.5, onset_ns=at(0), offset_ns=at(at_s - 1.2))


def reply(at_s, text, *, emotion=Emotion.NORMAL):
    return ReplyFinished(
        lane='assistant', stamp_ns=at(at_s), epoch=1, seq=0, reply_id='1-1', text=text,
        emotion=emotion, reason='end', start_ns=at(at_s - 1), end_ns=at(at_s), p_respond=0.75)


def understood(at_s, intent, *, confidence=0.875):
    return FinalReply(
        lane='assistant', stamp_ns=at(at_s), epoch=1, seq=0, reply_id='1-1', text='Hold on.',
        emotion=Emotion.NORMAL, source='words', source_text='said', intent=intent,
        intent_confidence=confidence, start_ns=at(at_s - 1), end_ns=at(at_s))


def kinds(changes):
    return [change.kind for change in changes]


def test_a_sound_raises_an_alert_that_says_what_was_heard_and_how_sure():
    (change,) = make_policy().on_sound(begin(5, 'smoke_alarm', score=0.875))
    alert = change.alert
    assert change.kind is ChangeKind.RAISED
    assert (alert.label, alert.severity, alert.requires_ack) == ('smoke', Severity.CRITICAL, True)
    assert (alert.evidence, alert.sound, alert.score, alert.threshold) == (
        'sound', 'smoke_alarm', 0.875, 0.5)
    assert (alert.confidence, alert.message) == (0.875, 'A smoke alarm is sounding.')
    assert (alert.stamp_ns, alert.last_seen_ns) == (at(4.2), at(5))
    (change,) = make_policy(language='zh').on_sound(begin(5, 'smoke_alarm'))
    assert change.alert.message == '烟雾报警器在响。'


def test_a_sound_that_no_label_lists_raises_nothing():
    policy = make_policy()
    assert policy.on_sound(begin(1, 'speech')) == [] and policy.on_sound(end(2, 'speech')) == []
    assert policy.stats.sightings == 0


def test_an_alert_does_not_expire_while_its_sound_goes_on():
    policy = make_policy()
    policy.on_sound(begin(0))
    assert policy.tick(at(300)) == []
    assert policy.active[0].last_seen_ns == at(300)  # whoever counts for himself knows it too
    assert policy.on_sound(end(301, score=0.99)) == []
    alert = policy.active[0]
    assert (alert.score, alert.confidence, alert.count) == (0.99, 0.99, 1)
    assert policy.tick(at(330)) == []
    assert kinds(policy.tick(at(331))) == [ChangeKind.EXPIRED]


def test_of_two_sounds_of_a_label_both_must_end():
    policy = make_policy()
    policy.on_sound(begin(0, 'bark', score=0.6))
    (change,) = policy.on_sound(begin(2, 'howl', score=0.9))
    assert (change.alert.count, change.alert.sound, change.alert.score) == (2, 'howl', 0.9)
    (change,) = policy.on_sound(begin(4, 'bark', score=0.7))
    assert (change.alert.sound, change.alert.score) == ('howl', 0.9)
    policy.on_sound(end(5, 'howl'))
    assert policy.tick(at(60)) == []
    policy.on_sound(end(61, 'bark', score=0.95))
    assert policy.active[0].score == 0.9  # of the howl, not of the bark
    assert kinds(policy.tick(at(91))) == [ChangeKind.EXPIRED]


def test_the_times_of_a_label_hold_for_its_sounds():
    policy = make_policy()
    for second in (0, 1.5):
        assert policy.on_sound(begin(second, 'cough')) == []
        policy.on_sound(end(second + 0.3, 'cough'))
    assert policy.on_sound(begin(2, 'cough')) == []  # too soon to be another
    (change,) = policy.on_sound(begin(3, 'cough'))
    assert (change.kind, change.alert.count) == (ChangeKind.RAISED, 3)


def test_no_new_alert_is_raised_soon_after_the_end_of_a_sound_whose_alert_expired():
    rules = RULES.replace('ttl_s: 30, cooldown_s: 10', 'ttl_s: 5, cooldown_s: 20')
    policy = AlertPolicy(parse_rules(rules, source='test'), AlertSettings())
    policy.on_sound(begin(0))
    policy.on_sound(end(60))
    assert kinds(policy.tick(at(65))) == [ChangeKind.EXPIRED]
    assert policy.on_sound(begin(79)) == [] and policy.on_sound(end(79.5)) == []
    assert kinds(policy.on_sound(begin(99.6))) == [ChangeKind.RAISED]


def test_what_still_sounds_after_it_was_cleared_is_raised_again():
    policy = make_policy()
    (first,) = policy.on_sound(begin(0, 'smoke_alarm'))
    assert kinds(policy.clear('', at(5), 'Ada')) == [ChangeKind.CLEARED]
    assert policy.tick(at(14.9)) == []
    (again,) = policy.tick(at(15))
    assert again.kind is ChangeKind.RAISED and again.alert.id != first.alert.id
    assert again.alert.stamp_ns == first.alert.stamp_ns  # it never stopped
    policy.clear('', at(16), 'Ada')
    policy.on_sound(end(17, 'smoke_alarm'))
    assert policy.tick(at(100)) == []


def test_while_the_robot_speaks_only_severe_sounds_count():
    policy = make_policy()
    assert policy.on_sound(begin(1, robot_speaking=True)) == []
    assert policy.stats.while_speaking == 1
    assert kinds(policy.on_sound(begin(2, 'smoke_alarm', robot_speaking=True))) == [
        ChangeKind.RAISED]
    # what did not count keeps nothing alive
    policy.on_sound(end(3))
    assert policy.tick(at(4)) == []


def test_replies_count_for_labels_of_which_no_sound_can_be_heard():
    policy = make_policy()
    (change,) = policy.on_reply(reply(1, 'A dog, a smoke alarm and a train'))
    assert (change.alert.label, change.alert.evidence, change.alert.sound) == ('train', 'model',
                                                                               '')
    assert policy.stats.left_to_sounds == 2
    # an urgent tone makes nothing else of what is left to the sounds
    assert policy.on_reply(reply(5, 'A smoke alarm!', emotion=Emotion.URGENT)) == []
    assert kinds(policy.on_reply(reply(9, 'Quick!', emotion=Emotion.URGENT))) == [
        ChangeKind.RAISED]


@pytest.mark.parametrize('classes', [(), ('speech', 'howl')])
def test_a_model_that_does_not_tell_a_sound_apart_may_say_it(classes):
    """Also one whose class no rule of the profile detects: howl."""
    policy = make_policy(classes=classes)
    assert len(policy.on_reply(reply(1, 'A dog and a smoke alarm'))) == 2


def test_evidence_chooses_who_is_believed():
    policy = make_policy(evidence='sounds')
    assert policy.on_reply(reply(1, 'A train', emotion=Emotion.URGENT)) == []
    assert len(policy.on_sound(begin(2))) == 1
    policy = make_policy(evidence='model')
    assert len(policy.on_reply(reply(1, 'A dog'))) == 1
    assert policy.on_sound(begin(2)) == []
    assert policy.active[0].count == 1


def test_a_sound_outweighs_words_in_an_alert_that_has_both():
    policy = make_policy(evidence='model')
    policy.on_reply(reply(0, 'A dog'))
    policy.settings = replace(policy.settings, evidence='sounds')
    (change,) = policy.on_sound(begin(2, score=0.7))
    assert (change.kind, change.alert.evidence, change.alert.sound, change.alert.confidence) == (
        ChangeKind.REPEATED, 'sound', 'bark', 0.75)
    policy.settings = replace(policy.settings, evidence='model')
    (change,) = policy.on_reply(reply(4, 'That dog again'))
    assert (change.alert.evidence, change.alert.score, change.alert.message) == (
        'sound', 0.7, 'That dog again')


@pytest.mark.parametrize('evidence', ['sounds', 'model', 'both'])
def test_an_intent_that_a_label_lists_raises_its_alert_whoever_else_is_believed(evidence):
    policy = make_policy(evidence=evidence)
    (change,) = policy.on_answer(understood(5, 'trapped'))
    alert = change.alert
    assert (change.kind, alert.label, alert.severity) == (
        ChangeKind.RAISED, 'help', Severity.CRITICAL)
    assert (alert.evidence, alert.confidence, alert.message, alert.sound) == (
        'words', 0.875, 'Someone is calling for help.', '')
    assert (alert.stamp_ns, alert.last_seen_ns) == (at(4), at(5))
    assert policy.on_answer(understood(9, 'go')) == []
    assert policy.on_answer(understood(9, '')) == []
    assert (policy.stats.intents, policy.stats.sightings) == (1, 1)


def test_words_say_more_than_a_reply_and_less_than_a_sound():
    policy = make_policy(evidence='both', language='zh')
    policy.on_reply(reply(0, 'I hear a call for help'))
    policy.tick(at(2))
    (change,) = policy.on_answer(understood(2, 'help'))
    assert (change.kind, change.alert.evidence, change.alert.message) == (
        ChangeKind.REPEATED, 'words', '有人在呼救。')
    policy.on_sound(begin(5, 'shout', score=0.5))
    policy.tick(at(7))
    (change,) = policy.on_answer(understood(7, 'help'))
    assert (change.alert.evidence, change.alert.score, change.alert.count) == ('sound', 0.5, 4)


def test_words_that_were_read_late_take_no_time_back():
    policy = make_policy()
    policy.on_sound(begin(0))
    policy.on_sound(end(2))
    policy.tick(at(20))
    policy.on_answer(understood(3, 'help'))  # more than five seconds ago: no new time line
    policy.tick(at(31))
    assert kinds(policy.tick(at(32.5))) == [ChangeKind.EXPIRED], 'the dog, not later than it would'


SOUNDS = st.sampled_from(['smoke_alarm', 'bark', 'howl', 'cough', 'speech'])
ACTIONS = st.one_of(
    st.tuples(st.just('begin'), SOUNDS, st.booleans()), st.tuples(st.just('end'), SOUNDS),
    st.tuples(st.just('reply'), st.sampled_from(['a dog', 'a train', 'smoke alarm'])),
    st.tuples(st.just('answer'), st.sampled_from(['help', 'go'])),
    st.tuples(st.sampled_from(['tick', 'acknowledge', 'clear'])))


@given(st.lists(st.tuples(ACTIONS, st.one_of(st.floats(0, 20), st.floats(-1e6, 1e6))),
                max_size=40), st.sampled_from(['sounds', 'model', 'both']))
def test_any_history_is_legal_and_every_sighting_is_accounted_for(actions, evidence):
    policy, now, latest = make_policy(evidence=evidence), 0.0, {}
    for (kind, *rest), passed in actions:
        now = max(0.0, now + passed)
        if kind == 'begin':
            changes = policy.on_sound(begin(now, rest[0], robot_speaking=rest[1]))
        elif kind == 'end':
            changes = policy.on_sound(end(now, rest[0]))
        elif kind == 'reply':
            changes = policy.on_reply(reply(now, rest[0]))
        elif kind == 'answer':
            changes = policy.on_answer(understood(now, rest[0]))
        elif kind == 'tick':
            changes = policy.tick(at(now))
        else:
            changes = getattr(policy, kind)('', operator='Ada', now_ns=at(now))
        for change in changes:
            known = latest.get(change.alert.id)
            assert change.previous is (known.state if known else None)
            assert (change.previous, change.alert.state) in LEGAL_TRANSITIONS
            seen = change.kind in (ChangeKind.REPEATED, ChangeKind.ESCALATED)
            assert known is None or change.alert.count == known.count + seen
            assert evidence == 'both' or change.alert.evidence in (
                evidence.removesuffix('s'), 'words')
            latest[change.alert.id] = change.alert
        still_open = [alert for alert in latest.values() if alert.state.open]
        assert {alert.id for alert in still_open} == {alert.id for alert in policy.active}
        assert len({alert.label for alert in still_open}) == len(still_open)
        stats = policy.stats
        assert sum(alert.count for alert in latest.values()) == stats.counted
        assert stats.sightings == (stats.counted + stats.debounced + stats.cooled_down
                                   + stats.covered
                                   + stats.while_speaking + policy.pending)


@given(st.lists(st.tuples(SOUNDS, st.floats(0.4, 5)), max_size=20))
def test_every_sound_that_ends_lets_its_alert_expire(sounds):
    policy, now = make_policy(), 0.0
    for sound, seconds in sounds:
        policy.on_sound(begin(now, sound))
        now += seconds
        policy.on_sound(end(now, sound))
    policy.acknowledge('', 'Ada', at(now))
    policy.tick(at(now + 31))
    assert policy.active == []


def test_one_alarm_that_is_heard_as_two_is_one_alert():
    policy = make_policy(evidence='both')
    policy.on_sound(begin(5, 'smoke_alarm'))
    assert policy.on_sound(begin(6, 'fire_bell')) == []
    policy.on_sound(end(8, 'smoke_alarm'))
    policy.on_sound(end(8, 'fire_bell'))
    assert policy.on_sound(begin(17, 'fire_bell')) == [] and policy.stats.covered == 2
    policy.on_sound(end(17.5, 'fire_bell'))
    assert policy.on_reply(reply(17.6, 'There is a fire alarm.')) == []
    assert [alert.label for alert in policy.active] == ['smoke']


def test_what_is_heard_long_after_what_stood_for_it_is_an_alert_of_its_own():
    policy = make_policy()
    policy.on_sound(begin(5, 'smoke_alarm'))
    policy.on_sound(end(8, 'smoke_alarm'))
    (raised,) = policy.on_sound(begin(18.5, 'fire_bell'))
    assert (raised.kind, raised.alert.label) == (ChangeKind.RAISED, 'fire')


@pytest.mark.parametrize('ending', ['silence', 'clear'])
def test_a_covered_sound_that_outlasts_what_stood_for_it_is_raised_then(ending):
    policy = make_policy()
    (smoke,) = policy.on_sound(begin(5, 'smoke_alarm'))
    policy.on_sound(begin(6, 'fire_bell'))
    policy.on_sound(end(8, 'smoke_alarm'))
    if ending == 'clear':
        policy.clear(smoke.alert.id, at(9))
        raised = policy.tick(at(9.4))
    else:
        assert policy.tick(at(17.9)) == []
        raised = policy.tick(at(18.5))
    assert [(change.kind, change.alert.label) for change in raised] == [
        (ChangeKind.RAISED, 'fire')]
    assert policy.tick(at(19)) == []


def test_an_alert_that_was_raised_first_goes_on_beside_what_would_cover_it():
    policy = make_policy()
    policy.on_sound(begin(5, 'fire_bell'))
    policy.on_sound(begin(6, 'smoke_alarm'))
    assert {alert.label for alert in policy.active} == {'fire', 'smoke'}
    policy.on_sound(end(8, 'fire_bell'))
    assert kinds(policy.on_sound(begin(9, 'fire_bell'))) == [ChangeKind.REPEATED]


def test_what_sounds_through_is_raised_where_repeats_are_asked_for():
    """One alarm that never falls silent is one sighting; it must not wait for a second."""
    policy = make_policy()
    assert not policy.on_sound(begin(0, 'cough'))
    assert not policy.tick(at(4.8))
    (change,) = policy.tick(at(5.2))
    assert (change.kind, change.alert.label, change.alert.count) == (ChangeKind.RAISED, 'cough', 1)
    assert change.alert.last_seen_ns == at(5.2) and not policy.tick(at(9))
    assert policy.stats.sightings == policy.stats.counted == 1


def test_what_sounds_through_waits_while_an_open_alert_stands_for_it():
    policy = make_policy(rules=RULES.replace('{fire: 10}', '{fire: 10, cough: 10}'))
    policy.on_sound(begin(0, 'cough'))
    policy.on_sound(begin(1, 'smoke_alarm'))
    assert not policy.tick(at(6)), 'the smoke alarm stands for it'
    policy.on_sound(end(7, 'smoke_alarm'))
    assert not policy.tick(at(16))
    (change,) = policy.tick(at(18))
    assert (change.kind, change.alert.label) == (ChangeKind.RAISED, 'cough')


@pytest.mark.parametrize('ends_s', [1, 4.9])
def test_what_fell_silent_in_time_still_has_to_repeat(ends_s):
    policy = make_policy()
    policy.on_sound(begin(0, 'cough'))
    policy.on_sound(end(ends_s, 'cough'))
    assert not policy.tick(at(20)) and (policy.stats.debounced, policy.pending) == (1, 0)
