"""From what was heard of streams to recall, false alarms, calibration and thresholds."""

from dataclasses import replace

import pytest

from eval.alert_figures.calibration import calibrations
from eval.alert_figures.outcome import StreamOutcome, apply_constant
from eval.alert_figures.summary import figures
from eval.alert_figures.trade_off import choose_pair, list_pairs, pick_threshold, trade_off
from eval.matching import ExpectedEvent, GivenReply
from eval.replies.figures import pick_pairs

pytestmark = pytest.mark.unit

ALARM = ExpectedEvent(label='smoke_alarm', start=2.0, end=3.0, accepts=frozenset({'smoke_alarm'}))
DOG = ExpectedEvent(label='dog_bark', start=2.0, end=3.0, accepts=frozenset({'dog_bark'}))


def heard(**values):
    return StreamOutcome(**{'name': 'x', 'kind': 'event', 'seconds': 8.0, 'group': 'g', **values})


def test_recall_counts_each_recording_once_and_classes_alike():
    hit = (GivenReply(at=3.2, labels=frozenset({'smoke_alarm'})),)
    streams = [heard(events=(ALARM,), replies=hit, group='a'),
               heard(events=(ALARM,), group='a'), heard(events=(ALARM,), replies=hit, group='b'),
               heard(events=(DOG,), replies=hit, group='c')]
    found = figures(streams)
    assert found['recall']['any'].value == pytest.approx((0.5 + 1 + 1) / 3)
    assert found['recall']['named'].value == pytest.approx(0.5)
    assert found['recall']['any_mean_of_classes'].value == pytest.approx((2 / 3 + 1) / 2)
    assert found['classes']['dog_bark']['named'].value == 0.0
    assert found['delay']['decision_from_end_s']['p50'] == pytest.approx(0.2)
    assert found['delay']['decision_from_onset_s']['p50'] == pytest.approx(1.2)


def test_false_alarms_are_counted_on_backgrounds_only_and_chatter_apart():
    streams = [
        heard(events=(ALARM,), replies=(GivenReply(at=1.0, urgent=True),)),
        heard(kind='ambience', seconds=1800.0, raised=1, replies=(
            GivenReply(at=5.0, urgent=True), GivenReply(at=6.0, urgent=True),
            GivenReply(at=100.0))),
        heard(kind='ambience', seconds=0.0, replies=(
            GivenReply(at=5.0, urgent=True, labels=frozenset({'siren', 'horn'})),))]
    found = figures(streams)
    assert found['false_before_events'] == 1
    assert found['background']['by_label'] == {'': 2, 'horn+siren': 1}
    found = figures(streams[:-1])
    assert found['background']['false_alarms_per_hour'].value == 2.0
    assert found['background']['alerts_raised_per_hour'].value == 2.0
    assert found['background']['chatter_per_hour'].value == 2.0
    assert found['background']['silent_pieces'].value == pytest.approx(178 / 180)


def test_the_policies_without_a_model():
    streams = [heard(events=(ALARM,)), heard(kind='speech', seconds=3600.0)]
    silent, loud = (figures(apply_constant(streams, respond)) for respond in (False, True))
    assert silent['recall']['any'].value == 0.0 and loud['recall']['any'].value == 1.0
    assert silent['background']['false_replies_per_hour'].value == 0.0
    assert loud['background']['false_replies_per_hour'].value == 9000.0
    assert loud['background']['false_alarms_per_hour'].value == 360.0
    for policy in (silent, loud):
        assert policy['balanced_accuracy'].value == 0.5


def test_balanced_accuracy_of_a_perfect_model():
    streams = [heard(events=(ALARM,), replies=(GivenReply(at=2.4, urgent=True),)),
               heard(seconds=100.0)]
    assert figures(streams)['balanced_accuracy'].value == 1.0


def test_trade_off_and_calibration_come_from_p_alone():
    streams = [heard(events=(ALARM,), p=(0, 0, 0, 0, 0, 0.7, *[0.0] * 14)),
               heard(seconds=20.0, p=(0.6, *[0.1] * 49))]
    low, middle, high = trade_off(streams, (0.5, 0.65, 0.8))
    assert (low['recall'].value, low['false_per_hour'].value) == (1.0, pytest.approx(180))
    assert (middle['recall'].value, middle['false_per_hour'].value) == (1.0, 0.0)
    assert high['recall'].value == 0.0
    found = calibrations([*streams, heard(kind='speech', p=(0.9,) * 20)])
    assert found['per chunk']['n'] == 70 and found['per event or 10 s']['n'] == 3


