"""Spoken sentences: only what training never took in any form, with all that it can mean."""

import json
from pathlib import Path

import pytest

from held_out.clips import HeldOutClip, MaterialError
from held_out.pairs import Pair, split_pairs
from held_out.spoken_sentences import (
    SentencePairs,
    language_of,
    pair_spoken,
    read_trained_keys,
    sentences_of,
)

pytestmark = pytest.mark.unit

MANY = [Pair(f'I see {count} birds.', f'我看见{count}只鸟。') for count in range(100)]
TRAIN, HELD = split_pairs(MANY)
A, B = HELD[:2]
T = TRAIN[0]


def folder(path, rows):
    """Write (text, split, translation) as utterances.jsonl."""
    path.mkdir(parents=True)
    (path / 'utterances.jsonl').write_text(''.join(json.dumps({
        'path': f'{i}.flac', 'text': text, 'split': side, 'voice': 'v', 'lang': language_of(text),
        'translation': translation}) + '\n' for i, (text, side, translation) in enumerate(rows)))
    return path


def test_sentences_of_both_languages_are_told_apart():
    assert sentences_of('Hi. Where?') == ['Hi.',
                                          'Where?'] and sentences_of('嗨。在哪？') == ['嗨。',
                                                                                  '在哪？']
    assert (language_of('嗨'), language_of('Hi')) == ('zh', 'en')


def test_a_text_counts_only_when_all_its_sentences_are_held_out():
    pairs = SentencePairs([*MANY, Pair(A.en, '另一个。')])
    assert pairs.translations_of(A.en.upper()) == (A.zh, '另一个。')
    assert pairs.translations_of(f'{A.en} {B.en}') == (A.zh + B.zh,)
    assert pairs.translations_of(A.zh + B.zh) == (f'{A.en} {B.en}',)
    assert pairs.translations_of(f'{A.en} {T.en}') == pairs.translations_of(T.zh + A.zh) == ()
    assert pairs.is_trained(f'{A.en} {T.en}') and not pairs.is_trained(f'{A.en} {B.en}')


def test_what_training_says_or_translates_is_left_out_in_all_folders(tmp_path):
    first = folder(tmp_path / 'a', [(A.en, 'validation', ''), (B.en, 'validation', ''),
                                    (T.en, 'validation', ''), (B.zh, 'validation', B.en)])
    second = folder(tmp_path / 'b', [(f'Well. {B.en}', 'train', '')])
    assert len(read_trained_keys([first])) == 0 < len(read_trained_keys([second]))
    found = pair_spoken([], [first, second], SentencePairs(MANY))
    assert {(one.direction, one.text, one.new) for one in found} == {
        ('en-zh', A.en, True), ('zh-en', B.zh, False)}


def test_recordings_count_where_no_pair_that_is_trained_on_holds_their_words():
    items = [HeldOutClip(path=Path(f'{text}.wav'), label='speech_phrase', group='', seconds=1.0,
                         text=text, translation=own) for text, own in (
        (T.en, T.zh), ('Hello there.', '你好。'), (A.en, '自己的。'), ('No translation.', ''))]
    assert {one.text: one.references for one in pair_spoken(items, [], SentencePairs(MANY))} == {
        'Hello there.': ('你好。',), A.en: ('自己的。', A.zh)}
    assert len(pair_spoken(items, [], None)) == 3


def test_a_folder_without_utterances_is_said(tmp_path):
    with pytest.raises(MaterialError, match='expected utterances'):
        pair_spoken([], [tmp_path], SentencePairs(MANY))
