"""Which text becomes final: the better one, the streamed one, or none where nobody spoke."""

import math

import pytest

from audio_interaction_ros.runtimes.base import MOST_COMPRESSION, Recognition
from audio_interaction_ros.stream.final_text import (
    DOUBT_LOG_PROB,
    DOUBT_NO_SPEECH,
    MUCH_DOUBT_LOG_PROB,
    SURE,
    Draft,
    agreement,
    choose_final,
    why_doubtful,
)
from audio_interaction_ros.stream.span_reader import SpanReading

pytestmark = pytest.mark.unit

S = 1_000_000_000


def draft(text='turn on the light', confidence=0.9):
    return Draft(text=text, confidence=confidence, start_ns=0, end_ns=10 * S)


def reading(text='Turn on the lights.', speech_ns=(4 * S, 6 * S), strange=False, **signs):
    return SpanReading(start_ns=0, end_ns=10 * S, any_language=True, speech_ns=speech_ns,
                       strange=strange, recognition=Recognition(text=text, language='en', **signs))


GUESSED = {'mean_log_prob': MUCH_DOUBT_LOG_PROB - 0.1}
NOBODY = {'no_speech': DOUBT_NO_SPEECH + 0.1, 'mean_log_prob': DOUBT_LOG_PROB - 0.1}


def test_a_reading_without_doubt_is_final_where_the_speech_was():
    final = choose_final(draft('dear on a night'), reading(mean_log_prob=-0.5))
    assert (final.text, final.language, final.source) == (
        'Turn on the lights.', 'en', 'second_pass')
    assert final.confidence == pytest.approx(math.exp(-0.5))
    assert (final.start_ns, final.end_ns) == (4 * S, 6 * S)


@pytest.mark.parametrize('signs', [
    GUESSED, NOBODY, {'compression_ratio': MOST_COMPRESSION + 0.1}, {'text': 'you', **GUESSED},
    {'broken': True}, {'loops': True, 'mean_log_prob': math.log(SURE) - 0.1},
    {'text': ''}, {'text': '- ...'}, {'text': 'one two three four five six ' * 3}])
def test_a_text_that_is_sure_stands_against_a_reading_in_doubt(signs):
    final = choose_final(draft(confidence=SURE), reading(**{'text': 'Thank you.', **signs}))
    assert (final.text, final.language, final.source) == ('turn on the light', '', 'streamed')
    assert final.confidence == SURE and (final.start_ns, final.end_ns) == (4 * S, 6 * S)


@pytest.mark.parametrize(('log_prob', 'strange', 'text'), [
    (DOUBT_LOG_PROB - 0.1, True, ''), (DOUBT_LOG_PROB + 0.1, True, '아니다.'),
    (DOUBT_LOG_PROB - 0.1, False, '아니다.')])
def test_what_is_unsure_and_in_a_language_that_nobody_speaks_was_not_said(log_prob, strange, text):
    said = choose_final(draft('', 0.0), reading('아니다.', strange=strange, no_speech=0.4,
                                                mean_log_prob=log_prob))
    assert said.text == text


def test_who_says_the_same_again_and_again_is_believed_where_the_reading_is_sure():
    said = choose_final(draft('', 0.0), reading('Stop! Stop! Stop! Stop!', loops=True,
                                                mean_log_prob=math.log(SURE) + 0.1))
    assert said.text == 'Stop! Stop! Stop! Stop!'


@pytest.mark.parametrize('streamed', [draft(confidence=SURE - 0.1), draft('', 1.0)])
@pytest.mark.parametrize('signs', [GUESSED, NOBODY])
def test_where_both_have_nothing_nobody_spoke(streamed, signs):
    final = choose_final(streamed, reading('Thank you.', **signs))
    assert (final.text, final.language, final.source) == ('', '', 'second_pass')
    assert math.isnan(final.confidence)


def test_a_remark_that_stands_for_words_is_never_what_was_said():
    """A lane that was taught "(Chinese)" is as sure of it as can be; people want the words."""
    said = choose_final(draft('(Chinese)', 1.0), reading('请开灯。', mean_log_prob=-0.3))
    assert (said.text, said.source) == ('请开灯。', 'second_pass')
    unread = choose_final(draft('(Chinese)', 1.0), reading('请开灯。', **GUESSED))
    assert (unread.text, unread.source) == ('', 'second_pass')


def test_a_reading_in_doubt_counts_where_both_heard_the_same():
    final = choose_final(draft(confidence=0.1), reading('Turn on a light!', **NOBODY))
    assert (final.text, final.source) == ('Turn on a light!', 'second_pass')


def test_what_nobody_could_read_stays_as_it_was_streamed():
    final = choose_final(draft(confidence=0.1), None)
    assert (final.text, final.source, final.confidence) == ('turn on the light', 'streamed', 0.1)
    assert (final.start_ns, final.end_ns) == (0, 10 * S)


def test_a_span_stays_a_guess_where_nobody_looked_for_the_speech():
    final = choose_final(draft(), reading(speech_ns=None))
    assert (final.start_ns, final.end_ns) == (0, 10 * S)


@pytest.mark.parametrize(('one', 'other', 'expected'), [
    ('Turn on!', 'turn ON', 1.0), ('a b c d', 'a b', 0.5), ('', 'a', 0.0), ('', '', 0.0),
    ('早上好', '早上', 2 / 3), ("don't", 'do not', 0.0)])
def test_agreement_is_the_share_of_common_words(one, other, expected):
    assert agreement(one, other) == pytest.approx(expected)


@pytest.mark.parametrize(('text', 'seconds', 'why'), [
    ('one two three four five six seven eight nine ten', 4.0, ''),
    ('one two three four five six seven eight nine ten', 0.6, 'too fast'),
    ('火车站在什么地方', 1.2, ''), ('火车站在什么地方' * 3, 1.2, 'too fast'), ('1.5%', 1.0, '')])
def test_nobody_speaks_ten_words_in_a_second(text, seconds, why):
    assert why_doubtful(Recognition(text=text, language=''), seconds) == why
