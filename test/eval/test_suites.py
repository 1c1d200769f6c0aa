"""The public benchmarks: their forms are read, their rules hold, three items of each run."""

import argparse
import json
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.strict_yaml import read_yaml
from eval import suite
from eval.hearing.record import HeardReply, Hearing
from eval.suites import answering, forms, judge, page, rules, scoring
from eval.suites.exports import export
from eval.suites.items import Answered, Said, SuiteItem
from eval.suites.lagging import average_lagging
from eval.suites.leaderboard import OURS, rank
from eval.suites.rules import has_reference, is_mmau_right
from eval.suites.sample import NOTE, SPOKEN, make_samples
from eval.suites.table import SUITES
from held_out.clips import MaterialError, root_mean_square
from measure.intervals import Estimate
from measure.kept_lines import KeptLines

pytestmark = pytest.mark.unit

CHOICES = ('a smoke alarm', 'a door bell', 'a voice')
approx = partial(pytest.approx, abs=1e-5)
SAID = {'alarm': 'That is a smoke alarm.', 'bell': '', 'voice': 'A voice or a bell'}
"""What is answered to the three items of MMAU: right, nothing, wrong (it names two)."""


@pytest.mark.parametrize(('said', 'right'), [
    ('A smoke alarm!', True), ('smoke alarm', False), ('a smoke alarm, no door bell', False),
    ('', False), ('It is a loud smoke alarm', True), ('alarm smoke a', True)])
def test_mmau_wants_every_word_of_the_answer_and_none_of_a_wrong_choice(said, right):
    assert is_mmau_right(said, CHOICES[0], CHOICES) == right


@pytest.mark.parametrize(('said', 'references', 'right'), [
    ('The capital is Paris.', ['paris'], True), ('parisian', ['paris'], False),
    ('Beyonce\u0301 sang', ['BEYONC\u00c9'], True), ('Beyonce sang', ['Beyonc\u00e9'], False),
    ('new old york', ['new york'], False), ('new, york', ['new york'], False),
    ('in new york city', ['boston', 'New York'], True), ('', ['a'], False), ('a', [''], False),
    ('the U.S. of', ['u.s.'], True), ('the US', ['u.s.'], False), ('3,000 m', ['3,000'], True),
    ('3000 m', ['3,000'], False), ('snow_white', ['snow'], True), ('北京 is', ['北'], False)])
def test_a_reference_occurs_as_ultraeval_audio_has_it(said, references, right):
    """Each row as its own scorer has it, but for the empty reference, which it always finds."""
    assert has_reference(said, references) == right


@pytest.fixture
def options(tmp_path):
    """Return options as the command parses them, for ``suite`` and more words."""
    def parse(*words):
        parser = argparse.ArgumentParser()
        suite.add_arguments(parser)
        return parser.parse_args([*words, '--out', str(tmp_path / 'out')])
    return parse


@pytest.fixture
def answers(monkeypatch):
    """Let a model answer what a test writes under the names of recordings; return that."""
    said = {}

    class Scripted:
        def __init__(self, runtime, lanes, **_):
            self.lane = lanes[0]

        def with_lanes(self, lanes):
            return Scripted(None, lanes)

        def hear(self, name, samples):
            replies = []
            for place, item in enumerate(name.split('+')):
                text = said.get(item, '')
                at = (place + 0.5) * len(samples) / 16_000 / len(name.split('+'))
                replies += [HeardReply(lane=self.lane.name, at=at, p_respond=1.0, text=text)]
            said.setdefault('prompts', []).append(self.lane.prompt)
            return Hearing(key='', name=name, seconds=len(samples) / 16_000, replies=replies)
    monkeypatch.setattr(answering, 'Listener', Scripted)
    return said


RUNTIME = SimpleNamespace(encoder=SimpleNamespace(spec=SimpleNamespace(model_id='tiny-1')))


def figures_of(options):
    path = options.out / 'suite.json'
    return json.loads(path.read_text())['figures']


