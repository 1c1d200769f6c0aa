"""Sounds begin and end by their rules, whatever the scores are and whatever stands beside them."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.protocol import CHUNK_NS
from audio_interaction_ros.stream.chunk import EncodedChunk, SoundScores
from audio_interaction_ros.stream.events import SoundEnded, SoundStarted
from audio_interaction_ros.stream.sound_events import SoundDetector, SoundRule

pytestmark = pytest.mark.unit

START = 1_700_000_000_000_000_000
PLAIN = SoundRule(threshold=0.6, release=0.5, hits=2, of=3)


def at(number):
    return START + number * CHUNK_NS


def chunk(number, scores, **changes):
    return replace(EncodedChunk(
        features=np.zeros((2, 4), np.float32), stamp_ns=at(number), epoch=1, seq=number,
        model_id='m', sounds=SoundScores(names=tuple(scores),
                                         scores=np.array(list(scores.values()), np.float32))),
        **changes)


def hear(scores, rule=PLAIN, name='dog', **changes):
    """Return (number of the chunk, event) for one sound's scores."""
    detector, heard = SoundDetector({name: rule}), []
    for seq, score in enumerate(scores):
        given_changes = {key: value[seq] for key, value in changes.items()}
        heard += [(seq, event) for event in detector.push(
            chunk(seq, {} if score is None else {name: score}, **given_changes))]
    return heard


def kinds(heard):
    return [(seq, type(event).__name__[5:].lower()) for seq, event in heard]


def test_enough_hits_begin_a_sound_and_enough_misses_end_it():
    (began, start), (ended, end) = hear([0.1, 0.7, 0.2, 0.9, 0.4, 0.2, 0.2, 0.1, 0.0])
    assert (began, start.onset_ns, start.stamp_ns, start.seq) == (3, at(1), at(4), 3)
    assert start.score == pytest.approx(0.9) and start.threshold == 0.6 and start.lane == ''
    assert ended == 7  # 0.4 was still heard: above half of the threshold
    assert (end.onset_ns, end.offset_ns, end.stamp_ns) == (at(1), at(5), at(8))
    assert end.score == pytest.approx(0.9)


def test_hits_too_far_apart_are_no_sound():
    assert hear([0.9, 0, 0, 0.9, 0, 0, 0.9]) == []
    assert kinds(hear([0.9, 0, 0, 0.9], replace(PLAIN, of=4))) == [(3, 'started')]
    assert kinds(hear([0, 0.9], replace(PLAIN, hits=1))) == [(1, 'started')]


def test_a_pause_shorter_than_the_window_ends_nothing():
    assert kinds(hear([0.9, 0.9, 0, 0, 0.9, 0, 0, 0.3, 0, 0, 0])) == [
        (1, 'started'), (10, 'ended')]


def test_a_sound_must_last():
    rule = replace(PLAIN, min_s=2.0)
    assert hear([0.9] * 4 + [0] * 4, rule) == []
    heard = hear([0] + [0.9] * 5, rule)
    assert kinds(heard) == [(5, 'started')] and heard[0][1].onset_ns == at(1)
    # a break below the hits that it takes begins the count anew
    assert hear([0.9, 0.9, 0, 0, 0.9, 0.9, 0.9], rule) == []


def test_what_lasts_too_long_ends_and_waits_until_it_was_not_heard():
    rule = SoundRule(threshold=0.6, release=0.5, hits=1, of=2, max_s=2.0)
    assert kinds(hear([0.9] * 20, rule)) == [(0, 'started'), (5, 'ended')]
    assert kinds(hear([0.9] * 9 + [0.1] + [0.9], rule)) == [
        (0, 'started'), (5, 'ended'), (10, 'started')]


def test_a_sound_that_breaks_off_has_ended_on_the_chunk_before():
    for changes in ({'discontinuity': True}, {'lost_samples_before': 16}, {'epoch': 2, 'seq': 0},
                    {'seq': 3}):
        detector = SoundDetector({'dog': PLAIN})
        detector.push(chunk(0, {'dog': 0.9}))
        assert len(detector.push(chunk(1, {'dog': 0.9}))) == 1
        (end,) = detector.push(chunk(2, {'dog': 0.9}, **changes))
        assert isinstance(end, SoundEnded), changes
        assert (end.offset_ns, end.stamp_ns, end.epoch, end.seq) == (at(2), at(2), 1, 1), changes
        # the hits before it count no more
        (start,) = detector.push(chunk(3, {'dog': 0.9}, epoch=changes.get('epoch', 1),
                                       seq=changes.get('seq', 2) + 1))
        assert isinstance(start, SoundStarted) and start.onset_ns == at(2), changes


def test_the_end_of_a_stream_ends_its_sounds():
    heard = hear([0.9] * 4, end_of_stream=[False, False, True, False])
    assert kinds(heard) == [(1, 'started'), (2, 'ended')]
    assert heard[1][1].offset_ns == at(3)


