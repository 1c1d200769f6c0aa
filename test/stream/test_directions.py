"""Directions of a microphone array: the mean on the circle, of a span, in bounded memory."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_interaction_ros.stream.directions import Directions

pytestmark = pytest.mark.unit

S = 1_000_000_000


def filled(*pairs, **options):
    directions = Directions(**options)
    for seconds, degrees in pairs:
        directions.add(round(seconds * S), math.radians(degrees))
    return directions


def mean_of(directions, start, end):
    return math.degrees(directions.find_mean(round(start * S), round(end * S)))


@pytest.mark.parametrize(('degrees', 'expected'), [
    ((179, -179), 180), ((10, 20, 30), 20), ((350, 10), 0), ((-90,), -90)])
def test_the_mean_is_that_of_the_circle(degrees, expected):
    directions = filled(*((100 + number / 10, value) for number, value in enumerate(degrees)))
    assert abs(math.remainder(mean_of(directions, 100, 101) - expected, 360)) < 1e-6


def test_only_the_span_counts():
    directions = filled((10, 0), (11, 90), (12, 90), (13, 180))
    assert mean_of(directions, 10.5, 12.5) == pytest.approx(90)


def test_a_direction_right_before_a_span_counts_where_there_is_none_in_it():
    directions = filled((10, 45), (10.2, 60), (20, -45))
    assert mean_of(directions, 10.4, 11) == pytest.approx(60)
    assert math.isnan(mean_of(directions, 11, 12))


@pytest.mark.parametrize('degrees', [(0, 180), (0, 120, 240)])
def test_directions_all_around_have_no_mean(degrees):
    assert math.isnan(mean_of(filled(*((1, value) for value in degrees)), 0, 2))


def test_nothing_is_known_of_a_span_without_directions():
    assert math.isnan(mean_of(Directions(), 0, 1))


def test_old_ones_and_too_many_are_forgotten():
    directions = filled(*((second, 0) for second in range(200)), keep_s=60)
    assert len(directions) == 61
    for step in range(10_000):
        directions.add(200 * S + step, 0.0)
    assert len(directions) == 4096


def test_a_clock_that_was_set_back_begins_anew():
    directions = filled((1000, 90), (10, 0))
    assert mean_of(directions, 9, 1001) == pytest.approx(0)


def test_an_array_that_is_late_is_heard():
    directions = filled((10, 90), (9.8, 90))
    assert mean_of(directions, 9.7, 9.9) == pytest.approx(90)


@given(st.floats(-math.pi, math.pi), st.lists(st.floats(-0.5, 0.5), min_size=1, max_size=20))
def test_the_mean_turns_with_the_directions(turn, spread):
    first, second = Directions(), Directions()
    for number, value in enumerate(spread):
        first.add(number, value)
        second.add(number, value + turn)
    ours, turned = first.find_mean(0, 100), second.find_mean(0, 100)
    assert abs(math.remainder(turned - ours - turn, math.tau)) < 1e-6
