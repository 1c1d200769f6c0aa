"""Words out of tokens: where one begins, what is a mark behind it, where in the audio it is."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_interaction_ros.runtimes.word_alignment import FRAME_S, align_tokens
from audio_interaction_ros.runtimes.word_making import ids_of, make_words, place_words, write_ids

pytestmark = pytest.mark.unit


def words_of(*pieces, agreed=()):
    """Return the words of tokens that are these pieces of text."""
    return make_words(list(range(len(pieces))), [0.0] * len(pieces),
                      lambda ids: ''.join(pieces[code] for code in ids), agreed=agreed)


@pytest.mark.parametrize(('pieces', 'expected'), [
    ([' Hello', ',', ' I', ' don', "'t", ' know', '.'],
     [(' Hello', ','), (' I', ''), (" don't", ''), (' know', '.')]),
    ([' It', ' is', ' 3', '.', '5', '.'], [(' It', ''), (' is', ''), (' 3.5', '.')]),
    (['今天', '天', '气', '。'], [('今天', ''), ('天', ''), ('气', '。')]), ([], [])])
def test_tokens_become_words_and_marks(pieces, expected):
    assert [(word.text, word.mark) for word in words_of(*pieces)] == expected


def test_behind_what_was_agreed_a_mark_is_a_mark_and_all_else_another_word():
    agreed = words_of(' lamp')
    first, other = words_of('post', agreed=agreed)
    assert (first, other.text) == (agreed[0], 'post')
    assert words_of(',', agreed=agreed)[0].mark == ','


@pytest.mark.parametrize('pieces', [
    (' at', ' 5', ':', '30', '.'), (' 1', ',', '000', ' metres'), (' $', '20', '.', '50', '!'),
    (' 45', '°', ',', ' then'), (' 20', '%', '.'), (' 2', '.', '5', '-', 'hour'),
    ('下', '午', '5', '点', '半', '。'), ('付', '20', '.', '5', '元', '，')])
@pytest.mark.parametrize('count', range(1, 5))
def test_what_follows_words_that_were_agreed_in_mid_number_is_not_lost(pieces, count):
    agreed = words_of(*pieces[:count])
    agreed = [*agreed[:-1], replace(agreed[-1], mark='', mark_ids=())]
    read = sum(len(word.ids) + len(word.mark_ids) for word in agreed)
    for _ in range(2):  # the reading after that begins with its words as well
        words = make_words(range(read, len(pieces)), [0.0] * (len(pieces) - read),
                           lambda ids: ''.join(pieces[code] for code in ids), agreed=agreed)
        assert ''.join(word.written for word in words) == ''.join(pieces)
        assert ids_of(words) == list(range(len(pieces)))
        assert [word.text for word in words[:len(agreed)]] == [word.text for word in agreed]
        agreed, read = words, len(pieces)


@given(st.text(st.characters(codec='utf-8', exclude_characters='\ufffd')), st.integers(0, 99))
def test_what_ends_within_a_character_has_whole_ones_only_and_says_so(text, count):
    """A byte is a token, as the rarest characters are written."""
    data = text.encode()[:count]

    def decode(ids):
        return bytes(ids).decode('utf-8', 'replace')

    whole = data.decode('utf-8', 'ignore')
    words = make_words(data, [0.0] * len(data), decode)
    assert ''.join(word.written for word in words) == whole
    assert ids_of(words) == [*whole.encode()]
    assert write_ids(data, decode) == (whole.strip(), whole.encode() == data)


def test_a_word_is_as_sure_as_its_tokens():
    word, = make_words([0, 1], [np.log(0.5), np.log(0.125)],
                       lambda ids: ''.join((' a', 'b')[code] for code in ids))
    assert word.confidence == pytest.approx(0.25)


def test_tokens_are_where_heads_look():
    looks = np.full((2, 3, 60), 0.01)
    for token, start in enumerate((5, 20, 40)):
        looks[:, token, start:start + 12] = 1.0
    starts = align_tokens(looks)
    assert starts[0] == 0 and abs(starts[1] - 20) <= 4 and abs(starts[2] - 40) <= 4
    assert starts[3] == 60


@given(st.integers(1, 12), st.integers(1, 40), st.integers(0, 2 ** 32 - 1))
def test_places_never_go_back(tokens, frames, seed):
    starts = align_tokens(np.random.default_rng(seed).random((2, tokens, frames)))
    assert (starts is None) is (tokens > frames)
    if starts is not None:
        assert starts[0] == 0 and starts[-1] == frames and (np.diff(starts) >= 1).all()


@pytest.mark.parametrize('looks', [None, np.random.default_rng(0).random((2, 4, 100))])
def test_words_follow_each_other_with_and_without_looks(looks):
    placed = place_words(words_of(' one', ' two', ',', ' six'), looks, 100 * FRAME_S)
    assert [word.written for word in placed] == [' one', ' two,', ' six']
    edges = [at for word in placed for at in (word.start_s, word.end_s)]
    assert edges == sorted(edges) and edges[-1] == pytest.approx(2.0)