def test_what_is_no_number_is_no_evidence():
    assert hear([math.nan] * 5) == [] and hear([math.inf] * 5) == []
    assert kinds(hear([0.9, 0.9, math.nan, math.nan, math.nan])) == [(1, 'started'), (4, 'ended')]
    assert hear([0.9, 0.9])[0][1].score <= 1


def test_a_class_that_a_chunk_does_not_name_counts_as_unheard():
    assert kinds(hear([0.9, None, 0.9, None, None, None])) == [(2, 'started'), (5, 'ended')]


def test_a_sound_that_is_taught_while_it_listens_is_found_by_its_name():
    detector = SoundDetector({'dog': PLAIN, 'our bell': replace(PLAIN, hits=1)})
    assert detector.push(chunk(0, {'cat': 1.0, 'dog': 0.9})) == []
    events = detector.push(chunk(1, {'our bell': 0.8, 'dog': 0.9, 'cat': 1.0}))
    assert [event.sound for event in events] == ['dog', 'our bell']


def test_what_began_under_the_robots_voice_must_be_heard_without_it():
    speaking = [True, True, True, False, False, False]
    heard = hear([0.9] * 6, robot_speaking=speaking)
    assert kinds(heard) == [(1, 'started'), (3, 'ended'), (4, 'started')]
    assert [event.robot_speaking for _, event in heard if isinstance(event, SoundStarted)] == [
        True, False]
    assert heard[2][1].onset_ns == at(3)
    # hits under its voice do not count for what comes after
    assert kinds(hear([0.9, 0.9, 0.1], robot_speaking=[True, False, False])) == []
    # what began before it spoke goes on
    assert kinds(hear([0.9] * 5, robot_speaking=[False, False, True, True, False])) == [
        (1, 'started')]


def test_other_rules_end_only_what_they_change():
    rules = {'dog': PLAIN, 'cat': PLAIN, 'bell': PLAIN}
    detector = SoundDetector(rules)
    scores = dict.fromkeys(rules, 0.9)
    detector.push(chunk(0, scores))
    assert len(detector.push(chunk(1, scores))) == 3
    changed = {'dog': PLAIN, 'cat': replace(PLAIN, threshold=0.95), 'car': PLAIN}
    assert [event.sound for event in detector.adjust(changed)] == ['cat', 'bell']
    assert detector.rules == changed
    assert detector.push(chunk(2, scores)) == []
    assert [event.sound for event in detector.reset()] == ['dog']


PLACE = replace(PLAIN, background=0.5)


def test_a_place_that_sounds_like_it_must_be_outdone():
    steady = [0.4, 0.5] * 25
    assert kinds(hear([*steady, 0.9, 0.9])) == [(51, 'started')]
    assert kinds(hear([*steady, 0.9, 0.9], PLACE)) == []
    (_, start), = hear([*steady, 0.99, 0.99], PLACE)
    # what it tells are the score that was heard and the threshold of that place
    assert start.score == pytest.approx(0.99) and 0.95 < start.threshold < 0.99
    assert kinds(hear([*steady, *[0.0] * 13, 0.7, 0.7], PLACE)) == [(64, 'started')]


def test_thresholds_are_those_of_the_newest_chunk():
    detector = SoundDetector({'dog': PLACE, 'cat': PLAIN})
    assert detector.thresholds == {'dog': 0.6, 'cat': 0.6}
    for seq in range(40):
        detector.push(chunk(seq, {'dog': 0.4, 'cat': 0.4}))
    assert detector.thresholds['dog'] > 0.9 and detector.thresholds['cat'] == 0.6
    detector.push(chunk(40, {'dog': 0.4}, discontinuity=True))  # another place, for all it knows
    assert detector.thresholds['dog'] == 0.6


@pytest.mark.parametrize('share', [0.3, 0.5, 1.0])
@pytest.mark.parametrize('seconds', [30, 120])
@pytest.mark.parametrize('pattern', [[0.95], [0.7], [0.95, 0.4], [0.95, 0.9, 0.1, 0.1]])
def test_an_alarm_of_minutes_neither_ends_early_nor_becomes_its_own_background(
        pattern, seconds, share):
    """Steady, just above its threshold, beeping, and beeping with pauses."""
    rule, before = replace(PLAIN, background=share), [0.002] * 30
    count = round(seconds / 0.4)
    alarm = (pattern * count)[:count]
    heard = hear([*before, *alarm, *[0.002] * 5, *alarm[:10]], rule)
    assert [kind for _, kind in kinds(heard)] == ['started', 'ended', 'started']
    (began, start), (_, end), (again, _) = heard
    assert began <= 30 + 2 and again <= 30 + count + 5 + 2  # the next alarm is heard as soon
    assert end.offset_ns >= at(30 + count - 2) and end.onset_ns == start.onset_ns == at(30)


def test_a_sound_that_must_last_does_not_become_its_own_background_meanwhile():
    assert kinds(hear([0.0] * 5 + [0.7] * 60, replace(PLACE, min_s=20.0))) == [(54, 'started')]


