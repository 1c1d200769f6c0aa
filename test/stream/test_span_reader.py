"""Spans that are read again: audio by time, one reading for two who ask."""

import numpy as np
import pytest

from audio_interaction_ros.audio.block import AudioChunk
from audio_interaction_ros.runtimes.base import MOST_COMPRESSION, Recognition
from audio_interaction_ros.stream.span_reader import SpanReader, SpanReading

pytestmark = pytest.mark.unit

CHUNK_NS = 400_000_000


class Whisper:
    """Says how much it was given, in a language of its own."""

    def __init__(self, language='en'):
        self.language, self.asked, self.span_s = language, [], None
        self.log_prob, self.compression = 0.0, 1.0

    def transcribe(self, samples, languages=()):
        self.asked.append((len(samples), languages))
        return Recognition(
            text=f' {len(samples)} samples ', language=languages[0] if languages else
            self.language, span_s=self.span_s, mean_log_prob=self.log_prob,
            compression_ratio=1.0 if languages else self.compression,
            write_english=lambda: f' {len(samples)} in English ')


@pytest.fixture
def reader():
    one = SpanReader(seconds=4.0)
    for place in range(10):
        one.remember(AudioChunk(samples=np.full(6400, 0.1, np.float32), stamp_ns=place * CHUNK_NS,
                                lost_samples_before=0))
    return one


def test_the_span_is_read(reader):
    whisper = Whisper()
    reading = reader.read(whisper, 2 * CHUNK_NS, 7 * CHUNK_NS)
    assert (reading.text, reading.language) == ('32000 samples', 'en')
    assert whisper.asked == [(32000, ())]


def test_a_second_question_about_the_span_needs_no_second_reading(reader):
    whisper = Whisper()
    first = reader.read(whisper, 0, 8 * CHUNK_NS)
    assert reader.read(whisper, CHUNK_NS, 8 * CHUNK_NS, languages=('en', 'zh')) is first
    assert (len(whisper.asked), reader.reused) == (1, 1)


def test_a_language_is_strange_until_it_was_read_surely_or_is_named(reader):
    def read(language, log_prob, start, one=reader):
        whisper = Whisper(language)
        whisper.log_prob = log_prob
        return one.read(whisper, start * CHUNK_NS, (start + 1) * CHUNK_NS).strange
    assert not read('en', -2.0, 0) and not read('zh', -2.0, 1) and not read('', -2.0, 2)
    assert read('ko', -0.9, 3) and read('ko', -0.9, 4)
    assert not read('ko', -0.5, 5) and not read('ko', -0.9, 6)
    reader.note('ja', 'ja', 0.9, 0, 1)
    assert not read('ja', -0.9, 7)
    reader.forget()
    reader.remember(AudioChunk(samples=np.ones(6400, np.float32), stamp_ns=0,
                               lost_samples_before=0))
    assert read('ko', -0.9, 0)
    german = SpanReader(seconds=1.0, language='de')
    german.remember(AudioChunk(samples=np.ones(6400, np.float32), stamp_ns=0,
                               lost_samples_before=0))
    assert not read('de', -2.0, 0, german)


def test_what_runs_in_circles_in_a_strange_language_is_read_in_one_that_is_spoken_here(reader):
    whisper = Whisper('cy')
    whisper.compression = MOST_COMPRESSION + 0.1
    reading = reader.read(whisper, 0, CHUNK_NS)
    assert whisper.asked == [(6400, ()), (6400, ['en', 'zh'])]
    assert (reading.language, reading.strange) == ('en', False)
    whisper.compression = 1.0
    whisper.log_prob = -0.9
    assert reader.read(whisper, 2 * CHUNK_NS, 3 * CHUNK_NS).strange, 'it was never read surely'
    whisper.language, whisper.compression = 'en', MOST_COMPRESSION + 0.1
    reader.read(whisper, 4 * CHUNK_NS, 5 * CHUNK_NS)
    assert len(whisper.asked) == 4, 'English in circles is no other language'


@pytest.mark.parametrize(('start', 'end', 'same'), [
    (0, 100, True), (0, 81, True), (19, 100, True), (0, 80, False), (20, 120, False),
    (0, 130, False), (200, 300, False)])
def test_spans_are_the_same_above_80_per_cent(start, end, same):
    reading = SpanReading(start_ns=0, end_ns=100, any_language=True,
                          recognition=Recognition(text='', language=''))
    assert reading.covers(start, end) is same


def test_another_language_is_read_again(reader):
    """What was taken for Japanese is read as one of the languages that it can be."""
    whisper = Whisper('ja')
    reader.read(whisper, 0, 8 * CHUNK_NS)
    again = reader.read(whisper, 0, 8 * CHUNK_NS, languages=('zh', 'en'))
    assert again.language == 'zh' and len(whisper.asked) == 2


