"""Spoken style: what is written out, what is taken out, and what stays as it is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip('num2words')

from train.responses.language import UnusableAnswerError
from train.speech.rewrite import LanguageRewriter
from train.speech.style import to_spoken

pytestmark = pytest.mark.unit


@pytest.mark.parametrize('written, said', [
    ('I ate 3 eggs.', 'I ate three eggs.'),
    ('It weighs 12.5 kg.', 'It weighs twelve point five kilograms.'),
    ('That is 1 km away.', 'That is one kilometre away.'),
    ('Drive at 30 km/h.', 'Drive at thirty kilometres per hour.'),
    ('It costs $5.99.', 'It costs five dollars and ninety-nine cents.'),
    ('It costs $1.', 'It costs one dollar.'),
    ('Sales rose 7%.', 'Sales rose seven percent.'),
    ('1,234,567 people', 'one million two hundred and thirty-four thousand five hundred and '
                         'sixty-seven people'),
    ('In 1999 and 2024.', 'In nineteen ninety-nine and twenty twenty-four.'),
    ('The 21st century', 'The twenty-first century'),
    ('At 14:30 or 7:05.', 'At fourteen thirty or seven oh five.'),
    ('On 2024-05-01.', 'On May first, twenty twenty-four.'),
    ('It is -5°C.', 'It is minus five degrees Celsius.'),
    ('Take 10-12 steps.', 'Take ten to twelve steps.'),
    ('2 + 2 = 4', 'two plus two equals four'),
    ('Tom & Anna', 'Tom and Anna'),
    ('Fruit, e.g. apples.', 'Fruit, for example apples.'),
    ('Dr. Smith met Mrs. Jones.', 'Doctor Smith met Missus Jones.'),
    ('Room #5', 'Room number five'),
])
def test_numbers_symbols_and_abbreviations_are_written_out(written, said):
    result = to_spoken(written)
    assert result.text == said and result.changes


@pytest.mark.parametrize('written, said', [
    ('**Stop** now, *please*.', 'Stop now, please.'),
    ('# Steps\nOpen it.', 'Steps. Open it.'),
    ('- milk\n- bread', 'milk. bread.'),
    ('1. Turn left\n2. Stop!', 'Turn left. Stop!'),
    ('See [the manual](http://a.b/c).', 'See the manual.'),
    ('Go to https://www.example.org/a?b=1', 'Go to example dot org'),
    ('Type `ls` here.', 'Type ls here.'),
    ('| a | b |\n|---|---|\n| c | d |', 'a, b. c, d.'),
    ('Run this:\n```sh\nls\npwd\n```', 'Run this: ls pwd'),
    ('So:\n```py\na = b\nc = d\ne = f\ng = h\n```\nDone.', 'So: Code omitted. Done.'),
])
def test_markup_goes_and_long_code_is_left_out(written, said):
    assert to_spoken(written).text == said


@pytest.mark.parametrize('text', [
    'Fine text stays.', 'A well-known, state-of-the-art robot?', "It's five o'clock - come in!",
    'snake_case and a * b', '你好，机器人。'])
def test_fine_text_is_unchanged(text):
    assert to_spoken(text).text == text and to_spoken(text).changes == ()


def test_changes_name_rule_before_and_after():
    change, = to_spoken('I ate 3 eggs.').changes
    assert (change.rule, change.before, change.after) == ('number', '3', 'three')


def test_other_languages_keep_their_digits_but_lose_markup():
    assert to_spoken('**他有3只猫**', 'zh').text == '他有3只猫'


@given(st.text(alphabet='ab 0123456789.,$%-#*`|:/&\n', max_size=60))
def test_any_text_ends_without_digits_and_rewriting_again_changes_nothing_more(text):
    once = to_spoken(text).text
    if once != text:
        assert not any(char.isdigit() for char in to_spoken(once).text)


class Answers:
    """A language model that gives these answers, one after the other."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def ask(self, system, user, schema, *, seed=0):
        answer = self.answers.pop(0)
        if answer is None:
            raise UnusableAnswerError('no JSON')
        return answer


def test_a_language_model_rewrites_and_the_rules_finish():
    model = Answers({'text': 'It is twenty degrees, 5%.',
                     'changes': [{'before': '20°', 'after': 'twenty degrees'}]})
    result = LanguageRewriter(model=model).rewrite('It is 20°, 5%.', 'en')
    assert result.text == 'It is twenty degrees, five percent.'
    assert [change.rule for change in result.changes] == ['model', 'percent']


@pytest.mark.parametrize('answers', [
    (None, None), ({'text': '', 'changes': []}, None),
    ({'text': 'Sure! Here is the text that you wanted me to rewrite for you.', 'changes': []},
     {'text': 'I ate three eggs.', 'changes': [1]})])
def test_without_a_usable_answer_the_rules_do_it(answers):
    result = LanguageRewriter(model=Answers(*answers)).rewrite('I ate 3 eggs', 'en')
    assert result.text == 'I ate three eggs'
