"""Words: what makes texts equal, errors, and how often what is shown changes."""

import argparse
import json

import pytest

from eval import asr
from eval.listening import HeardReply, Hearing
from measure.word_errors import (
    UnderstoodUtterance,
    count_erased,
    count_errors,
    error_ratio,
    measure_erasure,
    normalise,
    word_error_rate,
    word_times,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(('a', 'b'), [
    ("It's twenty five.", 'it is 25'), ('Mr. Smith, please!', 'mister smith please'),
    ('five five five', '555'), ('one two five', '1, 2, 5.'), ('78 Hill', '7-8 Hill')])
def test_texts_that_say_the_same_are_equal(a, b):
    assert normalise(a) == normalise(b)


@pytest.mark.parametrize(('said', 'heard', 'expected'), [
    ('a b c d', 'a x c', (2, 4)), ('a b', '', (2, 2)), ('', 'a b c', (3, 0)),
    ('a', 'a a a', (2, 1)), ('A, b!', 'a b', (0, 2))])
def test_errors_are_counted_in_words(said, heard, expected):
    assert count_errors(said, heard) == expected


def test_word_errors_are_pooled_and_their_ratio_is_paired():
    mine = [UnderstoodUtterance('a b c d', 'a b c x', 's1'),
            UnderstoodUtterance('e f', 'e f', 's2')]
    other = [UnderstoodUtterance('a b c d', 'a y z x', 's1'),
             UnderstoodUtterance('e f', 'e f', 's2')]
    assert word_error_rate(mine).value == pytest.approx(1 / 6) and word_error_rate(mine).n == 2
    assert error_ratio(mine, other).value == pytest.approx(1 / 3)
    assert word_error_rate([UnderstoodUtterance('a b', '', 's')]).value == 1.0


@pytest.mark.parametrize(('before', 'after', 'expected'), [
    ('a b', 'a b c', 0), ('a b c', 'a x c', 2), ('a b', '', 2), ('', 'a', 0)])
def test_what_is_taken_back_comes_after_the_common_beginning(before, after, expected):
    assert count_erased(before, after) == expected


def test_erasure_adds_all_updates_up():
    assert measure_erasure(['a', 'a b', 'a c', 'a c d']) == (1, 3)
    assert measure_erasure([]) == (0, 0)


def test_words_end_where_their_letters_do():
    assert word_times('ab cdef', 1.0, 4.0) == [2.0, 4.0]


def spoken(**values):
    return asr.ReadUtterance(**{'name': 'x', 'kind': 'word', 'group': 'g',
                                'reference': 'turn left',
                                'start': 1.0, 'end': 2.0, 'replies': 1, **values})


def test_figures_of_what_is_on_the_screen():
    one = spoken(streamed='turn lift', final='Turn left.', whole='turn left', whole_s=0.5,
                 shown=[(2.4, 0.1, 'turn'), (2.4, 0.2, 'turn lift')])
    found = asr.figures([one])
    assert found['wer_streamed'].value == 0.5 and found['wer_second_pass'].value == 0.0
    assert found['wer_whisper_whole'].value == 0.0
    assert found['erasure_streamed'] == 0.0 and found['erasure_by_second_pass'] == 0.5
    assert found['latency']['last_word_s']['p50'] == pytest.approx(0.4)
    assert found['latency']['last_word_with_computing_s']['p50'] == pytest.approx(0.6)
    assert found['latency']['word_estimate_s']['n'] == 2


def test_a_model_that_says_nothing_has_all_words_wrong():
    found = asr.figures([spoken(replies=0)])
    assert found['wer_streamed'].value == 1.0 and found['without_any_reply'] == 1


def test_replies_to_one_utterance_are_one_text(parts):
    clip = asr.SpeechClip(name='x', kind='word', path=None, text='a b c', group='g')
    hearing = Hearing(key='', name='x', seconds=1.0, replies=[
        HeardReply(lane='transcript', at=0.8, p_respond=1.0, text='a', final='A.',
                   shown=[(0.1, 'a')]),
        HeardReply(lane='transcript', at=1.6, p_respond=1.0, text='b c', final='b c!',
                   shown=[(0.1, 'b'), (0.2, 'b c')])])
    found = asr.join_hearing(clip, parts.tone(1.0), hearing)
    assert (found.streamed, found.final) == ('a b c', 'A. b c!')
    assert [text for _, _, text in found.shown] == ['a', 'a b', 'a b c']


def test_the_whole_command(parts, tmp_path):
    folder = parts.write_folder(tmp_path / 'data', [
        ('a.wav', parts.tone(0.6), {'label': 'speech_word', 'text': 'stop', 'lang': 'en'}),
        ('b.wav', parts.tone(0.6), {'label': 'speech_word', 'text': 'go on', 'lang': 'en'}),
        ('c.wav', parts.tone(0.6), {'label': 'speech_word', 'text': '走', 'lang': 'zh'})])
    speech = tmp_path / 'speech'
    parts.write_folder(speech, [('v.wav', parts.tone(0.6), {'label': 'x'})])
    rows = [('v.wav', 'unheard', 'validation'), ('w.wav', 'heard', 'train'),
            ('v.wav', 'heard', 'validation')]
    (speech / 'utterances.jsonl').write_text(''.join(
        json.dumps({'path': path, 'text': text, 'split': split}) + '\n'
        for path, text, split in rows))
    parser = argparse.ArgumentParser()
    asr.add_arguments(parser)
    options = parser.parse_args([
        '--data', str(folder), '--speech', str(speech), '--second-pass', 'none', '--beside',
        'none', '--out', str(tmp_path / 'out')])
    assert asr.run(options, parts.loud_runtime(text='stop')) == 0
    kinds = json.loads((tmp_path / 'out' / 'asr.json').read_text())['figures']['kinds']
    assert {kind: row['utterances'] for kind, row in kinds.items()} == {
        'all real': 2, 'synthetic': 1, 'word': 2}
    assert kinds['word']['wer_streamed']['value'] == pytest.approx(2 / 3)
    assert (tmp_path / 'out' / 'wer.png').stat().st_size > 5_000
