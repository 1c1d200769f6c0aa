"""The choice of a token: the best of what is allowed, how sure, and nothing where scores lie."""

import math

import numpy as np
import pytest

from audio_interaction_ros.protocol import RELEASED_TOKEN_IDS as IDS
from audio_interaction_ros.runtimes.base import Allowed
from audio_interaction_ros.runtimes.choice import choose, suppressed_ids

pytestmark = pytest.mark.unit

NONE = np.zeros(0, np.int64)


def test_an_emotion_is_allowed_in_front_only_and_no_other_structure_ever():
    never = {allowed: set(ids.tolist()) for allowed, ids in suppressed_ids(IDS).items()}
    assert never[Allowed.TEXT] == IDS.structural - {IDS.text_end}
    assert never[Allowed.FIRST] == never[Allowed.TEXT] - set(IDS.emotions)
    assert Allowed.CONTROLS not in never


def test_the_best_that_is_allowed_is_chosen_and_counts_among_those():
    scores = np.log(np.array([0.1, 0.2, 0.7], np.float32))
    assert choose(scores, NONE) == (2, pytest.approx(math.log(0.7), rel=1e-5))
    assert choose(scores, np.array([2])) == (1, pytest.approx(math.log(2 / 3), rel=1e-5))
    assert scores[2] == np.log(np.float32(0.7))


def test_of_equals_the_first_is_chosen():
    token, log_prob = choose(np.zeros(4, np.float32), np.array([0]))
    assert token == 1 and log_prob == pytest.approx(-math.log(3))


@pytest.mark.parametrize('bad', [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize('place', [0, 2])
def test_one_score_that_is_no_number_spoils_all_even_where_it_is_suppressed(bad, place):
    scores = np.array([0.0, 1.0, 2.0], np.float32)
    scores[place] = bad
    assert math.isnan(choose(scores, np.array([0]))[1])
