"""Thresholds for one place: raised by as little as keeps it quiet, critical ones not too far."""

import numpy as np
import pytest

from audio_interaction_ros.alerts.calibration import (
    bound_rate,
    choose_thresholds,
    find_refusals,
    read_curves,
    recall_at,
)
from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.stream.chunk import EncodedChunk, SoundScores
from audio_interaction_ros.stream.sound_events import SoundRule

pytestmark = pytest.mark.unit

CURVES = {'alarm': [[0.5, 0.9], [0.8, 0.6]], 'dog': [[0.5, 0.9], [0.8, 0.88]]}
NAMES = ('alarm', 'dog')


def make_chunks(rows):
    return [EncodedChunk(
        features=np.zeros((1, 1), np.float32), stamp_ns=index * 400_000_000, epoch=1, seq=index,
        model_id='m', sounds=SoundScores(names=NAMES, scores=np.array(row, np.float32)))
        for index, row in enumerate(rows)]


def choose(rows, allowed=0, curves=CURVES, hits=1):
    rules = {name: SoundRule(threshold=0.5, hits=hits) for name in NAMES}
    found = choose_thresholds(make_chunks(rows), rules, allowed=allowed, curves=curves,
                              is_critical=lambda name: name == 'alarm')
    return {choice.sound: choice for choice in found}


QUIET = [(0.1, 0.1)] * 5


def test_a_quiet_home_changes_nothing():
    chosen = choose(QUIET)
    assert [choice.after for choice in chosen.values()] == [0.5, 0.5]
    assert find_refusals(list(chosen.values())) == []


def test_a_threshold_rises_just_above_what_was_heard():
    chosen = choose([*QUIET, (0.1, 0.7), *QUIET, (0.1, 0.6), *QUIET])
    assert chosen['dog'].events_before == 2 and chosen['dog'].events_after == 0
    assert 0.7 < chosen['dog'].after < 0.75
    assert chosen['alarm'].after == 0.5
    assert chosen['dog'].recall_kept == pytest.approx(1 - 0.02 * 2 / 3 / 0.9, abs=0.005)


def test_what_may_remain_remains():
    chosen = choose([*QUIET, (0.1, 0.7), *QUIET, (0.1, 0.6), *QUIET], allowed=1)
    assert chosen['dog'].events_after == 1 and 0.6 < chosen['dog'].after < 0.7


def test_a_critical_class_rises_last_and_is_refused_when_it_loses_too_much():
    rows = [*QUIET, (0.78, 0.1), *QUIET, (0.1, 0.78), *QUIET]
    assert choose(rows, allowed=1)['alarm'].after == 0.5
    (refused,) = find_refusals(list(choose(rows).values()))
    assert 'alarm' in refused and 'recall fall from 0.90 to 0.6' in refused
    assert find_refusals(list(choose(rows).values()), least=0.6) == []


def test_what_is_above_all_measured_thresholds_is_taken_for_hearing_less():
    few = {'alarm': [[0.5, 0.9], [0.9, 0.9]]}
    assert recall_at(few['alarm'], 0.95) == pytest.approx(0.45)
    (refused,) = find_refusals(list(choose([*QUIET, (0.98, 0.1), *QUIET], curves=few).values()))
    assert 'keeps' in refused


def test_a_critical_class_without_a_curve_is_not_raised_unasked():
    rows = [*QUIET, (0.6, 0.6), *QUIET]
    (refused,) = find_refusals(list(choose(rows, curves={}).values()))
    assert 'alarm' in refused and 'no curve tells' in refused


def test_a_class_that_hears_little_may_not_lose_most_of_it():
    weak = {'alarm': [[0.5, 0.12], [0.8, 0.03]]}
    (refused,) = find_refusals(list(choose([*QUIET, (0.78, 0.1), *QUIET], curves=weak).values()))
    assert 'from 0.12 to 0.04' in refused


def test_a_class_that_always_scores_one_remains_and_ends_the_search():
    chosen = choose([*QUIET, (0.1, 1.0), *QUIET])
    assert (chosen['dog'].after, chosen['dog'].events_after) == (1.0, 1)


def test_scores_of_single_chunks_do_not_count_where_two_are_asked_for():
    assert choose([*QUIET, (0.1, 0.9), *QUIET], hits=2)['dog'].after == 0.5


@pytest.mark.parametrize(('events', 'hours', 'bound'), [
    (0, 1.0, 2.996), (0, 1 / 6, 17.97), (3, 1.0, 7.754)])
def test_a_rate_is_bounded_as_poisson_has_it(events, hours, bound):
    assert bound_rate(events, hours) == pytest.approx(bound, abs=0.01)


def test_no_time_bounds_nothing():
    assert bound_rate(0, 0.0) == float('inf')


def test_curves_are_read_between_their_rows_and_refused_where_they_are_none():
    curves = read_curves({'a': [[0.5, 0.9, 7], [0.7, 0.5, 3]]}, 'file')
    assert recall_at(curves['a'], 0.6) == pytest.approx(0.7)
    assert recall_at(None, 0.5) is None
    for wrong in ([], {'a': 3}, {'a': [['x', 1]]}):
        with pytest.raises(ConfigurationError, match='expected curves'):
            read_curves(wrong, 'file')
