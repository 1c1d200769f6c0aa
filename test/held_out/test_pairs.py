"""Sentence pairs: reading, the split and the translators that know no language."""

import pytest

from held_out.pairs import (
    Pair,
    PairsError,
    baseline_texts,
    find_references,
    keep_short,
    read_pairs,
    sentence_key,
    split_pairs,
)

pytestmark = pytest.mark.unit


def test_reads_both_columns_and_drops_repeated_pairs(tmp_path):
    path = tmp_path / 'pairs.tsv'
    path.write_text('en\tzh\twho\n"Hi.\t嗨。\ta\n"Hi.\t嗨。\tb\nYes.\t\tc\n', encoding='utf-8')
    assert read_pairs(path) == [Pair('"Hi.', '嗨。')]


def test_says_which_columns_are_missing(tmp_path):
    path = tmp_path / 'pairs.tsv'
    path.write_text('en\tde\nHi.\tHallo.\n', encoding='utf-8')
    with pytest.raises(PairsError, match='columns en and zh'):
        read_pairs(path)


def test_sentences_that_differ_in_case_width_or_stops_are_the_same():
    assert sentence_key('Is it Tom?') == sentence_key('IS IT TOM .')
    assert sentence_key('你好,Tom!') == sentence_key('你好,tom。')
    assert sentence_key('Yes.') != sentence_key('No.')
    assert sentence_key('?!') == '?!'


def test_no_sentence_is_on_both_sides():
    pairs = [Pair(f'Sentence {n // 2}{"!" if n % 2 else "."}', f'句子{n // 3}')
             for n in range(3_000)]
    train, held = split_pairs(pairs)
    assert 200 < len(held) < 400
    for language in ('en', 'zh'):
        known = {sentence_key(getattr(pair, language)) for pair in train}
        assert not known & {sentence_key(getattr(pair, language)) for pair in held}
    assert len(train) + len(held) < len(pairs)  # Chinese sentences link English ones
    assert sorted(map(str, split_pairs(pairs[::-1])[1])) == sorted(map(str, held))


def test_short_pairs_have_ten_english_words():
    pairs = [Pair('a ' * 10, '一'), Pair('a ' * 11, '二')]
    assert keep_short(pairs) == pairs[:1]


def test_every_translation_counts_as_right():
    pairs = [Pair('Hi.', '嗨。'), Pair('Hi.', '你好。'), Pair('Hello.', '你好。')]
    assert find_references(pairs, 'en-zh') == {'Hi.': ('嗨。', '你好。'), 'Hello.': ('你好。',)}
    assert find_references(pairs, 'zh-en')['你好。'] == ('Hi.', 'Hello.')


def test_trivial_translators():
    train = [Pair('I like tea.', '我喜欢茶。'), Pair('He sleeps.', '他睡觉。'),
             Pair('He is asleep.', '他睡觉。')]
    said = baseline_texts(train, 'en-zh', ['I like coffee.', 'Xyz'])
    assert said['copy'] == ['I like coffee.', 'Xyz']
    assert said['frequent'] == ['他睡觉。', '他睡觉。']
    assert said['nearest'][0] == '我喜欢茶。'
    assert baseline_texts(train, 'zh-en', ['我喜欢水。'])['nearest'] == ['I like tea.']