def test_every_suite_runs_on_three_items_of_its_public_form(options, answers):
    chosen = options('all')
    assert suite.run(chosen, RUNTIME) == 0
    figures = figures_of(chosen)
    assert set(figures) == set(SUITES)
    for name, part in figures.items():
        assert part.get('items') == 3, name
        assert part['silent']['value'] == 1.0, name  # nobody answered anything
    assert (chosen.out / 'suites.html').read_text().count('<tr>') > 20


def test_mmau_scores_as_counted_by_hand(options, answers):
    answers.update(SAID)
    chosen = options('mmau')
    suite.run(chosen, RUNTIME)
    part = figures_of(chosen)['mmau']
    assert part['accuracy']['value'] == approx(1 / 3) and part['chance'] == approx(1 / 3)
    assert part['silent']['value'] == approx(1 / 3)
    assert {name: share['value'] for name, share in part['by difficulty'].items()} == {
        'easy': 1.0, 'medium': 0.0, 'hard': 0.0}
    assert answers['prompts'][0] == ('What is heard? Answer with one of: (A) a smoke alarm. '
                                     '(B) a door bell. (C) a voice.')
    rows = json.loads((chosen.out / 'mmau.mmau.json').read_text())
    assert rows[0]['model_output'] == rows[0]['model_prediction'] == SAID['alarm']


def test_a_spoken_question_is_no_instruction(options, answers):
    suite.run(options('mmau-spoken'), RUNTIME)
    assert answers['prompts'] == ['', '', '']


def test_spoken_questions_score_as_counted_by_hand(options, answers):
    answers.update(water='From the kitchen.', weather='Sunny', stop='I open the door')
    chosen = options('llama-questions')
    suite.run(chosen, RUNTIME)
    part = figures_of(chosen)['llama-questions']
    assert part['accuracy']['value'] == approx(2 / 3)
    assert part['judged accuracy'].startswith('not measured')
    [first, *_] = (chosen.out / 'llama-questions.answers.jsonl').read_text().splitlines()
    assert json.loads(first)['references'] == ['the kitchen']
    assert json.loads(first)['said'][0]['text'] == 'From the kitchen.'
    rows = (chosen.out / 'llama-questions.ultraeval.jsonl').read_text().splitlines()
    assert json.loads(rows[1]) == {'type': 'inference', 'id': 1, 'data': {'content': 'Sunny'}}


def test_items_in_one_stream_keep_their_own_answers(options, answers):
    answers.update(water='the kitchen', weather='', stop='no')
    chosen = options('web-questions', '--in-one-stream', '3')
    suite.run(chosen, RUNTIME)
    assert len(answers['prompts']) == 1
    assert figures_of(chosen)['web-questions']['accuracy']['value'] == approx(1 / 3)


def test_a_background_plays_behind_everything_at_its_level(options, monkeypatch, tmp_path, parts):
    soundfile.write(tmp_path / 'cafe.wav', parts.hiss(1.0, 0.3), parts.RATE)
    heard = []
    monkeypatch.setattr(answering, 'Listener', lambda *_, **__: SimpleNamespace(
        hear=lambda name, samples: heard.append(samples) or Hearing(key='', name=name,
                                                                    seconds=1.0)))
    suite.run(options('sd-qa', '--background', str(tmp_path / 'cafe.wav'), '--background-dbfs',
                      '-40'), RUNTIME)
    room = heard[0][-parts.RATE:]  # behind the recording there is nothing else
    assert 20 * np.log10(root_mean_square(room)) == pytest.approx(-40, abs=0.1) and len(heard) == 3


def test_words_and_translations_score_as_counted_by_hand(options, answers):
    answers.update({'1-2-0000': 'please bring me a glass of water from a kitchen',  # 1 of 10
                    '1-2-0001': 'What is the weather like today?', '1-2-0002': ''})  # 7 of 7
    chosen = options('librispeech-clean')
    suite.run(chosen, RUNTIME)
    rate = figures_of(chosen)['librispeech-clean']['word error rate']['value']
    assert rate == approx((1 + 0 + 7) / (10 + 6 + 7))
    answers.update({name: chinese for name, (*_, chinese) in SPOKEN.items()})
    chosen = options('covost-en-zh')
    suite.run(chosen, RUNTIME)
    part = figures_of(chosen)['covost-en-zh']
    assert part['BLEU']['value'] == approx(100)
    assert 'tok:zh' in part['signature']


