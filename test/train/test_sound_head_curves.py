"""Calibration, curves and the choice of thresholds, on numbers whose answer is known."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.stream.sound_events import SoundRule
from train.sound_head.alarms import find_alarms, levels_of, series_of
from train.sound_head.calibration import calibration_error, fit_calibration, sigmoid
from train.sound_head.choose import choose_thresholds, compare_rules, recall_curves, to_yaml
from train.sound_head.classes import SoundClass, SoundClasses
from train.sound_head.command import choose, read_curves
from train.sound_head.curves import (
    THRESHOLDS,
    CheckedStream,
    count_alarms,
    draw_curves,
    is_heard,
)
from train.sound_head.dataset import Stream
from train.sound_head.place import LEAD_S
from train.sound_head.scenes import SceneEvent
from train.sound_head.tails import extrapolate

pytestmark = pytest.mark.unit

RULES = {'siren': '1 of 1'}
ONE = SoundRule(threshold=1.0, hits=1, of=1)
CLASSES = SoundClasses(alerts={'siren': SoundClass(('siren',), ()),
                               'cough': SoundClass(('cough',), ())}, others={})


def stream(kind, scores, label='', targets=None):
    """Return a checked stream of the siren's scores; a cough is never heard."""
    count = len(scores)
    events = (SceneEvent(label, 0.4, 0.8, 'a.flac'),) if label else ()
    both = np.stack([scores, np.zeros(count)], axis=1)
    if targets is None:
        targets = np.zeros((count, 2), np.int8)
        targets[1:2, 0] = bool(label)
    return CheckedStream(Stream('s', 1, kind, 0, count, events), both, targets)


def test_logits_of_another_scale_become_shares():
    chance = np.random.default_rng(0)
    true = chance.standard_normal(4000) * 2
    present = (chance.random(4000) < sigmoid(true)).astype(np.int8)
    calibration = fit_calibration((true * 3 + 2)[:, None], present[:, None])
    scores = calibration.apply((true * 3 + 2)[:, None])[:, 0]
    assert abs(calibration.scale[0] - 1 / 3) < 0.05
    assert calibration_error(scores, present == 1) < 0.03
    assert calibration_error(sigmoid(true * 3 + 2), present == 1) > 0.1


def test_what_is_unknown_does_not_move_the_calibration():
    logits = np.array([[2.0], [-2.0], [50.0]])
    known = fit_calibration(logits[:2], np.array([[1], [0]]))
    more = fit_calibration(logits, np.array([[1], [0], [-1]]))
    np.testing.assert_allclose(more.scale, known.scale)


def test_two_of_three_chunks_make_an_alarm_where_two_of_the_last_three_reach_the_threshold():
    scores = np.array([0.9, 0.0, 0.8, 0.0, 0.0, 0.7])
    assert series_of(scores, 1, 1).tolist() == scores.tolist()
    assert series_of(scores, 2, 3).tolist() == [0.0, 0.0, 0.8, 0.0, 0.0, 0.0]


def test_an_alarm_that_lasts_counts_once():
    counts = dict(zip(THRESHOLDS, count_alarms(np.array([0.6, 0.6, 0.0, 0.9]), ONE),
                      strict=True))
    assert counts[0.5] == 2 and counts[0.7] == 1 and counts[0.95] == 0


def test_an_event_is_heard_in_its_time_only():
    early, late = ([0.9, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 0.9])
    assert not is_heard(stream('dry', early, 'siren'), 0, ONE).any()
    assert not is_heard(stream('dry', late, 'siren'), 0, ONE).any()
    heard = is_heard(stream('dry', [0, 0.5, 0, 0, 0, 0, 0], 'siren'), 0, ONE)
    assert heard[THRESHOLDS.index(0.5)] and not heard[THRESHOLDS.index(0.55)]


scores_of_chunks = st.lists(st.sampled_from([0.0, 0.05, 0.3, 0.6, 0.9, 0.99, 1.0]), min_size=1,
                            max_size=60).map(np.array)


@given(scores_of_chunks, st.sampled_from([(1, 1), (1, 3), (2, 3)]),
       st.sampled_from([0.0, 0.5, 1.0]), st.sampled_from([0.8, 4.0]),
       st.sampled_from([0.05, 0.3, 0.55, 0.95, 0.999]))