def test_trade_off_tells_alarms_from_chatter_by_what_would_have_been_said():
    alarm, talk = (GivenReply(at=2.4, labels=frozenset({'smoke_alarm'})),
                   GivenReply(at=2.8, text='Hello.'))
    streams = [heard(events=(ALARM,), p=(0, 0, 0, 0, 0, 0.7, 0.9),
                     asides=((5, alarm, 0.9), (6, talk, 0.9))),
               heard(seconds=3600.0, p=(0.6, 0.8), asides=((0, alarm, 0.9), (1, talk, 0.9)))]
    low, high = trade_off(streams, (0.5, 0.75))
    assert (low['recall'].value, low['named'].value) == (1.0, 1.0)
    assert (low['false_per_hour'].value, low['chatter_per_hour'].value) == (1.0, 1.0)
    assert (high['recall'].value, high['false_per_hour'].value) == (0.0, 0.0)
    assert high['chatter_per_hour'].value == 1.0


def test_a_threshold_is_picked_where_backgrounds_allow_it():
    quiet = heard(seconds=3600.0, p=(0.2, *[0.0] * 50, 0.6, *[0.0] * 50, 0.85))
    assert pick_threshold([quiet], 2.0) == pytest.approx(0.21)
    assert pick_threshold([quiet], 1.0) == pytest.approx(0.61)
    assert pick_threshold([quiet], 0.0) == pytest.approx(0.86)
    assert pick_threshold([heard(seconds=3600.0, p=(1.0,))], 0.5) is None


UNSURE = [
    heard(events=(ALARM,), p=(*[0.0] * 5, 0.6), asides=(
        (5, GivenReply(at=2.4, labels=frozenset({'smoke_alarm'})), 0.8),)),
    heard(seconds=3600.0, p=(0.7, *[0.0] * 50, 0.65), asides=(
        (0, GivenReply(at=0.4, urgent=True), 0.4), (51, GivenReply(at=20.8, text='Hello.'), 0.6)))]


def test_a_pair_is_told_by_what_it_lets_pass():
    point, = trade_off(UNSURE, [0.5], 0.5)
    assert (point['threshold'], point['min_confidence']) == (0.5, 0.5)
    assert (point['recall'].value, point['false_per_hour'].value) == (1.0, 0.0)
    assert point['chatter_per_hour'].value == 1.0
    assert trade_off(UNSURE, [0.5], 0.9)[0]['recall'].value == 0.0
    assert pick_threshold(UNSURE, 0.5) == pytest.approx(0.71)
    assert pick_threshold(UNSURE, 0.5, 0.5) == pytest.approx(0.1)


def test_the_pair_chosen_finds_most_and_then_chatters_least():
    points = list_pairs(UNSURE, 0.5, (0.0, 0.5, 0.7, 0.75, 0.9))
    assert [point['recall'].value for point in points] == [0.0, 1.0, 1.0, 1.0, 0.0]
    best = choose_pair(points)
    assert (best['min_confidence'], best['threshold']) == (0.7, 0.1)
    assert choose_pair(points[:1])['threshold'] == pytest.approx(0.71)
    assert choose_pair([]) is None and list_pairs([heard(seconds=3600.0, p=(1.0,))], 0.5) == []
    assert choose_pair(list_pairs(UNSURE[1:],
                                  0.5))['chatter_per_hour'].value == 0.0  # recall of no event


def test_pairs_are_picked_on_validation_alone():
    streams = [replace(one, side=side) for one in UNSURE for side in ('validation', 'test')]
    streams[-1] = replace(streams[-1], asides=())  # the test side never allows a threshold
    found = pick_pairs(streams, 0.5)
    assert (found['threshold'], found['min_confidence']) == (0.1, 0.65)
    assert found['validation']['false_per_hour'].value == 0.0
    assert found['test']['false_per_hour'].value == 2.0
    only, = pick_pairs(streams, 0.5, [0.5])['pairs']
    assert only['min_confidence'] == 0.5
