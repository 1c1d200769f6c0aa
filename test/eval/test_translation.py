"""Translation: scores, references, directions, and a model that cannot."""

import argparse
import json

import numpy as np
import pytest

from audio_interaction_ros.runtimes import registry
from audio_interaction_ros.runtimes.base import Recognition
from eval import translation
from eval.__main__ import COMMANDS, main
from eval.hearing.record import HeardReply, Hearing
from eval.translation import (
    LANE,
    LEAD_S,
    TranslatedSentence,
    figures,
    note_hearing,
)
from eval.translation_tables import scores_by_column, table_rows
from held_out.clips import MaterialError
from held_out.spoken_sentences import Sentence

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


def test_a_sentence_of_several_voices_is_drawn_with_all_of_them():
    mine = [Sentence(voice, None, 'en', TEXTS[0][0], (TEXTS[0][1],), voice=voice,
                     hypothesis=TEXTS[0][1]) for voice in 'ab']
    found = figures(mine)
    assert (found['sentences'], found['texts'], found['BLEU'].n) == (2, 1, 1)
    assert {voice: row['sentences'] for voice, row in found['voices'].items()} == {'a': 1, 'b': 1}


def test_who_stands_beside_and_sentences_whose_target_is_new_have_their_own_scores():
    mine = [Sentence(str(i), None, 'en', source, (target,), new=i == 0, beside={'copy': source},
                     hypothesis=target if i == 0 else source)
            for i, (source, target) in enumerate(TEXTS)]
    found = figures(mine)
    assert found['translation_never_heard']['sentences'] == 1
    assert found['translation_never_heard']['chrF'].value == pytest.approx(100)
    assert found['chrF'].value < 99 and found['beside']['copy']['chrF'].value < 10
    assert [row[1:3] for row in table_rows({'en-zh': found})] == [
        ('this model', 2), ('this model, new target', 1), ('copy', 2)]


def test_replies_are_joined_and_timed_from_the_end_of_speech(parts):
    samples = np.concatenate([parts.tone(1.0), np.zeros(parts.RATE, np.float32)])
    hearing = Hearing(key='', name='', seconds=3.0, replies=[
        HeardReply(LANE, 2.0, 0.9, text='早上好。'), HeardReply(LANE, 2.8, 0.9, text='再见。')])
    sentence = TranslatedSentence('x', None, 'en', 'Good morning. Bye.', ('早上好。再见。',))
    note_hearing(sentence, hearing, samples)
    assert (sentence.hypothesis, sentence.replies) == ('早上好。再见。', 2)
    assert sentence.first_s == pytest.approx(2.0 - LEAD_S - 1.0)
    note_hearing(sentence, Hearing(key='', name='', seconds=3.0), samples)
    assert (sentence.hypothesis, sentence.replies, sentence.first_s) == ('', 0, None)
    assert sentence.final is None


def test_final_translations_are_joined_beside_what_was_streamed(parts):
    hearing = Hearing(key='', name='', seconds=3.0, replies=[
        HeardReply(LANE, 2.0, 0.9, text='Morning.', final='Good morning.', read='早上好'),
        HeardReply(LANE, 2.8, 0.9, text='Bye.', final='Bye.', kept=True)])
    sentence = TranslatedSentence('x', None, 'zh', '早上好。再见。', ('Good morning. Bye.',))
    note_hearing(sentence, hearing, parts.tone(1.0), second_pass=True)
    assert (sentence.hypothesis, sentence.final) == ('Morning. Bye.', 'Good morning. Bye.')
    assert (sentence.read, sentence.kept) == ('早上好', 1)
    note_hearing(sentence, Hearing(key='', name='', seconds=3.0), parts.tone(1.0),
                 second_pass=True)
    assert (sentence.final, sentence.kept) == ('', 0)


def test_final_translations_have_scores_of_their_own():
    mine = [TranslatedSentence('x', None, 'zh', TEXTS[0][1], (TEXTS[0][0],), hypothesis='Good.',
                               replies=1,
                               final=TEXTS[0][0], beside={'copy': TEXTS[0][1]}),
            TranslatedSentence('y', None, 'zh', TEXTS[1][1], (TEXTS[1][0],), replies=2,
                               final=TEXTS[1][0],
                               kept=1)]
    mine[1].beside = {'copy': TEXTS[1][1]}
    found = figures(mine)
    assert found['final']['chrF'].value == pytest.approx(100) and found['chrF'].value < 50
    assert (found['final']['replies'], found['final']['kept_as_streamed']) == (3, 1)
    assert list(scores_by_column(found)) == ['BLEU streamed', 'BLEU final', 'chrF streamed',
                                             'chrF final']
    assert list(scores_by_column(found['beside']['copy'])) == ['BLEU final', 'chrF final']
    mine[0].final = None
    assert 'final' not in figures(mine)


