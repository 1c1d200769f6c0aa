"""The plan of the synthetic speech: everything hangs on its own words, sides share nothing."""

import hashlib
import random
from itertools import chain

import pytest

from train.edge import speech_plan as subject
from train.edge.dialogue import UNKNOWN, reply_to
from train.edge.phrases import Source
from train.edge.speech_plan import (
    TRAIN_VOICES,
    VALIDATION_VOICES,
    plan_utterances,
)

pytestmark = pytest.mark.unit

WORDS = ('red', 'green', 'blue', 'old', 'new', 'small', 'large', 'cold', 'warm', 'long')
TEXTS = [f'The {a} house is near a {b} {c} bridge.' for a in WORDS for b in WORDS for c in WORDS]
SHORT = [f'It is {a} and {b}.' for a in WORDS for b in WORDS]


@pytest.fixture(scope='module')
def plan():
    return plan_utterances(TEXTS)


@pytest.fixture
def no_phrases(monkeypatch):
    monkeypatch.setattr(subject, 'SOURCES', {})


def test_the_plan_is_the_same_again_and_each_has_a_name_of_its_own(plan):
    names = [one.name for one in plan]
    assert len(set(names)) == len(names) and names == sorted(names)
    said = '\n'.join(f'{one.name}|{one.text}|{one.spoken}|{one.voice}|{one.seed}|{one.split}'
                     for one in plan if one.name.startswith(('sentence', 'social')))
    assert hashlib.sha256(said.encode()).hexdigest()[:16] == 'ac25620e983ef9f0'


def test_sides_share_no_voice_and_no_words(plan):
    sides = {side: [one for one in plan if one.split == side] for side in ('train', 'validation')}
    assert 0.005 < len(sides['validation']) / len(plan) < 0.025
    assert {one.voice for one in sides['validation']} == set(VALIDATION_VOICES)
    assert not {one.voice for one in sides['train']} & set(VALIDATION_VOICES)
    assert not set(chain(*TRAIN_VOICES.values())) & set(VALIDATION_VOICES)
    long = {side: {one.text.lower() for one in some if len(one.text.split()) >= 3}
            for side, some in sides.items()}
    assert long['validation'] and not long['train'] & long['validation']


def test_there_is_some_of_everything_and_most_of_it_gets_no_answer(plan):
    kinds = [one.name.rpartition('-')[0] for one in plan]
    assert set(kinds) == {'sentence', *subject.SOURCES}
    assert kinds.count('sentence') == pytest.approx(0.75 * len(TEXTS), rel=0.08)
    near = [reply_to(one.text) for one in plan if one.name.startswith('near-miss')]
    assert set(near) == {None}
    cut = [one for one in plan if one.name.startswith('unfinished')]
    assert {reply_to(one.text) for one in cut} == {UNKNOWN}
    assert len({(one.spoken or one.text).removeprefix(one.text) for one in cut}) == 4


def test_some_hesitate(plan):
    spoken = [one for one in plan if one.name.startswith('sentence')]
    hesitant = sum(bool(one.spoken) for one in spoken)
    assert 0.05 < hesitant / len(spoken) < 0.11


def test_a_sentence_more_changes_no_other(no_phrases):
    more = 'Nobody has ever said this before.'
    before, after = ({one.name: one for one in plan_utterances(texts)}
                     for texts in (TEXTS, [more, *TEXTS]))
    assert before.items() <= after.items()
    assert {one.text for name, one in after.items() if name not in before} <= {more}


def test_a_short_sentence_may_be_followed_by_another_of_its_side(no_phrases):
    plan = plan_utterances(SHORT)
    doubled = [one for one in plan if one.text.count('.') == 2]
    assert 0.5 < len(doubled) / len(plan) < 0.7
    single = {side: {text for text in SHORT if subject._split_of(text, None) == side}
              for side in ('train', 'validation')}
    for one in doubled:
        first, _, second = one.text.partition('. ')
        assert {f'{first}.', second} <= single[one.split]


def test_a_sentence_more_changes_at_most_who_is_followed_by_it(no_phrases):
    more = 'It is late.'
    before, after = ({one.name: one for one in plan_utterances(texts)}
                     for texts in (SHORT, [*SHORT, more]))
    assert len(before.keys() - after.keys()) <= 1
    assert all(more in after[name].text for name in after.keys() - before.keys())


def test_a_phrase_more_changes_no_other(monkeypatch):
    def draw(phrase, rng):
        return f'{phrase} {rng.randrange(1000)}.'

    def planned(*phrases):
        monkeypatch.setattr(subject, 'SOURCES', {'order': Source(9, lambda: phrases, draw)})
        return {one.name: one for one in plan_utterances([])}
    before, after = planned('Bring number', 'Take number'), planned(
        'Find number', 'Bring number', 'Take number')
    assert before.items() < after.items() and len(after) - len(before) == 9


def test_a_larger_share_holds_a_smaller_one_and_all_of_validation(no_phrases):
    small, large, whole = ({one.name: one for one in plan_utterances(TEXTS, share)}
                           for share in (0.1, 0.4, 1.0))
    assert small.items() < large.items() < whole.items()
    assert 0.06 < len(small) / len(whole) < 0.14
    assert {one.name for one in whole.values() if one.split == 'validation'} <= small.keys()


def test_what_a_translator_does_not_train_on_no_voice_of_training_says(monkeypatch):
    held = random.Random(0).sample(TEXTS, 200)
    monkeypatch.setattr(subject, 'SOURCES', {'order': Source(
        1, lambda: [*held, 'Turn left at once now, please.'], lambda phrase, rng: phrase)})
    plan = plan_utterances(TEXTS, alone=set(TEXTS) - set(held))
    train = {one.text for one in plan if one.split == 'train'}
    assert len(train) > 500 and not train & set(held)
    assert 'Turn left at once now, please.' in {one.text for one in plan}
    validation = {one.text for one in plan if one.split == 'validation'
                  and one.name.startswith('sentence')}
    assert validation and validation <= set(held)
