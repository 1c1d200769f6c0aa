"""Where somebody speaks, from probabilities."""

import numpy as np
import pytest

from audio_interaction_ros.audio.speech_span import speech_span

pytestmark = pytest.mark.unit


def likely(*spans, seconds=20.0):
    """Return a probability for each 0.05 s, high in the spans (start and end in seconds)."""
    found = np.full(round(seconds / 0.05), 0.1)
    for start, end in spans:
        found[round(start / 0.05):round(end / 0.05)] = 0.9
    return found


@pytest.mark.parametrize(('spans', 'expected'), [
    ([(5.0, 7.0)], (4.6, 7.4)),
    ([(0.2, 1.0)], (0.0, 1.4)),
    ([(19.0, 20.0)], (18.6, 20.0)),
    ([(5.0, 5.3), (9.0, 9.4)], (4.6, 9.8)),
    ([(1.0, 1.1), (9.0, 9.4)], (8.6, 9.8)),
    ([(9.0, 9.1)], (8.6, 9.5)),
    ([(5.0, 5.1), (6.0, 6.5), (7.9, 8.0)], (4.6, 8.4))],
    ids=['middle', 'beginning', 'end', 'two words', 'a squeak before', 'only a squeak',
         'soft beginning and end'])
def test_the_span_holds_the_speech_with_a_margin(spans, expected):
    assert speech_span(likely(*spans), 0.05) == pytest.approx(expected)


@pytest.mark.parametrize('probabilities', [likely(), likely((3.0, 3.05)), np.zeros(0)],
                         ids=['nothing', 'a click', 'no audio'])
def test_nobody_speaks(probabilities):
    assert speech_span(probabilities, 0.05) is None
