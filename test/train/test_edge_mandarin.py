"""Mandarin speech: what is spoken by whom, on which side, and what happens without an engine."""

import json
import random
import sys
import types
from functools import partial

import numpy as np
import pytest
import soundfile

from held_out.pairs import Pair, keep_short, split_pairs
from train.edge import mandarin
from train.edge.mandarin import (
    TRAIN_VOICES,
    VALIDATION_VOICES,
    MandarinUtterance,
    choose_speakable,
    find_missing,
    main,
    make,
    plan_utterances,
    to_pinyin,
)
from train.edge.synthesise import MissingVoicesError
from train.speech import phonemes
from train.speech.protocol import SpeechError

pytestmark = pytest.mark.unit

LETTERS = '我你他她们好吗在家吃饭喝水看书'
TONE = np.sin(np.arange(24_000, dtype=np.float32))


def many(count):
    rng = random.Random(5)
    return [Pair(f'Sentence number {n} is here', ''.join(rng.choices(LETTERS, k=9)) + '。')
            for n in range(count)]


PAIRS = many(2000)


@pytest.fixture
def words(monkeypatch):
    """Stand in for the package that parts Chinese text into words."""
    cut = types.SimpleNamespace(lcut=lambda text: ['电视', '，', '好吗', '？'],
                                setLogLevel=lambda level: None)
    monkeypatch.setitem(sys.modules, 'jieba', cut)
    phonemes._import_jieba.cache_clear()
    yield
    phonemes._import_jieba.cache_clear()


def test_held_out_sentences_are_for_validation_only_and_have_their_own_voices():
    train, held = split_pairs(PAIRS)
    spoken = plan_utterances(PAIRS, {'kokoro': 300, 'espeak': 400}, 40)
    sides = {side: [item for item in spoken if item.split == side]
             for side in ('train', 'validation')}
    assert (len(sides['train']), len(sides['validation'])) == (700, 40)
    assert {(i.translation, i.text) for i in sides['validation']} <= {
        (pair.en, pair.zh) for pair in keep_short(held)}
    assert {(i.translation, i.text) for i in sides['train']} <= {
        (pair.en, pair.zh) for pair in train}
    voices = {side: {item.voice for item in items} for side, items in sides.items()}
    assert voices['validation'] == {'kokoro:zf_xiaoyi', 'kokoro:zm_yunyang'}
    assert voices['train'] == {*TRAIN_VOICES['kokoro'], *TRAIN_VOICES['espeak']}
    assert all(item.lang == 'zh' for item in spoken)


def test_validation_voices_never_train():
    for engine, voices in VALIDATION_VOICES.items():
        assert not set(voices) & set(TRAIN_VOICES[engine])


def test_a_stopped_run_leaves_validation_and_a_mixture():
    spoken = plan_utterances(PAIRS, {'kokoro': 100, 'espeak': 300}, 20)
    assert [item.split for item in spoken[:20]] == ['validation'] * 20
    begun = [item.voice.partition(':')[0] for item in spoken[20:60]]
    assert begun.count('kokoro') == 10 and begun.count('espeak') == 30


def test_no_sentence_is_spoken_twice_and_a_larger_plan_holds_the_smaller():
    small = plan_utterances(PAIRS, {'kokoro': 100, 'espeak': 0}, 20)
    large = plan_utterances(PAIRS, {'kokoro': 200, 'espeak': 300}, 20)
    assert set(small) < set(large)
    assert len({item.text for item in large}) == len({item.name for item in large}) == len(large)


def test_without_kokoro_espeak_does_validation():
    spoken = plan_utterances(PAIRS, {'kokoro': 0, 'espeak': 10}, 5)
    assert {item.voice for item in spoken[:5]} == set(VALIDATION_VOICES['espeak'])


def test_only_short_chinese_without_latin_letters_and_digits_is_spoken():
    good = Pair('I am at home.', '我在家。')
    others = [Pair('Tom?', 'Tom在家吗？'), Pair('At 3.', '我在3。'), Pair('Hm.', '嗯。'),
              Pair('Long.', '我' * 15 + '。'), Pair('Home I am.', '我在家！')]
    assert choose_speakable([good, *others]) == [good]
    assert choose_speakable([good], {'wo', 'zai'}) == []
    assert choose_speakable([good], {'wo', 'zai', 'jia'}) == [good]