def test_translations_to_english_score_as_counted_by_hand(options, answers):
    # Of 11, 7 and 8 tokens that before the last is wrong, and with it two of each two to four.
    answers.update({name: f'{english.rsplit(" ", 1)[0]} now{english[-1]}'
                    for name, (_, _, english, _) in SPOKEN.items()})
    chosen = options('covost-zh-en')
    suite.run(chosen, RUNTIME)
    part = figures_of(chosen)['covost-zh-en']
    right = [(26 - 3) / 26, (23 - 6) / 23, (20 - 6) / 20, (17 - 6) / 17]
    assert part['BLEU']['value'] == approx(100 * np.prod(right) ** 0.25)
    assert 'tok:13a' in part['signature'] and 'version:' in part['signature']


@pytest.mark.parametrize(('reference', 'said', 'wrong'), [
    ('THE COLOUR WAS GREY', 'the color was gray', 0), ("MISTER NEIL CAN'T", 'Mr. Neil cannot', 2),
    ('ONE HUNDRED TWENTY FIVE', '125', 0), ('HE SAID UM YES', 'he said yes', 0)])
def test_word_errors_of_a_benchmark_are_after_whispers_own_normaliser(reference, said, wrong):
    item = SuiteItem(id='1', audio='x', references=(reference,), groups={'speaker': '1'})
    part = scoring.score_transcripts([Answered(item=item, text=said)])
    words = len(rules.normalise_english(reference).split())
    assert part['word error rate'].value == approx(wrong / words)
    assert 'whisper-normalizer 0.1' in part['rule']


def test_average_lagging_is_as_counted_by_hand():
    # A word a second is ideal: 0 + 1, 2 - 1 and 4 - 2; what comes after the end is not counted.
    assert average_lagging([1.0, 2.0, 4.0], 4.0, 4) == approx(4 / 3)
    assert average_lagging([1.0, 2.0, 4.0, 9.0], 4.0, 2) == approx(4 / 3)
    assert average_lagging([4.4], 4.0, 8) == approx(4.4)


def test_delay_lagging_and_words_taken_back_stand_beside_word_errors():
    item = SuiteItem(id='1', audio='x', references=('we go home',), groups={'speaker': '1'})
    said = (Said(1.0, 'we', 'we'), Said(3.4, 'go hum', 'go home'))
    part = scoring.score_transcripts([
        Answered(item=item, text='we go home', said=said, seconds=3.0),
        Answered(item=item, text='', seconds=3.0)])
    assert part['last word after the end, s (p50)'] == approx(0.4)
    assert part['LAAL, s'].value == approx((1.0 + 2.4) / 2)  # the third word is after the end
    assert part['words taken back'].value == approx(1 / 3)
    assert part['word error rate'].value == approx(0.5)


def test_a_suite_reads_its_file_of_hearings_once(options, parts, monkeypatch):
    """Each item of MMAU is an instruction of its own, and the file may be long."""
    read = []
    monkeypatch.setattr(KeptLines, '_read',
                        lambda kept, content: read.append(kept.path) or iter(()))
    chosen = options('mmau')
    for _ in range(2):
        assert suite.run(chosen, parts.loud_runtime()) == 0
    assert len(read) == 2  # once each time
    rows = (chosen.out / 'mmau.hearings.jsonl').read_text().splitlines()
    assert len(rows) == 6 and len({json.loads(row)['key'] for row in rows}) == 3


def answered(text, reference='Paris', question='What is the capital of France?'):
    return Answered(item=SuiteItem(id='1', audio='x', question=question,
                                   references=(reference,)), text=text)


