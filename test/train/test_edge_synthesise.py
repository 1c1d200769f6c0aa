"""The plan of the synthetic speech: one sequence, three mixtures, hesitations, number words."""

import hashlib
import random
from itertools import islice

import numpy as np
import pytest
import soundfile

from train.edge import synthesise
from train.edge.dialogue import UNKNOWN, reply_to
from train.edge.numbers_and_names import draw_particulars, in_words, to_ordinal
from train.edge.synthesise import (
    FIRST_MIXTURE,
    THIRD_MIXTURE,
    VALIDATION,
    VALIDATION_VOICES,
    MissingVoicesError,
    Utterance,
    check_voices,
    make,
    make_disfluent,
    plan_utterances,
    separate_letters,
    speak_all,
)

pytestmark = pytest.mark.unit

TEXTS = [f'Sentence number {"x" * n} is here' for n in range(1, 400)]
MANY = [f'Sentence {in_words(a)} of {in_words(b)}' for a in range(200, 360) for b in range(120)]


def sentences(plan):
    """Return those of MANY that are said."""
    return {part.strip() for item in plan for part in item.text.split('Sentence ')[1:]}


@pytest.fixture(scope='module')
def second():
    return plan_utterances(MANY, 1200, first=FIRST_MIXTURE)


def test_the_first_plan_is_what_it_always_was():
    # By the first version of the module, with which the first batch was spoken.
    said = '\n'.join(f'{item.name}|{item.text}|{item.voice}|{item.seed}|{item.split}'
                     for item in plan_utterances(TEXTS, 600))
    assert hashlib.sha256(said.encode()).hexdigest()[:16] == 'c700af320af3548b'


def test_a_batch_goes_on_where_another_ended(second):
    assert plan_utterances(MANY, 50, first=FIRST_MIXTURE + 200) == second[200:250]
    before = plan_utterances(MANY, FIRST_MIXTURE)
    assert not {item.name for item in before} & {item.name for item in second}
    assert not sentences(before) & sentences(second)


def test_the_second_mixture_has_its_own_validation(second):
    sides = {side: [item for item in second if item.split == side]
             for side in ('train', 'validation')}
    assert second[:VALIDATION] == sides['validation']
    assert {item.voice for item in sides['validation']} <= set(VALIDATION_VOICES)
    assert not {item.voice for item in sides['train']} & set(VALIDATION_VOICES)
    long = {item.text for item in sides['validation'] if len(item.text.split()) >= 6}
    assert long and not long & {item.text for item in sides['train']}


def test_the_second_mixture_has_the_asked_shares(second):
    train = second[VALIDATION:]
    share = sum(item.text.startswith('Sentence ') for item in train) / len(train)
    assert 0.55 < share < 0.65
    hesitant = [item for item in train if item.spoken
                and item.spoken != separate_letters(item.text)]
    assert 0.04 < len(hesitant) / len(train) < 0.12


def test_the_plan_before_the_third_mixture_is_what_it_always_was():
    # By the module before it had one; what it spoke is kept and not spoken again.
    said = '\n'.join(f'{item.name}|{item.text}|{item.voice}|{item.seed}|{item.split}|{item.spoken}'
                     for item in plan_utterances(TEXTS, THIRD_MIXTURE))
    assert hashlib.sha256(said.encode()).hexdigest()[:16] == '3d042f85104a28d7'


def test_the_third_mixture_trains_only_and_says_nothing_held_out():
    alone = set(MANY[::2])
    third = plan_utterances(MANY, 1000, first=THIRD_MIXTURE, alone=alone)
    assert {item.split for item in third} == {'train'} and third[0].name == str(THIRD_MIXTURE)
    spoken = [item.text for item in third if item.text.startswith('Sentence ')]
    assert 220 < len(spoken) < 280 and set(spoken) <= alone
    validation = {item.text for item in plan_utterances(MANY, FIRST_MIXTURE + VALIDATION)
                  if item.split == 'validation' and len(item.text.split()) > 2}
    assert validation and not validation & {item.text for item in third}
    answers = [reply_to(item.text) for item in third]
    assert 0.6 < answers.count(None) / 1000 < 0.8 and answers.count(UNKNOWN) > 30
    voices = [item.voice.partition(':')[0] for item in third]
    assert 0.55 < voices.count('hibari') / 1000 < 0.65


def test_an_order_that_is_cut_off_is_said_in_several_ways():
    third = plan_utterances(TEXTS, 800, first=THIRD_MIXTURE)
    cut = [item for item in third if item.text[-1] not in '.?!' and item.text not in TEXTS]
    assert len({(item.spoken or item.text).removeprefix(item.text) for item in cut}) == 4
    assert {reply_to(item.text) for item in cut} == {UNKNOWN}


