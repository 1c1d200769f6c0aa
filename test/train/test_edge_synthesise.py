"""Synthetic speech: hesitations, number words, what voices say, runs that were stopped."""

import random

import numpy as np
import pytest
import soundfile

from train.edge import synthesise
from train.edge.numbers_and_names import draw_particular, in_words, to_ordinal
from train.edge.speech_plan import Utterance, make_disfluent, plan_utterances, separate_letters
from train.edge.synthesise import MissingVoicesError, check_voices, make, speak_all
from train.edge.texts import particulars

pytestmark = pytest.mark.unit

TEXTS = [f'Sentence number {"x" * n} is here' for n in range(1, 400)]


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
    rng = random.Random(1)
    said = [draw_particular(pattern, rng) for pattern in particulars().patterns for _ in range(8)]
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


def test_a_stopped_run_keeps_its_lines_and_speaks_the_rest(tmp_path, monkeypatch, one_process):
    said = []

    def speak(text, voice, rng):
        said.append(text)
        return np.sin(np.arange(16_000, dtype=np.float32))
    monkeypatch.setattr(synthesise, 'speak', speak)
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
    plan = plan_utterances(TEXTS)
    to_train = [item for item in plan if item.split == 'train']
    with pytest.raises(MissingVoicesError, match='validation.*apt install flite espeak-ng'):
        check_voices(plan)
    assert all(item.voice.startswith('hibari') for item in check_voices(to_train))
    monkeypatch.setattr(synthesise, 'find_spec', lambda name: None)
    with pytest.raises(MissingVoicesError, match=r'train.*pip install -r requirements/train.txt'):
        check_voices(to_train)
