"""Detokenizer and decision gate."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_interaction_ros.stream.decision import DecisionGate, respond_probability
from audio_interaction_ros.stream.detokenizer import Detokenizer

pytestmark = pytest.mark.unit


@given(st.text(), st.integers(1, 5))
def test_any_cut_gives_the_same_text(text, size):
    """Bytes in pieces of any size give whole characters only."""
    data, one = text.encode(), Detokenizer()
    deltas = [one.push(data[i:i + size]) for i in range(0, len(data), size)]
    assert ''.join(deltas) == one.text == text.lstrip() and one.is_whole


def test_bytes_that_are_no_character_say_nothing():
    """Neither half a one where a text was cut off, nor what begins none."""
    one = Detokenizer()
    pieces = ['好'.encode()[:2], b' on', b'\xff', '你'.encode()[:1], '你'.encode()[1:2]]
    assert [one.push(piece) for piece in pieces] == ['', 'on', '', '', '']
    assert (one.text, one.is_whole) == ('on', False)
    assert one.push('你'.encode()[2:]) == '你' and one.is_whole


def test_probability_is_the_softmax_of_two():
    """Equal logits give one half; extreme ones no overflow."""
    logits = np.array([[0, 0], [0, 2], [-1e9, 1e9]], np.float32)
    assert respond_probability(logits) == pytest.approx([0.5, 0.880797, 1.0])


def test_without_hysteresis_each_chunk_may_respond():
    """A release of 1 keeps the gate armed."""
    gate = DecisionGate(threshold=0.7, release=1.0, refractory_ns=0)
    assert [gate.decide(p, t) for t, p in enumerate((0.6, 0.7, 1.0, 1.0))] == [
        False, True, True, True]


def test_a_clock_that_is_set_back_silences_nobody():
    gate = DecisionGate(threshold=0.5, release=1.0, refractory_ns=0)
    assert gate.decide(0.9, 3600 * 10 ** 9) and gate.decide(0.9, 5)
    gate.adjust(threshold=0.5, release=1.0, refractory_ns=10)
    assert not gate.decide(0.9, 8) and gate.decide(0.9, 4)
