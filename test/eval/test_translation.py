"""Translation: scores, references, directions, and a model that cannot."""

import argparse
import json

import pytest

from eval import translation
from eval.__main__ import COMMANDS, main
from eval.material import MaterialError, held_out
from eval.translation import Sentence, figures, pairs_of, spoken_pairs

pytestmark = pytest.mark.unit

TEXTS = [('Good morning, my dear friend.', '早上好，我亲爱的朋友。'),
         ('Where is the railway station?', '火车站在什么地方？')]


def test_a_perfect_translation_has_the_highest_score_in_both_directions():
    for source, target in ((0, 1), (1, 0)):
        mine = [Sentence('x', None, ('en', 'zh')[source], pair[source], (pair[target], 'other'),
                         hypothesis=pair[target]) for pair in TEXTS]
        found = figures(mine)
        assert (found['BLEU'].value, found['chrF'].value) == pytest.approx((100, 100))
        assert ('tok:zh' in found['BLEU_signature']) is (target == 1)


def test_silence_has_no_score_and_is_counted():
    found = figures([Sentence('x', None, 'en', *[TEXTS[0][0]], (TEXTS[0][1],))])
    assert found['BLEU'].value == 0.0 and found['without_any_reply'] == 1


def test_references_may_differ_in_number():
    mine = [Sentence('x', None, 'en', 'Hi.', ('嗨。', '你好。'), hypothesis='你好。'),
            Sentence('y', None, 'en', *TEXTS[0][:1], (TEXTS[0][1],), hypothesis=TEXTS[0][1])]
    assert figures(mine)['chrF'].value == pytest.approx(100)


def test_pairs_are_found_in_both_directions(tmp_path):
    path = tmp_path / 'pairs.tsv'
    path.write_text('en\tzh\tby\nHi.\t嗨。\ta\nHi.\t你好。\tb\n', encoding='utf-8')
    assert pairs_of(path) == {'Hi.': ('嗨。', '你好。'), '嗨。': ('Hi.',), '你好。': ('Hi.',)}
    path.write_text('a\tb\n')
    with pytest.raises(MaterialError, match='columns en and zh'):
        pairs_of(path)


def test_only_sentences_that_training_did_not_say_are_taken(parts, tmp_path):
    folder = parts.write_folder(tmp_path, [('a.wav', parts.tone(0.2), {
        'label': 'speech_phrase', 'text': '嗨。', 'translation': 'Hi.', 'lang': 'zh'})])
    rows = [('v', 'Hi.', 'validation'), ('w', 'Bye.', 'validation'), ('x', 'Bye.', 'train')]
    (tmp_path / 'utterances.jsonl').write_text(''.join(
        json.dumps({'path': a, 'text': b, 'split': c}) + '\n' for a, b, c in rows))
    found = spoken_pairs(held_out(folder), tmp_path, {'Hi.': ('嗨。',), 'Bye.': ('再见。',)})
    assert {(sentence.direction, sentence.text) for sentence in found} == {
        ('zh-en', '嗨。'), ('en-zh', 'Hi.')}


def run(parts, tmp_path, runtime):
    folder = parts.write_folder(tmp_path / 'data', [('a.wav', parts.tone(0.6), {
        'label': 'speech_phrase', 'text': TEXTS[0][0], 'translation': TEXTS[0][1]})])
    parser = argparse.ArgumentParser()
    translation.add_arguments(parser)
    return translation.run(parser.parse_args([
        '--data', str(folder), '--out', str(tmp_path / 'out')]), runtime)


def test_a_model_without_the_lane_gets_no_figure(parts, tmp_path, capsys):
    assert run(parts, tmp_path, parts.loud_runtime()) == 1
    assert 'NOT MEASURED' in capsys.readouterr().out
    written = json.loads((tmp_path / 'out' / 'translation.json').read_text())['figures']
    assert written['measured'] is False and 'not trained to translate' in written['why']


def test_a_model_with_the_lane_is_measured(parts, tmp_path, capsys):
    runtime = parts.loud_runtime(text=TEXTS[0][1], prompts={'translation': 'Translate.'})
    assert run(parts, tmp_path, runtime) == 0
    written = json.loads((tmp_path / 'out' / 'translation.json').read_text())['figures']
    assert written['directions']['en-zh']['chrF']['value'] == pytest.approx(100)
    assert 'NOT MEASURED: zh-en' in capsys.readouterr().out


def test_commands_are_there_and_a_wrong_folder_is_one_line(tmp_path, capsys):
    assert main([]) == 2 and main(['--help']) == 0 and main(['nonsense']) == 2
    for name in COMMANDS:
        with pytest.raises(SystemExit):
            main([name, '--help'])
    capsys.readouterr()
    assert main(['psb', '--data', str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith('error: ')
