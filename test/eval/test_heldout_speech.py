"""Held-out sentences to be spoken: none that training takes or hears."""

import json

import numpy as np
import pytest

from eval import heldout_speech
from eval.heldout_speech import VOICES, main, plan_speech, unheard_sentences
from held_out.pairs import read_pairs, split_pairs
from train.edge import synthesise
from train.edge.speech_plan import TRAIN_VOICES

pytestmark = pytest.mark.unit

NAMES = [f'{a}{b}' for a in ('Tom', 'Ann', 'Bob', 'Eve', 'Ian') for b in (
    'son', 'ley', 'by', 'ton', 'ford', 'well', 'man', 'wood', 'field', 'worth')]


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / 'pairs.tsv'
    path.write_text('en\tzh\n' + ''.join(f'I know {name} well.\t我认识{name}。\n'
                                         for name in NAMES) + 'Hm 3.\t嗯3。\n', encoding='utf-8')
    return path


def test_only_sentences_that_are_held_out_and_unheard_are_spoken(pairs, tmp_path):
    held = {pair.en for pair in split_pairs(read_pairs(pairs))[1]} - {'Hm 3.'}
    assert set(unheard_sentences(pairs, [])) == held and len(held) > 1
    first = sorted(held)[0]
    (tmp_path / 'utterances.jsonl').write_text(json.dumps(
        {'text': f'Yes. {first}', 'split': 'train', 'path': 'x'}) + '\n')
    assert set(unheard_sentences(pairs, [tmp_path])) == held - {first}


def test_who_says_what_depends_on_the_sentence_only():
    texts = [f'I know {name} well.' for name in NAMES]
    whole = plan_speech(texts)
    assert plan_speech(texts[5:])[0] == whole[5] and len({one.name for one in whole}) == len(texts)
    assert {one.voice for one in whole} == set(VOICES)
    trained = {voice for voices in TRAIN_VOICES.values() for voice in voices}
    assert set(VOICES) & trained == {'hibari:heart'}


def test_the_whole_command(pairs, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(heldout_speech, 'check_voices', lambda plan: plan)
    monkeypatch.setattr(heldout_speech, 'speak_all', lambda plan, out, workers: sum(
        synthesise.make(one, out)['seconds'] for one in plan))
    monkeypatch.setattr(synthesise, 'speak', lambda text, voice, rng: np.sin(
        np.arange(16_000) / 9).astype(np.float32))
    assert main(['--text', str(pairs), '--out', str(tmp_path / 'out'), '--count', '2']) == 0
    assert len(list((tmp_path / 'out').glob('*.flac'))) == 2
    assert 'sentences to choose from' in capsys.readouterr().out
    assert main(['--text', str(pairs), '--out', str(tmp_path / 'x'), '--heard',
                 str(tmp_path / 'none')]) == 2
    assert capsys.readouterr().err.startswith('error: ')