def test_a_transcript_takes_no_reading_whose_language_was_not_free(reader):
    whisper = Whisper()
    reader.read(whisper, 0, 8 * CHUNK_NS, languages=('zh', 'en'))
    assert reader.read(whisper, 0, 8 * CHUNK_NS).language == 'en'
    assert len(whisper.asked) == 2


@pytest.mark.parametrize(('language', 'english'), [
    ('zh', '51200 in English'), ('en', None), ('ja', None)])
def test_a_reading_tells_its_english_to_whoever_shares_it(reader, language, english):
    """Only of what is translated to English; another reading of other speech has its own."""
    reader._interpret, whisper = True, Whisper(language)
    reader.read(whisper, 0, 8 * CHUNK_NS)
    shared = reader.read(whisper, 0, 8 * CHUNK_NS, languages=('en', 'zh'))
    assert shared.language == ('en' if language == 'ja' else language)
    assert shared.in_english() == english and reader.reused == (language != 'ja')


def test_a_reading_without_words_or_interpreter_has_no_english():
    def reading(text, english):
        return SpanReading(start_ns=0, end_ns=1, any_language=True, interpret=True,
                           recognition=Recognition(text=text, language='zh',
                                                   write_english=english))
    assert reading('早上好', None).in_english() is None
    assert reading('', lambda: 'Thanks.').in_english() == ''
    assert reading('早', lambda: ' ').in_english() == ''


def test_where_the_speech_is_is_told_in_the_time_of_the_stream(reader):
    """Seconds of what was read, across a gap in it."""
    reader.remember(AudioChunk(samples=np.full(6400, 0.1, np.float32), stamp_ns=20 * CHUNK_NS,
                           lost_samples_before=64_000))
    whisper = Whisper()
    whisper.span_s = 0.5, 0.9
    reading = reader.read(whisper, 8 * CHUNK_NS, 21 * CHUNK_NS)
    assert whisper.asked == [(3 * 6400, ())]
    assert reading.speech_ns == (9 * CHUNK_NS + CHUNK_NS // 4, 20 * CHUNK_NS + CHUNK_NS // 4)


def test_what_is_gone_is_not_read(reader):
    whisper = Whisper()
    assert reader.read(whisper, 90 * CHUNK_NS, 91 * CHUNK_NS) is None
    reader.read(whisper, 0, 8 * CHUNK_NS)
    reader.forget()
    assert reader.read(whisper, 0, 8 * CHUNK_NS) is None
    assert len(whisper.asked) == 1


def test_a_clock_that_was_set_back_mixes_no_takes(reader):
    whisper = Whisper()
    reader.read(whisper, 2 * CHUNK_NS, 6 * CHUNK_NS)
    for place in range(4, 6):
        reader.remember(AudioChunk(samples=np.full(6400, 0.2, np.float32),
                                   stamp_ns=place * CHUNK_NS,
                               lost_samples_before=0))
    assert reader.read(whisper, 2 * CHUNK_NS, 6 * CHUNK_NS).text == '12800 samples'
    assert reader.reused == 0


def test_what_is_forgotten_while_it_is_read_serves_nobody_else(reader):
    whisper = Whisper()
    transcribe = whisper.transcribe

    def forgetful(samples, languages=()):
        reader.forget()  # as by a mute
        return transcribe(samples, languages)
    whisper.transcribe = forgetful
    assert reader.read(whisper, 0, 8 * CHUNK_NS).text.endswith('samples')
    reader.remember(AudioChunk(samples=np.zeros(6400, np.float32), stamp_ns=0,
                               lost_samples_before=0))
    assert reader.read(whisper, 0, 8 * CHUNK_NS).text == '6400 samples' and reader.reused == 0


@pytest.mark.parametrize(('language', 'start', 'end', 'languages', 'again'), [
    ('en', 0, 9, ('en', 'zh'), False), ('en', 0, 9, (), True), ('zh', 0, 9, ('en', 'zh'), True),
    ('ja', 0, 9, ('en', 'zh'), True), ('en', 6, 9, ('en', 'zh'), True),
    ('en', 0, 12, ('en', 'zh'), True)])
def test_what_was_read_while_it_was_spoken_is_not_read_again_to_be_translated(
        reader, language, start, end, languages, again):
    """Unless its English must come from the audio, or it is not what the lane answered."""
    whisper = Whisper()
    reader.note('Go home.', language, 0.9, 4 * CHUNK_NS, 6 * CHUNK_NS)
    read = reader.read(whisper, start * CHUNK_NS, end * CHUNK_NS, languages=languages)
    assert (read.text != 'Go home.', bool(whisper.asked)) == (again, again)


def test_of_two_utterances_neither_stands_for_both(reader):
    whisper = Whisper()
    reader.note('Go home.', 'en', 0.9, CHUNK_NS, 3 * CHUNK_NS)
    reader.note('Stop.', 'en', 0.9, 4 * CHUNK_NS, 6 * CHUNK_NS)
    assert 'samples' in reader.read(whisper, 0, 7 * CHUNK_NS, languages=('en',)).text
