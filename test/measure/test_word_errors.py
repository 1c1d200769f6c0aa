"""Words: what makes texts equal, errors, and how often what is shown changes."""

import pytest

from measure.word_errors import (
    UnderstoodUtterance,
    count_erased,
    count_errors,
    error_ratio,
    measure_erasure,
    normalise,
    word_error_rate,
    word_times,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(('a', 'b'), [
    ("It's twenty five.", 'it is 25'), ('Mr. Smith, please!', 'mister smith please'),
    ('five five five', '555'), ('one two five', '1, 2, 5.'), ('78 Hill', '7-8 Hill')])
def test_texts_that_say_the_same_are_equal(a, b):
    assert normalise(a) == normalise(b)


@pytest.mark.parametrize(('said', 'heard', 'expected'), [
    ('a b c d', 'a x c', (2, 4)), ('a b', '', (2, 2)), ('', 'a b c', (3, 0)),
    ('a', 'a a a', (2, 1)), ('A, b!', 'a b', (0, 2))])
def test_errors_are_counted_in_words(said, heard, expected):
    assert count_errors(said, heard) == expected


def test_word_errors_are_pooled_and_their_ratio_is_paired():
    mine = [UnderstoodUtterance('a b c d', 'a b c x', 's1'),
            UnderstoodUtterance('e f', 'e f', 's2')]
    other = [UnderstoodUtterance('a b c d', 'a y z x', 's1'),
             UnderstoodUtterance('e f', 'e f', 's2')]
    assert word_error_rate(mine).value == pytest.approx(1 / 6) and word_error_rate(mine).n == 2
    assert error_ratio(mine, other).value == pytest.approx(1 / 3)
    assert word_error_rate([UnderstoodUtterance('a b', '', 's')]).value == 1.0


@pytest.mark.parametrize(('before', 'after', 'expected'), [
    ('a b', 'a b c', 0), ('a b c', 'a x c', 2), ('a b', '', 2), ('', 'a', 0)])
def test_what_is_taken_back_comes_after_the_common_beginning(before, after, expected):
    assert count_erased(before, after) == expected


def test_erasure_adds_all_updates_up():
    assert measure_erasure(['a', 'a b', 'a c', 'a c d']) == (1, 3)
    assert measure_erasure([]) == (0, 0)


def test_words_end_where_their_letters_do():
    assert word_times('ab cdef', 1.0, 4.0) == [2.0, 4.0]
