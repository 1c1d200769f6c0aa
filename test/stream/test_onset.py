"""Where an utterance began: told by what stands out from the noise, never by a level alone."""

import numpy as np
import pytest

from audio_interaction_ros.protocol import CHUNK_NS
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.onset import LEAD_NS, OnsetGuess

pytestmark = pytest.mark.unit


def hear(onset, levels, *, at=0, **fields):
    """Let it hear chunks of these levels; return when the next one begins, in chunks."""
    for place, level in enumerate(levels, start=at):
        onset.push(EncodedChunk(
            features=np.zeros((1, 1), np.float32), stamp_ns=place * CHUNK_NS, epoch=1, seq=place,
            model_id='', rms_dbfs=level, **(fields if place == at + len(levels) - 1 else {})))
    return at + len(levels)


@pytest.mark.parametrize('noise', [-90.0, -70.0, -50.0, -30.0])
@pytest.mark.parametrize('above', [10.0, 20.0])
def test_speech_begins_where_it_stands_out_from_any_noise(noise, above):
    onset = OnsetGuess()
    at = hear(onset, [noise] * 50 + [noise + above] * 5 + [noise] * 2)
    assert onset.take_onset(at * CHUNK_NS) == 49 * CHUNK_NS, 'a chunk of lead-in'


def test_a_stream_that_begins_with_speech_is_heard_from_its_beginning():
    onset = OnsetGuess()
    at = hear(onset, [-25.0, -24.0, -28.0, -25.0, -60.0, -60.0])
    assert onset.take_onset(at * CHUNK_NS) == 0


def test_what_never_stands_out_began_a_bounded_time_ago():
    """Not the last chunk only, and not a minute."""
    onset = OnsetGuess()
    at = hear(onset, [-50.0] * 150)
    assert onset.take_onset(at * CHUNK_NS) == at * CHUNK_NS - LEAD_NS


def test_a_noise_that_stays_begins_no_utterance():
    """A fan that was switched on a minute ago is no word of what is said now."""
    onset = OnsetGuess()
    at = hear(onset, [-70.0] * 20 + [-35.0] * 150 + [-20.0] * 5)
    assert onset.take_onset(at * CHUNK_NS) == 169 * CHUNK_NS


def test_nothing_is_answered_twice():
    onset = OnsetGuess()
    at = hear(onset, [-70.0] * 20 + [-30.0] * 5)
    first = onset.take_onset(at * CHUNK_NS)
    at = hear(onset, [-30.0] * 2, at=at)
    assert first == 19 * CHUNK_NS and onset.take_onset(at * CHUNK_NS) == 25 * CHUNK_NS


@pytest.mark.parametrize('gap', [3, -20, 4000])
def test_no_utterance_reaches_across_a_gap(gap):
    onset = OnsetGuess()
    at = hear(onset, [-70.0] * 20 + [-30.0] * 5) + gap
    end = hear(onset, [-30.0, -70.0], at=at)
    assert onset.take_onset(end * CHUNK_NS) == at * CHUNK_NS


def test_no_utterance_reaches_across_the_end_of_a_stream():
    onset = OnsetGuess()
    at = hear(onset, [-70.0] * 20 + [-30.0] * 5, end_of_stream=True)
    end = hear(onset, [-30.0, -70.0], at=at)
    assert onset.take_onset(end * CHUNK_NS) == at * CHUNK_NS


def test_the_silence_that_pads_the_end_of_a_stream_is_no_noise_floor():
    """Or the room's own noise would stand out for ten seconds, and be read."""
    onset = OnsetGuess()
    at = hear(onset, [-50.0] * 20 + [-120.0] * 3, end_of_stream=True)
    at = hear(onset, [-50.0] * 12, at=at)
    end = hear(onset, [-20.0] * 5, at=at)
    assert onset.take_onset(end * CHUNK_NS) == (at - 1) * CHUNK_NS


def test_a_moment_that_is_lost_ends_no_utterance():
    onset = OnsetGuess()
    at = hear(onset, [-70.0] * 20 + [-30.0] * 2) + 1
    end = hear(onset, [-30.0, -70.0], at=at)
    assert onset.take_onset(end * CHUNK_NS) == 19 * CHUNK_NS
