"""Tokens, sentences, numbers and words that are alike."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_interaction_ros.intents.words import (
    are_alike,
    join_tokens,
    parse_number,
    split_sentences,
    tokenise,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(('text', 'tokens'), [
    ('Go to the Kitchen!', ['go', 'to', 'the', 'kitchen']),
    ('Don\u2019t stop', ['do', 'not', 'stop']),
    ("I can't, I won't", ['i', 'can', 'not', 'i', 'will', 'not']),
    ("What's my wife's name?", ['what', 'is', 'my', 'wifes', 'name']),
    ('a double-shot at 6:30', ['a', 'double', 'shot', 'at', '6:30']),
    ('at 5:30 a.m., or 6 P.M.', ['at', '5:30', 'am', 'or', '6', 'pm']),
    ('$20, €1.50 or 1,250,000', ['20', 'dollars', '1.50', 'euros', 'or', '1250000']),
    ('45° and 20%', ['45', 'degrees', 'and', '20', 'percent']),
    ('rooms 5, 100 and 7,20', ['rooms', '5', '100', 'and', '7', '20']),
    ('45℃，25分钟', ['45', 'degrees', 'c', '25', '分', '钟']),
    ('去厨房 now', ['去', '厨', '房', 'now']),
    ('…', []),
])
def test_tokens_are_folded_words_and_characters(text, tokens):
    assert tokenise(text) == tokens


@pytest.mark.parametrize(('text', 'sentences'), [
    ('Hello robot. Go home!', ['Hello robot', 'Go home']),
    ('Do not. Stop.', ['Do not Stop']),
    ('不要。停。', ['不要 停']),
    ('No. Stop.', ['No', 'Stop']),
    ('It takes 2.5 hours.', ['It takes 2.5 hours']),
    ('Wake me at 5:30 a.m.', ['Wake me at 5:30 am']),
    ('At 5 p.m. Then go.', ['At 5 pm', 'Then go']),
    ('I am. A man came.', ['I am', 'A man came']),
    ('?!', []),
])
def test_sentences_end_where_they_may(text, sentences):
    assert split_sentences(text) == sentences


@pytest.mark.parametrize(('said', 'number'), [
    ('seven', 7), ('twenty five', 25), ('ninety', 90), ('a hundred', 100), ('half an', 0.5),
    ('three hundred and twelve', 312), ('13', 13), ('2.5', 2.5), ('十', 10), ('二十五', 25),
    ('两', 2), ('一百二十', 120), ('半', 0.5), ('twenty twenty', None), ('five ten', None),
    ('seven ish', None), ('hundred hundred', None), ('百百', None), ('', None),
    ('two hundred and three hundred', None)])
def test_a_number_is_read_or_it_is_none(said, number):
    assert parse_number(tokenise(said)) == number


@given(st.integers(0, 999))
def test_every_number_in_digits_is_itself(value):
    assert parse_number([str(value)]) == value


@pytest.mark.parametrize(('heard', 'wanted', 'alike'), [
    ('kitchen', 'kitchen', True), ('kichen', 'kitchen', True), ('fellow', 'follow', True),
    ('fololw', 'follow', True), ('hollow', 'follow', False), ('shop', 'stop', False),
    ('thirteen', 'thirties', False), ('sixteen', 'sixtee', False), ('eleven', 'eleves', False),
    ('without', 'withot', False), ('kitchens', 'kitten', False)])
def test_only_long_words_may_be_misread_and_no_number_or_negation(heard, wanted, alike):
    assert are_alike(heard, wanted) is alike
    assert are_alike(wanted, heard) is alike


@given(st.text())
def test_any_text_has_tokens_that_read_the_same_again(text):
    tokens = tokenise(text)
    assert all(token and token == token.strip() for token in tokens)
    assert all(split_sentences(text))
    assert isinstance(join_tokens(tokens), str)
