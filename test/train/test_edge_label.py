"""Pseudo-labels: which clips are read, what is kept of a reading, and runs that are cut off."""

import json

import numpy as np
import pytest
import soundfile

from train.edge.label import (
    Label,
    LabelError,
    WhisperReading,
    judge_reading,
    label,
    read_labels,
    wants_label,
)

pytestmark = pytest.mark.unit

CLIP = {'path': 'a.wav', 'label': 'speech_command', 'lang': 'en', 'licence_group': 'free',
        'seconds': 2.0}
UNCHECKED = 'prompt given to the speaker, not checked against the recording'
PROMPT = {**CLIP, 'text_note': UNCHECKED}


def heard(text, **fields):
    return WhisperReading(**{'heard': text, 'log_probability': -0.2, 'no_speech': 0.05,
                             'compression': 1.0, **fields})


@pytest.mark.parametrize(('change', 'answer'), [
    ({}, True), ({'text': 'Stop.'}, False), ({'text': 'Stop.', 'text_note': UNCHECKED}, True),
    ({'licence_group': 'share_alike'}, False), ({'lang': 'zh'}, False),
    ({'label': 'speech_nonverbal'}, False), ({'label': 'dog_bark'}, False),
    ({'seconds': 11.0}, True), ({'seconds': 11.1}, False)])
def test_free_english_speech_without_a_checked_text_is_read(change, answer):
    assert wants_label({**CLIP, **change}) is answer


def test_a_sure_reading_becomes_a_sentence_in_words():
    said = judge_reading(CLIP, heard('turn on 2 lights'))
    assert said == Label(path='a.wav', text='Turn on two lights.', origin='whisper-base',
                         doubtful=False, why='', confidence=0.8187, heard='turn on 2 lights')


@pytest.mark.parametrize(('reading', 'why'), [
    (heard('Hello.', log_probability=-0.7), 'unsure'), (heard('Hello.', no_speech=0.7), 'no spee'),
    (heard('...'), 'no speech'), (heard('Ha ha ha.', compression=3.0), 'repeats')])
def test_an_unsure_reading_is_doubtful_and_has_no_text(reading, why):
    said = judge_reading(CLIP, reading)
    assert said.doubtful and said.text == '' and said.why.startswith(why)


@pytest.mark.parametrize(('said', 'text'), [
    ('Get me a 16 oz dark rose ice mocha.', 'Get me a sixteen ounce dark roast iced mocha.'),
    ('Brue a dark-roast 16 ounce iced mocha', 'Brew a dark-roast sixteen ounce iced mocha.'),
    ('Get me a dark roast 16 ounce marker.', ''),
    ('Get me a dark roast to 16 ounce iced mocha.', '')])
def test_what_the_makers_annotated_must_be_in_a_reading(said, text):
    row = {**CLIP, 'slots': {'size': 'sixteen ounce', 'roast': 'dark roast',
                             'coffeeDrink': ' iced mocha'}}
    assert judge_reading(row, heard(said)).text == text


@pytest.mark.parametrize(('row', 'said', 'text'), [
    ({'text': '48 Ridge Road'}, '4-8, Ridge Road.', '48 Ridge Road.'),
    ({'text': '48 Ridge Road'}, '9 Northward Avenue', ''),
    ({'text': 'one two three', 'digits': '123'}, '0, 1, 2, 3.', 'Zero one two three.'),
    ({'text': 'five five nine', 'digits': '559'}, '559', 'Five five nine.'),
    ({'text': 'Z A N E', 'spelled': 'Zane'}, 'Z-A-N-E.', 'Z A N E.'),
    ({'text': 'Z A N E', 'spelled': 'Zane'}, 'Zane', 'Zane.'),
    ({'text': 'Z A N E', 'spelled': 'Zane'}, 'Zane, Z-A-N-E', 'Zane, Z A N E.'),
    ({'text': 'Z A N E', 'spelled': 'Zane'}, 'Mary.', '')])
def test_a_prompt_is_kept_as_it_was_read_out(row, said, text):
    answer = judge_reading({**PROMPT, **row}, heard(said, no_speech=0.9))
    assert answer.text == text and answer.doubtful is (not text) and answer.origin == 'prompt'


def test_a_run_that_was_cut_off_goes_on(tmp_path):
    rows = [{**CLIP, 'path': f'{n}.wav'} for n in range(3)]
    (tmp_path / 'manifest.jsonl').write_text('\n'.join(map(json.dumps, rows)))
    for row in rows:
        soundfile.write(tmp_path / row['path'], np.zeros(1600), 16_000)
    out, read = tmp_path / 'labels.jsonl', []

    def whisper(samples):
        read.append(len(samples))
        return heard(f'Number {len(read)}.')
    running = label(tmp_path, out, whisper)
    next(running), next(running)
    running.close()
    out.write_text(out.read_text() + '{"path": "2.wa')
    assert len(list(label(tmp_path, out, whisper))) == 3 and read == [1600] * 3
    assert [said.text for said in read_labels(out).values()] == [
        'Number one.', 'Number two.', 'Number three.']


def test_a_file_of_something_else_is_refused(tmp_path):
    (tmp_path / 'x').write_text('{"path": "a"}\n')
    with pytest.raises(LabelError, match='line 1'):
        read_labels(tmp_path / 'x')