def test_a_hesitation_only_adds_words():
    text, seen = 'I want to go home. It is late.', set()
    for seed in range(300):
        said = make_disfluent(text, random.Random(seed))
        seen.add(said)
        words = iter(said.lower().replace(',', '').replace('.', '').split())
        assert all(word in words for word in text.lower().replace('.', '').split())
    assert 'I, um, I want to go home. It is late.' in seen
    assert 'I, I want to go home. It is late.' in seen
    assert make_disfluent('Stop right there.', random.Random(0)) == 'Stop right there.'
    numbers = {make_disfluent('On a four four seven.', random.Random(n), repeat=False)
               for n in range(30)}
    assert all('a, a' not in said and 'On, on' not in said for said in numbers)


@pytest.mark.parametrize(('number', 'words'), [
    (0, 'zero'), (19, 'nineteen'), (40, 'forty'), (77, 'seventy-seven'), (100, 'one hundred'),
    (305, 'three hundred and five'), (2000, 'two thousand'), (1009, 'one thousand and nine'),
    (4127, 'four thousand one hundred and twenty-seven')])
def test_numbers_in_words(number, words):
    assert in_words(number) == words


def test_ordinals():
    assert [to_ordinal(n) for n in (1, 2, 3, 5, 8, 9, 12, 20, 21, 30, 14)] == [
        'first', 'second', 'third', 'fifth', 'eighth', 'ninth', 'twelfth', 'twentieth',
        'twenty-first', 'thirtieth', 'fourteenth']


def test_particulars_are_words_only():
    said = list(islice(draw_particulars(random.Random(1)), 300))
    assert not any(letter.isdigit() or letter in '{}' for text in said for letter in text)
    assert all(text[0].isupper() and text[-1] in '.?' for text in said)


def test_spelled_letters_are_spoken_one_by_one():
    assert separate_letters('That is M A R Y.') == 'That is M, A, R, Y.'
    assert separate_letters('I like A.') == 'I like A.'


def test_the_voice_says_the_fillers_and_the_line_keeps_the_text(tmp_path, monkeypatch):
    said = []

    def speak(text, voice, rng):
        said.append(text)
        return np.sin(np.arange(16_000, dtype=np.float32))
    monkeypatch.setattr(synthesise, 'speak', speak)
    plan = Utterance(name='1', text='Go home.', spoken='Um, go home.', voice='flite:slt', seed=1,
                     split='train')
    line = make(plan, tmp_path)
    assert said == ['Um, go home.'] and line['text'] == 'Go home.'
    assert soundfile.info(tmp_path / line['path']).samplerate == 16_000


def test_a_stopped_run_keeps_its_lines_and_speaks_the_rest(tmp_path, monkeypatch):
    said = []

    class Alone:
        def __init__(self, workers):
            self.map = lambda function, *rows, chunksize: map(function, *rows)

        def __enter__(self):
            return self

        def __exit__(self, *error):
            return None

    def speak(text, voice, rng):
        said.append(text)
        return np.sin(np.arange(16_000, dtype=np.float32))
    monkeypatch.setattr(synthesise, 'speak', speak)
    monkeypatch.setattr(synthesise, 'ProcessPoolExecutor', Alone)
    plan = [Utterance(name=name, text=f'Go {name}.', voice='flite:slt', seed=1, split='train')
            for name in 'abc']
    speak_all(plan[:2], tmp_path, 1)
    lines = tmp_path / 'utterances.jsonl'
    lines.write_bytes(lines.read_bytes()[:-5])
    seconds = speak_all(plan, tmp_path, 1)
    assert said == ['Go a.', 'Go b.', 'Go b.', 'Go c.']
    assert len(lines.read_text().splitlines()) == 3 and seconds == pytest.approx(3.0, abs=0.1)


def test_a_side_without_a_voice_is_refused_with_the_commands_to_run(monkeypatch):
    monkeypatch.setattr(synthesise.shutil, 'which', lambda command: None)
    monkeypatch.setattr(synthesise, 'find_spec', lambda name: object())
    plan = plan_utterances(TEXTS, 300)
    with pytest.raises(MissingVoicesError, match='validation.*apt install flite espeak-ng'):
        check_voices(plan)
    assert all(item.voice.startswith('hibari') for item in check_voices(plan[VALIDATION:]))
    monkeypatch.setattr(synthesise, 'find_spec', lambda name: None)
    with pytest.raises(MissingVoicesError, match=r'train.*pip install -r requirements/train.txt'):
        check_voices(plan[VALIDATION:])