def run(parts, tmp_path, runtime, *more):
    folder = parts.write_folder(tmp_path / 'data', [('a.wav', parts.tone(0.6), {
        'label': 'speech_phrase', 'text': TEXTS[0][0], 'translation': TEXTS[0][1]})])
    parser = argparse.ArgumentParser()
    translation.add_arguments(parser)
    return translation.run(parser.parse_args([
        '--data', str(folder), '--out', str(tmp_path / 'out'), '--beside', 'none',
        '--second-pass', 'none', *more]), runtime)


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
    assert (tmp_path / 'out' / 'translation.png').stat().st_size > 5_000
    assert 'final' not in written['directions']['en-zh']


class Whisper:
    """A second pass that hears what was said."""

    asked = 0

    def transcribe(self, samples, languages=()):
        Whisper.asked += 1
        return Recognition(text=TEXTS[0][0], language='en')


def test_one_hearing_has_both_passes_and_is_kept(parts, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(registry, 'load_transcriber', Whisper)
    runtime = parts.loud_runtime(text='早上', prompts={'translation': 'Translate.'})
    runtime.decoder._translations = {TEXTS[0][0]: TEXTS[0][1]}
    for _ in range(2):
        assert run(parts, tmp_path, runtime, '--second-pass', 'whisper') == 0
    assert Whisper.asked == 1
    written = json.loads((tmp_path / 'out' / 'translation.json').read_text())['figures']
    row = written['directions']['en-zh']
    assert row['final']['chrF']['value'] == pytest.approx(100) and row['chrF']['value'] < 50
    assert row['final']['kept_as_streamed'] == 0 and written['second_pass'] == 'whisper'
    text = json.loads((tmp_path / 'out' / 'texts.jsonl').read_text())
    assert (text['hypothesis'], text['final'], text['read']) == (
        '早上', TEXTS[0][1], TEXTS[0][0])
    assert '0 of 1 final' in capsys.readouterr().out
    # Without the second pass it is another hearing, and the streamed text is the same.
    assert run(parts, tmp_path, runtime) == 0
    assert len((tmp_path / 'out' / 'hearings.jsonl').read_text().splitlines()) == 2
    assert json.loads((tmp_path / 'out' / 'texts.jsonl').read_text())['hypothesis'] == '早上'


@pytest.mark.parametrize(('options', 'final'), [
    ((), 'Morning.'), (('--to-english', 'model'), TEXTS[0][0])])
def test_whisper_writes_the_english_unless_told_otherwise(parts, tmp_path, monkeypatch, options,
                                                          final):
    class Mandarin:
        def transcribe(self, samples, languages=()):
            return Recognition(text=TEXTS[0][1], language='zh', write_english=lambda: 'Morning.')
    monkeypatch.setattr(registry, 'load_transcriber', Mandarin)
    runtime = parts.loud_runtime(text='(Chinese)', prompts={'translation': 'Translate.'})
    runtime.decoder._translations = {TEXTS[0][1]: TEXTS[0][0]}
    assert run(parts, tmp_path, runtime, '--second-pass', 'whisper', *options) == 0
    assert json.loads((tmp_path / 'out' / 'texts.jsonl').read_text())['final'] == final
    written = json.loads((tmp_path / 'out' / 'translation.json').read_text())['figures']
    assert written['to_english'] == (options or ('whisper',))[-1]


def test_a_final_that_is_only_kept_is_counted(parts, tmp_path, monkeypatch):
    class Deaf:
        def transcribe(self, samples, languages=()):
            return Recognition(text='', language='en')
    monkeypatch.setattr(registry, 'load_transcriber', Deaf)
    runtime = parts.loud_runtime(text='早上', prompts={'translation': 'Translate.'})
    assert run(parts, tmp_path, runtime, '--second-pass', 'whisper') == 0
    row = json.loads((tmp_path / 'out' / 'translation.json').read_text())[
        'figures']['directions']['en-zh']
    assert (row['final']['kept_as_streamed'], row['final']['replies']) == (1, 1)
    assert row['final']['chrF'] == row['chrF']


def test_speech_needs_the_pairs_that_tell_what_is_held_out(parts, tmp_path):
    runtime = parts.loud_runtime(prompts={'translation': 'Translate.'})
    with pytest.raises(MaterialError, match='without --pairs'):
        run(parts, tmp_path, runtime, '--speech', str(tmp_path))


def test_commands_are_there_and_a_wrong_folder_is_one_line(tmp_path, capsys):
    assert main([]) == 2 and main(['--help']) == 0 and main(['nonsense']) == 2
    for name in COMMANDS:
        with pytest.raises(SystemExit):
            main([name, '--help'])
    capsys.readouterr()
    assert main(['psb', '--data', str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith('error: ')