def test_rare_syllables_are_left_out():
    pairs = [*PAIRS, *(Pair(f'Rare {n}', f'我在日{LETTERS[n]}') for n in range(15))]
    assert not any('日' in item.text for item
                   in plan_utterances(pairs, {'kokoro': 2000, 'espeak': 9}, 9))


def test_espeak_gets_words_of_numbered_syllables(words):
    assert to_pinyin('电视，好吗？') == 'dian4shi4 , hao3ma5 ?'


def test_a_line_has_both_languages_and_a_refused_text_none(tmp_path, monkeypatch):
    item = MandarinUtterance(name='zh-1', text='好', translation='Good', voice='kokoro:zf_x',
                             seed=1,
                             split='train')
    one = partial(make, item, tmp_path, model=tmp_path, voices=tmp_path)
    monkeypatch.setattr(mandarin, '_load_kokoro', lambda *paths: types.SimpleNamespace(
        speak=lambda *given, **named: (TONE, 24_000)))
    line = one() or {}
    assert {'name', 'text', 'translation', 'lang', 'voice', 'seed', 'split', 'path',
            'seconds'} == set(line)
    assert (line['lang'], line['text'], line['translation']) == ('zh', '好', 'Good')
    assert soundfile.info(tmp_path / line['path']).samplerate == 16_000

    def refuse(*given, **named):
        raise SpeechError('no')
    monkeypatch.setattr(mandarin, '_load_kokoro',
                        lambda *paths: types.SimpleNamespace(speak=refuse))
    assert one() is None


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(mandarin.shutil, 'which', lambda command: None)
    assert 'not given' in find_missing(None, None)['kokoro']
    monkeypatch.setattr(mandarin, 'find_spec', lambda name: object())
    lacking = find_missing(tmp_path / 'm.onnx', tmp_path / 'v.npz')
    assert 'm.onnx' in lacking['kokoro'] and 'apt install espeak-ng' in lacking['espeak']
    monkeypatch.setattr(mandarin, 'find_spec', lambda name: None)
    assert 'misaki' in find_missing(tmp_path / 'm.onnx', tmp_path / 'v.npz')['kokoro']


def test_the_command_goes_on_without_kokoro_and_stops_without_any(tmp_path, monkeypatch, capsys):
    table = tmp_path / 'pairs.tsv'
    table.write_text('en\tzh\n' + ''.join(f'{pair.en}\t{pair.zh}\n' for pair in PAIRS),
                     encoding='utf-8')
    asked = ['--text', str(table), '--out', str(tmp_path / 'out'), '--espeak', '8',
             '--validation', '2']
    seen: list[MandarinUtterance] = []

    def speak_all(items, out, workers, one):
        seen.extend(items)
        return 3600.0
    monkeypatch.setattr(mandarin, 'speak_all', speak_all)
    monkeypatch.setattr(mandarin, 'find_missing', lambda model, voices: {'kokoro': 'no model'})
    main(asked)
    assert {item.voice.partition(':')[0] for item in seen} == {'espeak'} and len(seen) == 10
    assert 'left out: voices of kokoro: no model' in capsys.readouterr().out
    monkeypatch.setattr(mandarin, 'find_missing', lambda *paths: {'kokoro': 'a', 'espeak': 'b'})
    with pytest.raises(MissingVoicesError, match='a; b'):
        main(asked)


def test_a_stopped_run_goes_on(tmp_path, monkeypatch, one_process):
    said = []

    def speak(item, model, voices):
        said.append(item.name)
        return TONE[:16_000]
    monkeypatch.setattr(mandarin, 'speak', speak)
    one = partial(make, model=tmp_path, voices=tmp_path)
    spoken = plan_utterances(PAIRS, {'kokoro': 3, 'espeak': 0}, 1)
    mandarin.speak_all(spoken[:2], tmp_path, 1, one)
    mandarin.speak_all(spoken, tmp_path, 1, one)
    lines = (tmp_path / 'utterances.jsonl').read_text(encoding='utf-8').splitlines()
    assert said == [item.name for item in spoken] == [json.loads(row)['name'] for row in lines]