def test_one_row_of_levels_tells_where_the_robot_hears_its_first_alarm(scores, chunks, share,
                                                                       seconds, threshold):
    rule = SoundRule(threshold=1.0, hits=chunks[0], of=chunks[1], background=share,
                     background_s=seconds)
    alarms = find_alarms(scores, rule, threshold)
    reached = np.flatnonzero(levels_of(scores, rule) >= threshold - 1e-12)
    assert [first for first, _ in alarms[:1]] == reached[:1].tolist()


def test_a_steady_background_costs_recall_and_false_alarms_where_the_rules_say_so():
    noisy, rises = [*[0.3] * 30, 0.6], {'siren': SoundRule(threshold=1.0, background=0.5)}
    streams = [stream('ambience', noisy), stream('dry', [0, 0.6, 0, 0], 'siren')]
    place = THRESHOLDS.index(0.5)
    for detect, counted in (({}, 1), (rises, 0)):
        told = draw_curves(streams, CLASSES, detect)['classes']['siren']
        assert told['false_alarms']['ambience']['1 of 1'][place] == counted
        assert told['recall']['dry']['1 of 1'][place] == 1.0


def test_a_robot_knows_the_place_of_an_event_and_a_check_is_no_easier():
    """One chunk of a place that sounds like the event stands for twelve seconds of it."""
    rule = SoundRule(threshold=1.0, background=0.5)
    place, silent = stream('dry', [0.3, 0.6, 0, 0], 'siren'), stream('dry', [0, 0.6, 0], 'siren')
    heard = is_heard(place, 0, rule)
    assert not heard[THRESHOLDS.index(0.4)] and heard[THRESHOLDS.index(0.05)]
    assert is_heard(silent, 0, rule)[THRESHOLDS.index(0.6)]
    scores, more = place.hear(0)
    assert more * 0.4 == LEAD_S and scores[:more + 1].tolist() == [0.3] * (more + 1)


def test_what_is_told_of_a_place_before_a_check_is_one_alarm_as_far_as_it_goes_on():
    assert count_alarms(np.array([0.9, 0.9, 0.0, 0.0]), ONE, 2)[THRESHOLDS.index(0.5)] == 0
    assert count_alarms(np.array([0.9, 0.9, 0.9, 0.0]), ONE, 2)[THRESHOLDS.index(0.5)] == 1


@pytest.fixture
def table():
    unknown = np.full((900, 2), -1, np.int8)
    return draw_curves([
        stream('dry', [0, 0.9, 0, 0, 0], 'siren'), stream('dry', [0, 0.4, 0, 0, 0], 'siren'),
        stream('10 dB', [0, 0.6, 0, 0, 0], 'siren'),
        stream('harmless', [0.3, *[0.0] * 8999]), stream('speech', [0.0] * 900),
        stream('ambience', [0.5] * 900, targets=unknown),
        stream('ambience', [0.1, *[0.0] * 899])], CLASSES)


def test_curves_tell_recall_and_false_alarms_of_streams_where_a_class_is_known_to_be_absent(table):
    siren = table['classes']['siren']
    place = table['thresholds'].index(0.5)
    assert siren['recall']['dry']['1 of 1'][place] == 0.5
    assert siren['recall']['10 dB']['1 of 1'][place] == 1.0
    assert siren['events']['dry'] == {'recorded': 2, 'computed': 0}
    assert siren['hours'] == {'ambience': 0.1, 'speech': 0.1, 'harmless': 1.0,
                              'other_alerts': 0.0}
    assert siren['false_alarms']['harmless']['1 of 1'][table['thresholds'].index(0.3)] == 1
    assert json.loads(json.dumps(table)) == table


def test_a_rate_decides_how_low_a_threshold_goes(table):
    strict = choose_thresholds(table, 0.05, RULES)
    assert list(strict) == ['siren'] and 0.3 < strict['siren'].threshold <= 0.4
    assert strict['siren'].recall == 1.0 and strict['siren'].rates['harmless'] == 0.0


