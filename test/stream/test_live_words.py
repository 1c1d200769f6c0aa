"""Words while they are spoken: when an utterance begins, is read and ends, once."""

import numpy as np
import pytest

from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.protocol import CHUNK_NS, CHUNK_SAMPLES
from audio_interaction_ros.runtimes.base import ReadWord, WindowReading
from audio_interaction_ros.stream.live_words import LONGEST_NS, LiveWords
from audio_interaction_ros.stream.unfinished import is_unfinished

pytestmark = pytest.mark.unit

S = 1_000_000_000


class Voice:
    """Hears speech where samples are above 0."""

    step_s = 0.04

    def push(self, samples):
        return (samples.reshape(-1, 640).max(axis=1) > 0).astype(np.float32)

    def reset(self):
        pass


class Reader:
    """Reads one word for each whole second of the window that is not silent."""

    def __init__(self):
        self.windows, self.doubt = [], ''

    def read_window(self, samples, *, agreed=(), before=(), language=''):
        self.windows.append(len(samples) / 16_000)
        first = len(before)
        words = [ReadWord(text=f' w{first + place}', start_s=float(place), end_s=place + 0.8,
                          ids=(place,)) for place in range(int(len(samples) // 16_000))]
        return WindowReading(words=(*agreed, *words[len(agreed):]), language='en',
                             doubt=self.doubt)


class Stream:
    """Chunks one after the other; '#' is one of speech, '.' one of silence."""

    def __init__(self, **options):
        self.reader = Reader()
        self.live = LiveWords(self.reader, Voice(), **{
            'period_s': 0.8, 'end_silence_s': 1.2} | options)
        self.at_ns, self.over, self.shown = 0, [], []

    def play(self, pattern):
        for sign in pattern:
            samples = np.full(CHUNK_SAMPLES, 0.1 if sign == '#' else 0.0, np.float32)
            self.live.remember(AudioChunk(samples=samples, stamp_ns=self.at_ns,
                                            lost_samples_before=0))
            self.at_ns += CHUNK_NS
            self.over += self.live.hear()
            if self.live.due:
                shown = self.live.read()
                self.shown += [shown] if shown else []
        return self


def test_speech_is_read_while_it_goes_on_and_over_after_silence():
    stream = Stream().play('..' + '#' * 10 + '......')
    assert [shown.text for shown in stream.shown][:2] == ['w0', 'w0 w1']
    assert stream.shown[-1].stable_length > 0
    span, = stream.over
    assert span.start_ns <= 2 * CHUNK_NS and abs(span.end_ns - 12 * CHUNK_NS) <= 300_000_000


def test_nothing_is_read_where_nobody_speaks():
    stream = Stream().play('.' * 20)
    assert (stream.reader.windows, stream.over, stream.shown) == ([], [], [])


def test_an_unfinished_sentence_waits_twice_as_long():
    stream = Stream().play('#' * 6 + '...')
    assert stream.over == [], 'words without a full stop'
    assert stream.play('...').over


def test_stable_text_is_never_taken_back_in_long_speech_and_windows_stay_short():
    stream = Stream().play('#' * 60)
    before = ''
    for shown in stream.shown:
        if shown.utterance == stream.shown[0].utterance:
            assert shown.text.startswith(before)
            before = shown.text[:shown.stable_length]
    assert max(stream.reader.windows) < 11
    assert before.split() == [f'w{place}' for place in range(len(before.split()))]


def test_long_speech_is_cut_and_the_parts_meet():
    stream = Stream().play('#' * 150)
    stream.over += stream.live.finish()
    assert len(stream.over) >= 2
    for one, other in zip(stream.over, stream.over[1:], strict=False):
        assert one.end_ns == other.start_ns
    assert all(span.end_ns - span.start_ns <= LONGEST_NS for span in stream.over)
    assert (stream.over[0].start_ns, stream.over[-1].end_ns) == (0, 150 * CHUNK_NS)


def test_what_a_lane_answered_is_over_and_what_follows_is_another_utterance():
    stream = Stream().play('#' * 10)
    first = stream.shown[-1].utterance
    assert stream.live.settle(6 * CHUNK_NS) == first
    stream.play('#' * 6)
    assert stream.shown[-1].utterance == first + 1
    assert stream.shown[-1].start_ns == 6 * CHUNK_NS


def test_a_late_answer_to_what_is_final_has_nothing_left():
    stream = Stream().play('#' * 10 + '.' * 8)
    assert len(stream.over) == 1
    assert stream.live.rest_of(0, stream.at_ns) is None
    stream.play('#' * 5)
    assert stream.live.rest_of(0, stream.at_ns) == (stream.over[0].end_ns, stream.at_ns)
    assert Stream().live.rest_of(0, S) == (0, S)


def test_a_gap_ends_an_utterance_and_forgetting_drops_it():
    stream = Stream().play('#' * 5)
    stream.at_ns += 3 * S
    assert len(stream.play('.').over) == 1
    stream = Stream().play('#' * 5)
    stream.live.forget()
    assert stream.play('....').over == []


def test_a_reading_in_doubt_is_not_shown():
    stream = Stream()
    stream.reader.doubt = 'in circles'
    assert stream.play('#' * 10).shown == []


@pytest.mark.parametrize(('text', 'unfinished'), [
    ('', False), ('Turn on the light.', False), ('Turn on the', True), ('My number is 5.', True),
    ('It is seven.', True), ('你好。', False), ('我有三', True), ('Really?', False)])
def test_a_sentence_without_an_end_and_a_number_are_unfinished(text, unfinished):
    assert is_unfinished(text) is unfinished
