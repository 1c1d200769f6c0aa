"""Word errors of whole utterances, from a hearing to the command."""

import argparse
import json

import pytest

from eval import asr
from eval.asr_figures import figures
from eval.asr_utterances import ReadUtterance, join_hearing
from eval.hearing.record import HeardReply, Hearing
from eval.speech_clips import SpeechClip

pytestmark = pytest.mark.unit


def spoken(**values):
    return ReadUtterance(**{'name': 'x', 'kind': 'word', 'group': 'g',
                                'reference': 'turn left',
                                'start': 1.0, 'end': 2.0, 'replies': 1, **values})


def test_figures_of_what_is_on_the_screen():
    one = spoken(streamed='turn lift', final='Turn left.', whole='turn left', whole_s=0.5,
                 shown=[(2.4, 0.1, 'turn'), (2.4, 0.2, 'turn lift')])
    found = figures([one])
    assert found['wer_streamed'].value == 0.5 and found['wer_second_pass'].value == 0.0
    assert found['wer_whisper_whole'].value == 0.0
    assert found['erasure_streamed'] == 0.0 and found['erasure_by_second_pass'] == 0.5
    assert found['latency']['last_word_s']['p50'] == pytest.approx(0.4)
    assert found['latency']['last_word_with_computing_s']['p50'] == pytest.approx(0.6)
    assert found['latency']['word_estimate_s']['n'] == 2


def test_a_model_that_says_nothing_has_all_words_wrong():
    found = figures([spoken(replies=0)])
    assert found['wer_streamed'].value == 1.0 and found['without_any_reply'] == 1


def test_replies_to_one_utterance_are_one_text(parts):
    clip = SpeechClip(name='x', kind='word', path=None, text='a b c', group='g')
    hearing = Hearing(key='', name='x', seconds=1.0, replies=[
        HeardReply(lane='transcript', at=0.8, p_respond=1.0, text='a', final='A.',
                   shown=[(0.1, 'a')]),
        HeardReply(lane='transcript', at=1.6, p_respond=1.0, text='b c', final='b c!',
                   shown=[(0.1, 'b'), (0.2, 'b c')])])
    found = join_hearing(clip, parts.tone(1.0), hearing)
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
