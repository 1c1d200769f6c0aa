"""The one place that says what a detection, a repeat and a false alarm is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.matching import BURST_S, GRACE_S, ExpectedEvent, GivenReply, count_bursts, match

pytestmark = pytest.mark.unit

ALARM = ExpectedEvent(label='smoke_alarm', start=10.0, end=12.0,
                      accepts=frozenset({'smoke_alarm'}))


def said(at, *labels):
    return GivenReply(at=at, labels=frozenset(labels), urgent=True)


@pytest.mark.parametrize(('at', 'counts'), [
    (10.0, False), (10.01, True), (12.0 + GRACE_S, True), (12.01 + GRACE_S, False)])
def test_a_reply_counts_after_the_onset_and_until_the_grace_is_over(at, counts):
    found = match([ALARM], [said(at)])
    assert (found.detections[0] is not None) is counts
    assert len(found.false) == (not counts)


def test_the_first_reply_is_the_detection_and_the_others_repeat():
    early, late = said(11.0, 'dog_bark'), said(12.0, 'smoke_alarm')
    found = match([ALARM], [late, early])
    assert found.detections == [early] and found.repeats == [late] and found.false == []
    assert found.tell_named([ALARM]) == [False]


def test_a_reply_goes_to_the_event_that_it_names():
    dog = ExpectedEvent(label='dog_bark', start=11.0, end=13.0, accepts=frozenset({'dog_bark'}))
    assert match([ALARM, dog], [said(12.0, 'smoke_alarm')]).detections[1] is None
    assert match([ALARM, dog], [said(12.0)]).detections[0] is None  # the later one by default
    both = match([ALARM, dog], [said(12.0), said(12.4)])
    assert [reply.at for reply in both.detections] == [12.4, 12.0]


def test_an_alarm_has_a_label_or_an_urgent_tone():
    assert GivenReply(at=1.0, labels=frozenset({'fire'})).alarm and GivenReply(at=1.0,
                                                                               urgent=True).alarm
    assert not GivenReply(at=1.0).alarm


def test_chatter_is_false_even_beside_an_event():
    talk = GivenReply(at=11.0, text='It is noon.')
    found = match([ALARM], [talk, said(11.4)])
    assert found.false == [talk] and found.detections == [said(11.4)]


def test_alarms_that_come_too_soon_after_a_counted_one_do_not_count():
    assert count_bursts([]) == 0
    assert count_bursts([5.0, 0.0, 9.9, BURST_S, 19.0, 25.0]) == 3
    assert count_bursts([0.4 * i for i in range(9000)]) == 360


@given(st.lists(st.floats(0, 40), max_size=12), st.lists(
    st.tuples(st.floats(0, 30), st.floats(0.1, 5)), max_size=4))
def test_every_reply_has_exactly_one_place(times, spans):
    events = [ExpectedEvent(label='x', start=a, end=a + b) for a, b in spans]
    found = match(events, [GivenReply(at=at, urgent=at < 20) for at in times])
    placed = [r for r in found.detections if r] + found.repeats + found.false
    assert sorted(r.at for r in placed) == sorted(times)