def test_a_judge_is_asked_three_times_and_never_again(tmp_path):
    asked = []

    def complete(prompt, sample):
        asked.append(sample)
        return ('Yes.', 'no', 'yes')[sample] if 'Right answer' in prompt else ('4', '5!', '?')[
            sample]
    first = judge.Judge(complete, 'it', tmp_path / 'verdicts.jsonl')
    assert first.is_right(answered('Paris')) is True and first.rate(answered('Paris')) == 4.5
    again = judge.Judge(complete, 'it', tmp_path / 'verdicts.jsonl')
    assert again.is_right(answered('Paris')) is True
    assert asked == [0, 1, 2, 0, 1, 2]
    other = judge.Judge(complete, 'another', tmp_path / 'verdicts.jsonl')
    other.is_right(answered('Paris'))
    assert len(asked) == 9


def test_a_judge_that_says_nothing_clear_counts_as_no_verdict(tmp_path):
    mute = judge.Judge(lambda *_: 'well', 'it', tmp_path / 'v.jsonl')
    found = scoring.score_closed([answered('Paris')], mute)
    assert found['without a verdict'] == 1 and found['judged accuracy'].value == 0.0
    assert scoring.score_open([answered('x')], mute)['without a verdict'] == 1


@pytest.fixture
def endpoint():
    """Serve OpenAI's protocol: answers are taken from a list, None is a server that fails."""
    class Stub(BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802
            asked.append((self.path, json.loads(self.rfile.read(
                int(self.headers['Content-Length'])))))
            said = answers.pop(0)
            data = json.dumps({} if said is None else {'choices': [{
                'index': 0, 'message': {'role': 'assistant', 'content': said},
                'finish_reason': 'stop'}], 'created': 0, 'id': '1', 'model': 'm', 'usage': {
                    'completion_tokens': 1, 'prompt_tokens': 1, 'total_tokens': 2},
                'system_fingerprint': '', 'object': 'chat.completion'}).encode()
            self.send_response(400 if said is None else 200)
            self.send_header('Content-Type', 'application/json')
            self.send_header('Content-Length', str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass
    answers, asked = [], []
    server = HTTPServer(('127.0.0.1', 0), Stub)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield SimpleNamespace(url=f'http://127.0.0.1:{server.server_port}/v1', answers=answers,
                          asked=asked)
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_judged_suite_goes_on_where_its_endpoint_failed(options, answers, endpoint):
    answers.update(water='From the kitchen.', weather='Sunny', stop='The window')
    chosen = options('sd-qa', '--judge', endpoint.url, '--judge-model', 'm')
    endpoint.answers += ['Yes', 'No', 'Yes', 'No', None]
    with pytest.raises(ConfigurationError, match='what was judged is kept'):
        suite.run(chosen, RUNTIME)
    endpoint.answers += ['No', 'Yes', 'no', 'No', 'No']
    assert suite.run(chosen, RUNTIME) == 0
    assert len(endpoint.asked) == 10  # nine verdicts and one that failed
    part = figures_of(chosen)['sd-qa']
    assert part['judged accuracy']['value'] == part['accuracy']['value'] == approx(1 / 3)
    path, body = endpoint.asked[0]
    assert path == '/v1/chat/completions' and body['model'] == 'm'
    assert (body['temperature'], body['top_p']) == (0.5, 0.95)
    assert 'not measured' in part[scoring.SD_QA]  # and the paper's figure is of that


def test_open_questions_score_as_marked_by_hand(options, answers, endpoint):
    answers.update(water='Here.', weather='Sunny', stop='')
    endpoint.answers += ['4', '5', '3', '2', 'I give it a 2.', '2', '1', '1', '1']
    chosen = options('alpacaeval', '--judge', endpoint.url, '--judge-model', 'm')
    suite.run(chosen, RUNTIME)
    part = figures_of(chosen)['alpacaeval']
    assert part['mark']['value'] == approx((4 + 2 + 1) / 3)
    assert part['silent']['value'] == approx(1 / 3)


def test_a_row_without_a_field_names_the_file_and_the_row(tmp_path):
    make_samples(tmp_path, ['sd-qa'])
    path = tmp_path / 'sd-qa' / 'metadata.jsonl'
    path.write_text(path.read_text().replace('"prompt"', '"promt"', 1))
    with pytest.raises(MaterialError, match=r'metadata\.jsonl: row 0: expected one of .*prompt'):
        forms.read_spoken_questions(tmp_path / 'sd-qa')


def test_a_test_without_an_answer_key_tells_how_many_were_silent_and_no_accuracy():
    item = SuiteItem(id='1', audio='x', choices=CHOICES)
    part = scoring.score_mmau([Answered(item=item, text=''), Answered(item=item, text='a voice')])
    assert part['items'] == part['without an answer key'] == 2
    assert part['silent'].value == 0.5 and np.isnan(part['accuracy'].value)


def test_an_answer_that_is_no_choice_is_refused(tmp_path):
    make_samples(tmp_path, ['mmau'])
    path = tmp_path / 'mmau' / 'mmau-test-mini.json'
    path.write_text(path.read_text().replace('"answer": "a voice"', '"answer": "a cat"'))
    with pytest.raises(MaterialError, match='expected the answer among'):
        forms.read_mmau(tmp_path / 'mmau')


def test_the_papers_figure_stands_beside_a_benchmark_only(options, answers, tmp_path, capsys):
    suite.run(options('mmau'), RUNTIME)
    assert 'no benchmark' in capsys.readouterr().out
    assert '0.5568' not in (tmp_path / 'out' / 'suites.html').read_text()
    make_samples(tmp_path / 'data', ['mmau'])
    theirs = options('mmau', '--data', str(tmp_path / 'data' / 'mmau'))
    suite.run(theirs, RUNTIME)  # named as data, and still our own
    assert '0.5568' not in (tmp_path / 'out' / 'suites.html').read_text()
    (tmp_path / 'data' / 'mmau' / NOTE).unlink()
    suite.run(theirs, RUNTIME)
    shown = (tmp_path / 'out' / 'suites.html').read_text()
    assert '0.5568' in shown and 'git blob' in shown
    board = [part.split('<td>')[1].split('<td')[0] for part in shown.split('<tr')
             if 'class="wide"' in part]
    assert board[0] == 'Qwen2.5-Omni 7B' and board[-1] == 'tiny-1' and len(board) == 10


def test_a_leaderboard_begins_with_the_best_and_word_errors_with_the_least():
    share = Estimate(value=0.02, low=0.01, high=0.03, n=3)
    figure, places = rank('librispeech-clean', {'word error rate': share}, 'mine')
    assert figure == 'word error rate'
    values = [place.value for place in places]
    assert values == sorted(values) and places[5].who == 'mine'
    assert rank('librispeech-clean', {'word error rate': share, OURS: 'x'}, 'mine')[1] == []
    assert rank('sd-qa', {'judged accuracy': share}, 'mine')[1] == []


def test_every_published_figure_is_of_a_suite():
    published = read_yaml(Path(suite.__file__).parent / 'data' / 'published.yaml')
    assert set(published) == set(SUITES) - {'sd-qa'}


def test_what_is_not_there_is_said_of_all_suites_and_fails(options, answers, tmp_path, capsys):
    make_samples(tmp_path / 'data', ['mmau'])
    chosen = options('all', '--data', str(tmp_path / 'data'))
    assert suite.run(chosen, RUNTIME) == 1
    figures = figures_of(chosen)
    assert figures['mmau']['items'] == 3
    assert 'expected' in figures['covost-en-zh']['not measured']


def test_a_foreign_text_cannot_break_the_page(tmp_path):
    path = page.write_page(tmp_path / 'p.html', {'mmau': {'items': '<script>x</script>'}}, {})
    assert '<script>' not in path.read_text()


def test_voicebench_answers_keep_the_item(tmp_path):
    one = Answered(item=SuiteItem(id='1', audio='x', row={'prompt': 'p'}), text='t')
    rows = export([one], 'voicebench', tmp_path / 'sd-qa.r').read_text().splitlines()
    assert [json.loads(row) for row in rows] == [{'prompt': 'p', 'response': 't'}]
