"""Intervals against published values, and calibration."""

import math

import numpy as np
import pytest

from measure.intervals import bootstrap, calibration, percentiles, poisson, quotients, wilson

pytestmark = pytest.mark.unit


def test_wilson_gives_the_published_interval_and_stays_inside():
    found = wilson(8, 10)
    assert (found.value, round(found.low, 3), round(found.high, 3)) == (0.8, 0.490, 0.943)
    assert wilson(0, 5).low == 0.0 and 0 < wilson(0, 5).high < 0.5
    assert wilson(5, 5).high == 1.0 and math.isnan(wilson(0, 0).value)


def test_poisson_gives_garwoods_interval():
    found = poisson(10, 2.0)
    assert (found.value, round(2 * found.low, 3), round(2 * found.high, 3)) == (
        5.0, 4.795, 18.390)
    assert poisson(0, 1.0).low == 0.0 and round(poisson(0, 1.0).high, 3) == 3.689
    assert math.isnan(poisson(3, 0.0).value)


def test_bootstrap_covers_the_mean_as_the_normal_interval_does():
    values = list(np.random.default_rng(1).normal(5, 2, 400))
    found = bootstrap(values, lambda drawn: float(np.mean(drawn)))
    half = 1.96 * np.std(values) / 20
    assert found.value == np.mean(values)
    assert abs(found.high - found.value - half) < 0.05 > abs(found.value - found.low - half)
    assert found == bootstrap(values, lambda drawn: float(np.mean(drawn)))


def test_a_share_on_which_all_agree_is_not_certain():
    assert quotients([0, 0, 0], [1, 1, 1]).high == 0.0
    assert quotients([0, 0, 0], [1, 1, 1], share=True).high == wilson(0, 3).high > 0.5


def test_quotients_give_the_mean_over_columns_and_agree_with_any_bootstrap():
    above, below = [[1, 0], [1, 0], [0, 0]], [[1, 0], [2, 0], [1, 0]]
    assert quotients(above, below).value == 0.5
    assert quotients([[1, 0], [0, 1]], [[1, 1], [1, 1]]).value == 0.5
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 5, 60), rng.integers(5, 9, 60)
    fast, slow = quotients(a, b), bootstrap(
        list(zip(a, b, strict=True)), lambda drawn: np.sum(drawn, 0)[0] / np.sum(drawn, 0)[1])
    assert fast.value == pytest.approx(slow.value)
    assert (fast.low, fast.high) == pytest.approx((slow.low, slow.high), abs=0.02)
    assert math.isnan(quotients([], []).value)


def test_calibration_of_a_calibrated_and_of_a_sure_and_wrong_score():
    rng = np.random.default_rng(0)
    p = rng.random(20_000)
    good = calibration(p, rng.random(20_000) < p)
    assert good['ece'] < 0.02 and len(good['points']) == 10
    bad = calibration([1.0, 1.0], [False, False])
    assert (bad['ece'], bad['brier'], bad['points'][0]['n']) == (1.0, 1.0, 2)


def test_nothing_has_no_percentiles():
    assert percentiles([])['n'] == 0 and math.isnan(percentiles([])['p50'])
    assert percentiles([1.0, 3.0]) == {'p50': 2.0, 'p95': 2.9, 'n': 2}
