"""Translations, questions and orders put to a text model: what is asked and how it is counted."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from audio_interaction_ros.checkpoints.config import lanes_by_setting
from audio_interaction_ros.config import REPLY_PROMPT
from audio_interaction_ros.runtimes.base import Runtime
from audio_interaction_ros.runtimes.scripted import (
    ScriptedDecoder,
    ScriptedEncoder,
    ScriptedTokenizer,
)
from audio_interaction_ros.strict_yaml import read_yaml
from eval import answers, text_translation, translation
from eval.__main__ import main
from eval.answers import QUESTIONS, is_right
from eval.text_translation import choose_texts
from held_out.pairs import Pair, split_pairs

sys.path.append(str(Path(__file__).parents[1] / 'dialogue'))
from scripted_text import scripted

pytestmark = pytest.mark.unit

PAIRS = [Pair(f'I see {count} dogs.', f'我看见{count}只狗。') for count in range(60)]


class Mute:
    """A text net that says nothing."""

    def __init__(self, slots, end):
        self.slots, self._end = slots, end

    def feed(self, ids, at):
        return np.eye(1, 200_000, self._end, dtype=np.float32)[0]


def runtime(said):
    decoder = ScriptedDecoder(script={}, translations=said, max_positions=1024)
    decoder.open_text_net = lambda slots: Mute(slots, decoder.spec.token_ids.text_end)
    return Runtime(
        encoder=ScriptedEncoder(), tokenizer=ScriptedTokenizer(), sounds=None, decoder=decoder,
        config=SimpleNamespace(lanes=lanes_by_setting(
            prompts={'translation': 'Translate.', 'assistant': 'Answer.'})))


@pytest.fixture
def model(monkeypatch):
    """Let a text model know every pair, and the answers to some questions."""
    known = {pair.en: pair.zh for pair in PAIRS} | {pair.zh: pair.en for pair in PAIRS}

    def answer(turns):
        asked = turns[-1][1]
        if turns[0][1] == REPLY_PROMPT:
            return 'Green.' if 'colour' in asked else 'Who knows.'
        return known.get(asked, 'orderDrink' if 'tea' in asked else asked)
    loaded = []

    def load(name, **options):
        loaded.append((name, options['dtype']))
        return scripted(answer)[0]
    for room in (answers, text_translation):
        monkeypatch.setattr(room, 'load_text_model', load)
    return loaded


@pytest.fixture
def pairs(tmp_path):
    path = tmp_path / 'pairs.tsv'
    path.write_text('en\tzh\n' + ''.join(f'{pair.en}\t{pair.zh}\n' for pair in PAIRS))
    return path


def options_of(room, out, *more):
    import argparse
    parser = argparse.ArgumentParser()
    room.add_arguments(parser)
    return parser.parse_args([*map(str, more), '--out', str(out)])


def test_only_held_out_sentences_are_taken():
    train, held = split_pairs(PAIRS)
    chosen = choose_texts(held, 100)
    taken = {sentence.text for sentence in chosen['en-zh']}
    assert taken == {pair.en for pair in held} and not taken & {pair.en for pair in train}
    assert all(sentence.references for sentence in chosen['zh-en'])


def test_texts_are_translated_by_the_lane_the_model_and_word_by_word(model, pairs, tmp_path,
                                                                     capsys):
    options = options_of(translation, tmp_path / 'out', '--pairs', pairs, '--texts', 3,
                         '--text-model', 'some.gguf', '--text-dtype', 'int4', '--growing', 2)
    held = split_pairs(PAIRS)[1]
    said = {held[0].en: held[0].zh}
    assert translation.run(options, runtime(said)) == 0
    rows = json.loads((tmp_path / 'out/translation_of_texts.json').read_text())['figures'][
        'directions']
    assert rows['en-zh']['some int4']['BLEU']['value'] == pytest.approx(100)
    assert rows['zh-en']['some int4']['sentences'] == 3
    assert rows['en-zh']['some int4, as it is spoken']['taken_back'] == 0
    assert rows['en-zh']['edge text lane']['BLEU']['value'] < 100
    assert 'nearest' in rows['zh-en'] and 'tok:zh' in rows['en-zh']['nearest']['BLEU_signature']
    assert model == [('some.gguf', 'int4')]
    kept = (tmp_path / 'out/texts_read.jsonl').read_text()
    assert translation.run(options, runtime(said)) == 0  # nothing is translated again
    assert (tmp_path / 'out/texts_read.jsonl').read_text() == kept
    assert 'signature of BLEU' in capsys.readouterr().out


def test_texts_need_the_pairs_that_tell_what_is_held_out(tmp_path, capsys):
    assert main(['translation', '--texts', '3', '--out', str(tmp_path)]) == 2
    assert '--texts without --pairs' in capsys.readouterr().err


@pytest.mark.parametrize('said, groups, right', [
    ('It is Paris.', [['paris']], True), ('There are 17 days.', [['7', 'seven']], False),
    ('七天', [['七', '7']], True), ('A cat', [['a'], ['dog']], False), ('A.', [['a']], True)])
def test_an_answer_is_right_where_it_names_the_key_words(said, groups, right):
    assert is_right(said, groups) is right


def test_the_questions_are_sound():
    for asked in read_yaml(QUESTIONS).values():
        assert len({question['ask'] for question in asked}) == len(asked) >= 15
        for question in asked:
            assert set(question) == {'ask', 'any'}
            assert all(word == word.casefold() for group in question['any'] for word in group)
            assert not is_right(question['ask'], question['any']), question


def test_questions_and_orders_are_put_to_it(model, tmp_path, capsys):
    understood = tmp_path / 'understood.jsonl'
    understood.write_text(''.join(json.dumps({
        'clip': {'sort': sort}, 'text': text, 'intent': intent}) + '\n' for sort, text, intent in (
            ('drinks', 'A tea please.', 'orderDrink'), ('drinks', 'A hot tea.', ''),
            ('drinks (development)', 'One tea.', 'orderDrink'), ('other speech', 'He left.', ''),
            ('drinks', '', ''))))
    options = options_of(answers, tmp_path / 'out', '--text-model', 'some', '--understood',
                         understood)
    assert answers.run(options, runtime({})) == 0
    found = json.loads((tmp_path / 'out/answers.json').read_text())['figures']
    assert 0 < found['questions']['some int8']['en']['value'] < 0.2
    assert found['questions']['some int8']['tokens_per_s'] > 0
    assert found['questions']['edge, asked as text']['en']['value'] == 0
    drinks, other = found['orders']['drinks'], found['orders']['other speech']
    assert (drinks['some int8']['value'], drinks['some int8']['n']) == (1.0, 2)
    assert drinks['phrases']['value'] == 0.5
    assert (other['some int8']['value'], other['phrases']['value']) == (0.0, 1.0)
