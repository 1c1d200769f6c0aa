"""Texts as data: what is refused, and that one more changes nothing else."""

import random
from collections import Counter

import pytest

from audio_interaction_ros.errors import ConfigurationError
from train.edge.texts import DATA, DialogueTexts, NearMisses, choose, read_texts

pytestmark = pytest.mark.unit

FORMS = 'forms: {polite: ["{}"]}\n'


def write(tmp_path, text):
    path = tmp_path / 'dialogue.yaml'
    path.write_text(text, encoding='utf-8')
    return path


@pytest.mark.parametrize(('text', 'message'), [
    ('slots: {}\n' + FORMS, r"dialogue.yaml.*expected the key 'exchanges'"),
    ('slots: {}\nexchanges: []\nmore: 1\n' + FORMS, "unknown key 'more'"),
    ('slots: {}\n' + FORMS + 'exchanges: [{answer: A., kind: shout, phrases: [a]}]',
     r"exchanges\[0\].*kind: expected one of .*, found 'shout'"),
    ('slots: {thing: [tea]}\n' + FORMS + 'exchanges: [{answer: A., kind: order, phrases: '
     "['bring {tea}']}]", r"'bring \{tea\}': expected a slot of thing, found \{tea\}"),
    ('slots: {}\n' + FORMS + "exchanges: [{answer: A., kind: order, phrases: ['go [there']}]",
     r"'go \[there': expected as many '\[' as '\]', found 1 and 0"),
    ('slots: {thing: [tea, cup, tea]}\n' + FORMS + 'exchanges: []',
     "slots thing: 'tea' stands twice"),
    ('slots: {state: [open, no]}\n' + FORMS + 'exchanges: []', 'true or false, or the word in')])
def test_a_slip_of_the_pen_is_named(tmp_path, text, message):
    with pytest.raises(ConfigurationError, match=message):
        read_texts(write(tmp_path, text), DialogueTexts)


def test_a_template_may_name_people(tmp_path):
    text = (DATA / 'near_misses.yaml').read_text(encoding='utf-8')
    read_texts(write(tmp_path, text), NearMisses)
    with pytest.raises(ConfigurationError, match='found {whom}'):
        read_texts(write(tmp_path, text.replace('{who}', '{whom}')), NearMisses)


def test_each_word_is_chosen_as_often_and_a_doubled_one_twice():
    rng = random.Random(0)
    counts = Counter(choose(['tea', 'milk', 'tea', 'water'], rng) for _ in range(4000))
    assert counts['tea'] == pytest.approx(2000, abs=150)
    assert counts['milk'] == pytest.approx(counts['water'], abs=150)


def test_a_word_more_changes_only_what_then_says_it():
    before, after = (random.Random(1), random.Random(1))
    few, many = ['tea', 'milk', 'water'], ['juice', 'tea', 'milk', 'water']
    pairs = [(choose(few, before), choose(many, after)) for _ in range(400)]
    assert {b for a, b in pairs if a != b} == {'juice'}