def test_an_alarm_is_not_bought_when_the_rate_forbids_it(table):
    table['classes']['siren']['rates']['ambience']['1 of 1'] = [9.0] * 8 + [0.0] * (
        len(THRESHOLDS) - 8)
    assert choose_thresholds(table, 0.5, RULES)['siren'].threshold > THRESHOLDS[7]


def test_the_profile_is_yaml_with_the_price_beside_it(table, tmp_path):
    text = to_yaml(choose_thresholds(table, 0.05, RULES))
    assert text.startswith('    siren: 0.') and '# recall 1.00' in text
    path = tmp_path / 'curves.json'
    with pytest.raises(ConfigurationError, match=r'curves\.json'):
        read_curves(path)
    path.write_text(json.dumps(table))
    told = choose(read_curves(path), 0.05)
    assert 'siren: 0.' in told and 'cough' not in told


def test_what_weighs_more_gets_the_alarms_that_are_allowed(table):
    told, other = table['classes']['siren'], json.loads(json.dumps(table['classes']['siren']))
    for one in (told, other):
        one['false_alarms']['harmless']['1 of 1'] = [1] * 10 + [0] * (len(THRESHOLDS) - 10)
        for kind in one['recall']:
            one['recall'][kind]['1 of 1'] = [1.0] * 10 + [0.5] * (len(THRESHOLDS) - 10)
    table['classes']['cough'] = other
    rules = dict.fromkeys(('siren', 'cough'), '1 of 1')
    for heavy, light in (('siren', 'cough'), ('cough', 'siren')):
        chosen = choose_thresholds(table, 0.1, rules, {heavy: 4.0})
        assert chosen[heavy].recall == 1.0 and chosen[light].recall == 0.5


def test_a_rule_or_class_that_has_no_curve_is_refused(table):
    for rules in ({'siren': '9 of 9'}, {'cough': '1 of 1'}):
        with pytest.raises(ConfigurationError, match='rule'):
            choose_thresholds(table, 0.05, rules)


def test_the_short_table_says_threshold_recall_and_rates(table):
    rows = recall_curves(table, {'siren': '1 of 1'})
    assert list(rows) == ['siren'] and len(rows['siren']) == len(THRESHOLDS)
    assert rows['siren'][THRESHOLDS.index(0.5)] == [0.5, 0.75, 0.0, 0.0, 0.0]


def test_a_tail_tells_how_rare_alarms_are_above_all_that_was_heard():
    chance = np.random.default_rng(0)
    odds = chance.exponential(1.0, 4000)  # of 4,000 streams in 40 hours
    rates = extrapolate(1 / (1 + np.exp(-odds)), 40.0, THRESHOLDS)
    for threshold in (0.998, 0.9998):
        true = 100.0 * (1 - threshold) / threshold  # e^-t of 100 peaks an hour
        assert 0.3 < rates[THRESHOLDS.index(threshold)] / true < 3.0
    assert (np.diff(rates) <= 0).all() and rates[-1] > 0


def test_hours_count_as_ambience_and_their_rate_is_never_below_what_was_counted():
    quiet = [stream('hours', [0.01 * number, *[0.0] * 99]) for number in range(80)]
    told = draw_curves([*quiet, stream('dry', [0, 0.9, 0, 0], 'siren')], CLASSES)[
        'classes']['siren']
    assert told['hours']['ambience'] == pytest.approx(80 * 100 * 0.4 / 3600, abs=1e-4)
    counted = np.array(told['false_alarms']['ambience']['1 of 1']) / told['hours']['ambience']
    rates = np.array(told['rates']['ambience']['1 of 1'])
    assert (rates >= counted - 0.01).all() and rates[THRESHOLDS.index(0.9)] > 0


def test_rules_are_compared_at_the_same_price():
    single = [stream('hours', [0.9 if number < 4 else 0.0, *[0.0] * 99]) for number in range(80)]
    long = [0, 0.8, 0.8, 0.8, 0, 0, 0]
    table = draw_curves([*single, *[stream(kind, long, 'siren') for kind in ('dry', '10 dB')]],
                        CLASSES)
    recall = compare_rules(table, 0.5, ('siren',))['siren']
    assert recall['2 of 2'] == recall['2 of 3'] == 1.0 and recall['1 of 1'] == 0.0
