"""Agreement: what is stable never changes, whatever is read, and words come to be stable."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audio_interaction_ros.runtimes.base import ReadWord
from audio_interaction_ros.stream.agreement import Agreement

pytestmark = pytest.mark.unit


def words(text):
    """Return the words of a text, each ended by a comma or full stop where it has one."""
    return [ReadWord(text=f' {part.rstrip(",.")}', mark=part[len(part.rstrip(',.')):],
                     start_s=place, end_s=place + 1.0)
            for place, part in enumerate(text.split())]


def push_all(agreement, *texts):
    for text in texts:
        agreement.push(words(text))
    return agreement


def test_one_reading_alone_is_shown_and_nothing_of_it_is_stable():
    agreement = push_all(Agreement(), 'Turn on')
    assert (agreement.text, agreement.stable_text) == ('Turn on', '')


def test_what_two_readings_begin_with_is_stable():
    agreement = push_all(Agreement(), 'Turn on the land', 'Turn on the lamp in')
    assert (agreement.text, agreement.stable_text) == ('Turn on the lamp in', 'Turn on the')


def test_marks_and_capitals_are_no_contradiction_and_the_newest_are_kept():
    agreement = push_all(Agreement(), 'turn on, the', 'Turn on the lamp')
    assert agreement.stable_text == 'Turn on the'


def test_the_mark_behind_the_last_stable_word_stays_open():
    agreement = push_all(Agreement(), 'Stop.', 'Stop.')
    assert (agreement.text, agreement.stable_text) == ('Stop.', 'Stop')
    push_all(agreement, 'Stop, now', 'Stop, now go')
    assert (agreement.text, agreement.stable_text) == ('Stop, now go', 'Stop, now')


def test_a_reading_that_contradicts_what_is_stable_is_left_out():
    agreement = push_all(Agreement(), 'Turn on the', 'Turn on the', 'Burn on the lamp')
    assert (agreement.text, agreement.stable_text) == ('Turn on the', 'Turn on the')


def test_words_that_left_the_window_stay_in_the_text():
    agreement = push_all(Agreement(), 'one two three', 'one two three four')
    agreement.cut(2)
    assert (agreement.text, agreement.stable_text) == ('one two three four', 'one two three')
    push_all(agreement, 'three four five')
    assert (agreement.text, agreement.stable_text) == ('one two three four five',
                                                       'one two three four')


def pieces(*texts):
    """Return words of a script without spaces, as a model that holds several in one token."""
    return [ReadWord(text=text, start_s=0.0, end_s=1.0) for text in texts]


def test_characters_agree_however_they_are_cut_into_pieces():
    agreement = Agreement()
    agreement.push(pieces('今天', '天气', '很'))
    agreement.push(pieces('今', '天', '天', '气真', '好'))
    assert agreement.stable_text == '今天天'
    agreement.push(pieces('今', '天', '天', '气', '真的'))
    assert agreement.stable_text == '今天天气', 'of 气真 the first is agreed on'


def test_half_a_word_is_no_word_where_there_are_spaces():
    agreement = Agreement()
    agreement.push(pieces(' go', ' in'))
    agreement.push(pieces(' go', ' inside'))
    assert agreement.stable_text == 'go'
    agreement.push(pieces(' go', ' in', 'to'))
    assert agreement.stable_text == 'go', 'the reading before had another word there'


def test_words_that_may_still_grow_are_shown_and_not_stable():
    agreement = Agreement()
    agreement.push(pieces(' go', ' sto'), growing=1)
    agreement.push(pieces(' go', ' sto'), growing=1)
    assert (agreement.stable_text, agreement.text) == ('go', 'go sto')
    agreement.push(pieces(' go', ' stop'), growing=0)
    assert (agreement.stable_text, agreement.text) == ('go', 'go stop')


READINGS = st.lists(st.one_of(
    st.lists(st.tuples(st.sampled_from(['a', 'A', 'b', 'the']), st.sampled_from(['', ',', '.'])),
             max_size=6),
    st.integers(0, 3)), max_size=30)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(READINGS)
def test_stable_text_is_never_taken_back_whatever_is_read(steps):
    agreement, before = Agreement(), ''
    for step in steps:
        if isinstance(step, int):
            agreement.cut(min(step, len(agreement.stable)))
        else:
            agreement.push([ReadWord(text=f' {text}', mark=mark, start_s=0.0, end_s=1.0)
                            for text, mark in step])
        assert agreement.stable_text.startswith(before)
        assert agreement.text.startswith(agreement.stable_text)
        before = agreement.stable_text


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(READINGS)
def test_a_reading_that_obeys_the_stable_words_is_always_taken(steps):
    agreement = Agreement()
    for step in steps:
        if isinstance(step, int):
            continue
        read = [*agreement.stable, *(ReadWord(text=f' {text}', mark=mark, start_s=0.0, end_s=1.0)
                                     for text, mark in step)]
        agreement.push(read)
        assert agreement.words == read
