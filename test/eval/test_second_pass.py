"""Second pass: streams whose speech begins where they say, and readings that are kept."""

import numpy as np
import pytest

from audio_interaction_ros.protocol import CHUNK_SAMPLES
from audio_interaction_ros.runtimes.base import Recognition
from eval.second_pass import CONDITIONS, Readings, _guess_onset, make_stream

pytestmark = pytest.mark.unit

RATE = 16_000


def word(seconds=1.0):
    return np.sin(np.arange(round(seconds * RATE)) * 0.3).astype(np.float32)


@pytest.mark.parametrize('name', [name for name, one in CONDITIONS.items() if one[1] != 'real'])
def test_speech_begins_where_the_scene_says_and_the_lane_misses_none_of_it(name):
    condition = CONDITIONS[name]
    stream, begins = make_stream(word(), name, condition, ())
    assert len(stream) % CHUNK_SAMPLES == 0
    at = round(begins * RATE)
    before, after = (np.sqrt(np.mean(np.square(part, dtype=np.float64)))
                     for part in (stream[at - RATE:at], stream[at:at + RATE]))
    assert after > 1.5 * before
    assert 0 <= _guess_onset(stream) <= begins


class Whisper:
    """Reads one text and counts."""

    def __init__(self, **signs):
        self.signs, self.asked = {'text': 'Thank you.', 'language': 'en', **signs}, 0

    def transcribe(self, samples):
        self.asked += 1
        return Recognition(**self.signs)


def test_a_reading_is_kept_for_the_next_run(tmp_path):
    whisper = Whisper(no_speech=0.3, mean_log_prob=-0.2, span_s=(0.1, 0.9))
    for _ in range(2):
        one = Readings(tmp_path / 'readings.jsonl')
        one._models = {True: whisper}
        assert one.read('a', word(), find_speech=True) == Recognition(**whisper.signs)
        assert one.final_text('a', word()) == 'Thank you.'
    assert whisper.asked == 1


def test_without_a_streamed_text_doubt_leaves_none(tmp_path):
    one = Readings(tmp_path / 'readings.jsonl')
    one._models = {True: Whisper(no_speech=0.9, mean_log_prob=-1.0)}
    assert one.final_text('a fan', word()) == ''
