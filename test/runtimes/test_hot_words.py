"""Names that a reader is told of: expected before the text, and favoured token by token."""

import numpy as np
import pytest
from test_second_pass import Numbers, Says

from audio_interaction_ros.protocol import SAMPLE_RATE_HZ
from audio_interaction_ros.runtimes.hot_words import MOST_BEFORE, HotWords
from audio_interaction_ros.runtimes.second_pass import (
    NO_TIMESTAMPS,
    START_OF_PREVIOUS,
    WhisperSecondPass,
)

pytestmark = pytest.mark.unit
SPELT = {' Jarvis': [3, 4], ' Rosie': [3, 7, 8], '小爱': [5, 6], ' Jarvis, Rosie.': [9, 9]}


def encode(text):
    return SPELT[text]


def scores(**high):
    found = np.zeros(12, np.float32)
    for code, value in high.items():
        found[int(code[1:])] = value
    return found


def test_a_name_that_is_near_wins_and_one_that_is_far_does_not():
    names = HotWords(['Jarvis'], encode, prompt=False, first=1.0, following=2.0)
    assert names.choose(scores(_2=1.0, _3=0.5), []) == 3
    assert names.choose(scores(_2=1.6, _3=0.5), []) == 2
    assert names.choose(scores(_2=1.9), [1, 3]) == 4, 'it had begun'
    assert names.choose(scores(_2=1.9), [1, 4]) == 2, 'it was over'


def test_names_that_begin_alike_go_on_as_they_are_heard():
    names = HotWords(['Jarvis', 'Rosie'], encode, prompt=False)
    assert names.choose(scores(_7=0.3), [3]) == 7 and names.choose(scores(_4=0.3), [3]) == 4
    assert names.choose(scores(_1=1.0), [3, 7]) == 8


def test_scores_stay_as_they_are():
    given = scores(_2=1.0, _3=0.5)
    HotWords(['Jarvis'], encode, prompt=False).choose(given, [])
    assert np.array_equal(given, scores(_2=1.0, _3=0.5))


def test_chinese_names_have_no_space_before_them_and_no_names_change_nothing():
    assert HotWords(['小爱'], encode, prompt=False).choose(scores(_1=0.9), []) == 5
    nothing = HotWords([], encode)
    assert not nothing and nothing.prompt == [] and nothing.choose(scores(_1=0.1), [5]) == 1


def test_all_names_stand_before_the_text():
    assert HotWords(['Jarvis', 'Rosie'], encode).prompt == [9, 9]


def test_a_long_list_leaves_room_for_the_text():
    names = HotWords(['x'] * 200, lambda text: [1] * len(text))
    assert len(names.prompt) == MOST_BEFORE


def test_a_second_pass_shows_them_before_what_it_reads():
    net = Says(50_259, transcribe=[1, 2])
    one = WhisperSecondPass(net, Numbers(), hot_words=['Jarvis'])
    assert one.transcribe(np.full(SAMPLE_RATE_HZ, 0.1, np.float32)).text == '1 2'
    assert net.starts[0][:2] == [START_OF_PREVIOUS, 9] and net.starts[0][-1] == NO_TIMESTAMPS
