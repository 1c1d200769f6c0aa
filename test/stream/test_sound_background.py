"""A place that sounds like something raises what must be scored to be it, and only there."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_interaction_ros.stream.sound_background import SoundBackground

pytestmark = pytest.mark.unit


def odds(score):
    return math.log(score / (1 - score))


def listen(scores, share=0.5, seconds=10.0):
    background = SoundBackground(share=share, seconds=seconds)
    for score in scores:
        background.note(score)
    return background


def test_a_steady_place_raises_a_threshold_by_its_share_and_silence_does_not():
    steady = listen([0.3] * 25)
    assert odds(steady.raise_threshold(0.6)) == pytest.approx(odds(0.6) + (odds(0.3) + 6) / 2)
    assert listen([0.3] * 25, share=1.0).raise_threshold(0.6) > steady.raise_threshold(0.6)
    for silent in ([], [0.0] * 60, [1e-9] * 60, [0.3] * 12):  # less than half of ten seconds
        assert listen(silent).raise_threshold(0.6) == 0.6
    assert listen([1.0] * 25, share=0.0).raise_threshold(0.6) == 0.6


def test_what_is_over_for_as_long_as_is_remembered_raises_nothing():
    background = listen([0.5] * 500 + [0.0] * 12)
    assert background.raise_threshold(0.6) > 0.6
    background.note(0.0)
    assert background.raise_threshold(0.6) == 0.6
    background = listen([0.5] * 500)
    background.forget()
    assert background.raise_threshold(0.6) == 0.6


def test_what_is_sure_stays_so_in_the_loudest_place():
    raised = listen([1.0] * 25, share=1.0).raise_threshold(0.999)
    assert 0.999 < raised < 1.0  # a score of 1 still reaches it


@given(st.lists(st.floats(0, 1), max_size=80), st.sampled_from([0.4, 2.0, 10.0, 20.0]),
       st.floats(0.01, 1), st.floats(0.05, 0.999))
def test_the_rise_is_a_share_of_the_median_of_the_newest(scores, seconds, share, threshold):
    count = round(seconds / 0.4)
    heard = [-6.0] * count + [max(-6.0, math.log(max(p, 1e-12)) - math.log(max(1 - p, 1e-12)))
                              for p in scores]
    middle = np.sort(np.minimum(heard[-count:], 16.0))[count // 2]
    raised = listen(scores, share, seconds).raise_threshold(threshold)
    wanted = 1 / (1 + math.exp(-min(16.0, odds(threshold) + share * (middle + 6.0))))
    assert raised == pytest.approx(wanted, abs=1e-9) and raised >= threshold