def test_the_robots_own_voice_is_no_background():
    speaking = [True] * 40 + [False] * 3
    assert kinds(hear([0.55] * 40 + [0.7] * 3, PLACE, robot_speaking=speaking)) == [
        (41, 'started')]
    assert kinds(hear([0.55] * 40 + [0.7] * 3, PLACE)) == []


@pytest.mark.parametrize(('wrong', 'named'), [
    ({'threshold': 0.0}, 'threshold'), ({'threshold': 1.5}, 'threshold'),
    ({'threshold': math.nan}, 'threshold'), ({'release': 0.0}, 'release'),
    ({'release': 1.1}, 'release'), ({'hits': 4}, 'hits'), ({'hits': 0}, 'hits'),
    ({'of': 0, 'hits': 0}, 'of'), ({'background': 1.1}, 'background'),
    ({'background': math.nan}, 'background'), ({'background_s': 0.1}, 'background_s'),
    ({'background_s': 61.0}, 'background_s'), ({'min_s': -1.0}, 'min_s'),
    ({'max_s': 0.2}, 'max_s'),
    ({'min_s': 5.0, 'max_s': 4.0}, 'max_s')])
def test_a_rule_by_which_nothing_could_begin_or_end_is_refused(wrong, named):
    with pytest.raises(ConfigurationError, match=f'^{named}: expected'):
        SoundRule(**{'threshold': 0.5, 'of': 3, **wrong})


SCORES = st.lists(st.one_of(st.floats(0, 1, width=32), st.just(math.nan)), max_size=60)
RULES = st.builds(
    lambda threshold, release, of, hits, min_s, max_s, background, background_s: SoundRule(
        threshold=threshold, release=release, of=of, hits=min(hits, of), min_s=min_s,
        max_s=min_s + max_s, background=background, background_s=background_s),
    st.floats(0.05, 1), st.floats(0.05, 1), st.integers(1, 6), st.integers(1, 6),
    st.sampled_from([0.0, 0.4, 1.0, 2.5]), st.sampled_from([0.5, 3.0, 600.0]),
    st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.4, 2.0, 10.0]))


@example([1.0], SoundRule(threshold=1.0, background=0.5), None)
@example([0.9, 1.0], SoundRule(threshold=1.0, background=1.0, background_s=0.4), None)
@example([0.6] * 3, SoundRule(threshold=0.5, hits=2, of=2, max_s=0.5), None)
@given(SCORES, RULES, st.data())
def test_events_of_a_sound_are_pairs_in_order_within_their_bounds(scores, rule, data):
    speaking = [False] * len(scores) if data is None else data.draw(
        st.lists(st.booleans(), min_size=len(scores), max_size=len(scores)))
    begun = None
    for seq, event in hear(scores, rule, robot_speaking=speaking):
        if isinstance(event, SoundStarted):
            assert begun is None and event.score >= event.threshold >= rule.threshold
            assert event.onset_ns <= at(seq)
            assert event.stamp_ns - event.onset_ns >= rule.min_s * 1e9
            begun = event
        else:
            assert begun is not None and event.onset_ns == begun.onset_ns
            assert begun.onset_ns < event.offset_ns <= event.stamp_ns
            assert event.score >= begun.score and event.threshold == begun.threshold
            at_least = begun.stamp_ns - begun.onset_ns  # several chunks may have to be hits
            assert event.stamp_ns - event.onset_ns <= max(rule.max_s * 1e9, at_least) + CHUNK_NS
            begun = None


@given(st.lists(st.tuples(*[st.floats(0, 1, width=32)] * 3), max_size=40),
       st.lists(RULES, min_size=3, max_size=3), st.permutations(['a', 'b', 'c']), st.data())
def test_neither_other_sounds_nor_their_order_change_what_is_heard(rows, rules, order, data):
    rules = dict(zip('abc', rules, strict=True))
    together, events = SoundDetector({name: rules[name] for name in order}), []
    for seq, row in enumerate(rows):
        scores = dict(zip('abc', row, strict=True))
        shown = data.draw(st.permutations(list(scores.items())))
        events += together.push(chunk(seq, dict(shown)))
    for place, name in enumerate('abc'):
        alone = hear([row[place] for row in rows], rules[name], name)
        assert [event for event in events if event.sound == name] == [e for _, e in alone]


@given(SCORES, RULES, st.integers(0, 60))
def test_a_detector_has_no_memory_beyond_a_break(scores, rule, at_chunk):
    """What it says after a gap is what a new one says of the same chunks."""
    cut = min(at_chunk, len(scores))
    gaps = [seq == cut for seq in range(len(scores))]
    events = [event for seq, event in hear(scores, rule, discontinuity=gaps) if seq >= cut
              and not (seq == cut and isinstance(event, SoundEnded))]
    detector, fresh = SoundDetector({'dog': rule}), []
    for seq, score in enumerate(scores[cut:], cut):
        fresh += detector.push(chunk(seq, {'dog': score}))
    assert events == fresh
