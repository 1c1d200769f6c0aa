"""What was said right before: an utterance is read behind it, where that is worth its time."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from test_live_words import Reader, S, Stream  # noqa: E402

from audio_interaction_ros.runtimes.base import ReadWord, WindowReading  # noqa: E402
from audio_interaction_ros.stream.closed_reading import ClosedReading  # noqa: E402
from audio_interaction_ros.stream.said_before import KEPT_NS, SaidBefore  # noqa: E402

pytestmark = pytest.mark.unit


class Continuing(Reader):
    """Is unsure of what it reads alone; behind what was said it counts from there on."""

    language = 'en'

    def __init__(self, mark='.', alone=0.5, behind=0.9):
        super().__init__(mark)
        self.after, self.doubts, self.alone, self.behind = [], '', alone, behind

    def _read(self, samples, agreed, before, mark):
        read = super()._read(samples, agreed, before, mark)
        return replace(read, language=self.language, words=tuple(
            replace(word, confidence=self.alone) for word in read.words))

    def read_after(self, samples, *, after, language):
        self.after.append((len(samples) / 16_000, [word.text for word in after], language))
        words = [ReadWord(text=f' {place}th', start_s=float(place), end_s=place + 0.8, mark='.',
                          confidence=self.behind)
                 for place in range(len(after), len(samples) // 16_000)]
        return WindowReading(words=tuple(words), language=language, doubt=self.doubts)


def finals(stream):
    return [span.reading.text for span in stream.over]


def test_a_sentence_behind_another_is_read_with_its_audio_and_words_and_has_only_its_own():
    stream = Stream(Continuing()).play('#' * 6 + '....' + '#' * 8 + '.....')
    (heard_s, after, language), = stream.reader.after
    assert (after, language) == ([' alpha', ' bravo'], 'en')
    assert heard_s == pytest.approx(stream.over[1].end_ns / S, abs=0.5), 'all from the first word'
    assert finals(stream) == ['alpha. bravo.', '2th. 3th. 4th. 5th. 6th.']
    start_ns = stream.over[1].start_ns
    words = stream.over[1].reading.as_final(stream.over[1].end_ns).words
    assert all(word.start_ns >= start_ns for word in words)
    assert words[-1].start_ns == 6 * S, 'places are those of the stream'


@pytest.mark.parametrize(('pattern', 'mark', 'why'), [
    ('#' * 6 + '....' + '###' + '.....', '.', 'an order is read alone'),
    ('#' * 6 + '.' * 11 + '#' * 8 + '.....', '.', 'the pause was long'),
    ('#' * 6 + '.' * 6 + '#' * 44 + '.' * 7, '', 'together it would be too long')])
def test_what_is_short_long_or_later_is_read_alone(pattern, mark, why):
    stream = Stream(Continuing(mark)).play(pattern)
    assert stream.reader.after == [] and len(stream.over) == 2, why


def test_another_language_is_read_alone():
    stream = Stream(Continuing()).play('#' * 6 + '....')
    stream.reader.language = 'zh'
    stream.play('#' * 8 + '.....')
    assert stream.reader.after == [] and len(stream.over) == 2


@pytest.mark.parametrize(('behind', 'doubt'), [(0.9, 'in circles'), (0.4, '')])
def test_a_reading_in_doubt_or_no_surer_does_not_count(behind, doubt):
    stream = Stream(Continuing(behind=behind))
    stream.reader.doubts = doubt
    stream.play('#' * 6 + '....' + '#' * 8 + '.....')
    assert len(stream.reader.after) == 1 and finals(stream)[1].startswith('alpha. bravo.')


def test_what_is_sure_is_not_read_again():
    stream = Stream(Continuing(alone=0.7)).play('#' * 6 + '....' + '#' * 8 + '.....')
    assert stream.reader.after == [] and finals(stream)[1].startswith('alpha. bravo.')


def test_nothing_goes_on_across_a_gap():
    stream = Stream(Continuing()).play('#' * 6 + '....')
    stream.at_ns += S
    stream.play('#' * 8 + '.....')
    assert stream.reader.after == [] and len(stream.over) == 2


def _window(text, confidence):
    return WindowReading(language='en', words=tuple(
        ReadWord(text=f' {word.rstrip(".")}', mark='.' * word.endswith('.'),
                 mark_ids=(13,) * word.endswith('.'), start_s=9.0, end_s=9.5,
                 confidence=confidence) for word in text.split()))


@pytest.mark.parametrize(('behind', 'taken'), [
    ('a bold', 'a bold.'),  # how it ends is known from what was read alone
    ('bold', 'bold.'), ('a bold. a bold.', 'a bald.'), ('quite a bold one', 'a bald.')])
def test_a_word_is_put_right_but_nothing_is_said_twice_or_left_open(behind, taken):
    said = SaidBefore.of(_reading('a', 'b.'), 14 * S)
    chosen = said.choose(_window('a bald.', 0.5), _window(behind, 0.9), 15 * S)
    assert ''.join(word.written for word in chosen.words).strip() == taken
    assert chosen.words[-1].mark_ids == (13,)


def _reading(*texts, confidence=0.9):
    return ClosedReading(language='en', start_ns=10 * S, words=tuple(
        ReadWord(text=f' {text.rstrip(".")}', mark='.' * text.endswith('.'), start_s=2.0 * place,
                 end_s=2.0 * place + 1.0, confidence=confidence)
        for place, text in enumerate(texts)))


def test_of_a_long_utterance_the_last_sentences_are_heard_again():
    said = SaidBefore.of(_reading('a', 'b', 'c.', 'd', 'e', 'f.'), 22 * S)
    assert [word.text for word in said.words] == [' d', ' e', ' f']
    assert said.start_ns == 10 * S + 5_500_000_000, 'between two words'
    no_end = SaidBefore.of(_reading('a', 'b', 'c', 'd', 'e', 'f'), 22 * S)
    assert [word.text for word in no_end.words] == [' c', ' d', ' e', ' f']
    whole = SaidBefore.of(_reading('a', 'b.'), 14 * S)
    assert len(whole.words) == 2 and whole.start_ns == 10 * S


def test_nothing_unsure_is_given_to_what_follows():
    assert SaidBefore.of(None, 12 * S) is None
    assert SaidBefore.of(_reading('a', confidence=0.2), 12 * S) is None
    assert SaidBefore.of(_reading(), 12 * S) is None
    assert SaidBefore.of(_reading('a'), 12 * S).is_near(12 * S + KEPT_NS)
    assert not SaidBefore.of(_reading('a'), 12 * S).is_near(12 * S + KEPT_NS + 1)


def test_audio_before_an_utterance_is_kept_no_longer_than_it_may_be_read():
    stream = Stream(Continuing()).play('#' * 6 + '....')
    heard = stream.live._heard
    assert heard.oldest_ns <= stream.over[0].start_ns + S
    stream.play('.' * 10)
    assert heard.until_ns - heard.oldest_ns <= 2 * S
