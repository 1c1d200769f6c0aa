"""Where replies go, questions about old turns, and sounds that deserve silence."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_interaction_ros.errors import AudioInteractionError
from train.records import Clip, Event, Reply
from train.responses import (
    REASONS,
    STAGE_FOUR,
    BuiltinAsker,
    Judgement,
    LanguageAsker,
    LanguageJudge,
    LanguageModel,
    Review,
    RulesJudge,
    Turn,
    alert_replies,
    asr_replies,
    draw_kind,
    draw_proactive,
    find_review_problems,
    history_review,
    join_words,
    reply_chunk,
    reply_delay_s,
    translation_replies,
    verify_silence,
)
from train.responses.language import ResponsesError, UnusableAnswerError
from train.responses.patterns import find_facts

pytestmark = pytest.mark.unit


@pytest.mark.parametrize('rest', range(10))
@pytest.mark.parametrize('chunks', [0, 1, 7, 59, 1500])
def test_a_reply_stands_on_floor_of_a_tenth_of_the_frames(rest, chunks):
    frames = 10 * chunks + rest
    end = frames * 0.04
    assert reply_chunk(end) == frames // 10
    assert reply_delay_s(end, reply_chunk(end)) == pytest.approx(0.4 - rest * 0.04)
    assert 0.04 - 1e-6 <= reply_delay_s(end, reply_chunk(end)) <= 0.4 + 1e-6


@given(st.floats(0, 5000))
def test_it_is_the_first_chunk_that_ends_strictly_later(end):
    chunk = reply_chunk(end)
    assert -1e-5 < reply_delay_s(end, chunk) <= 0.4 + 1e-5
    assert chunk == 0 or reply_delay_s(end, chunk - 1) <= 1e-5


def test_a_later_decision_can_be_asked_for():
    assert reply_chunk(0.36) == 0
    assert reply_chunk(0.36, least_delay_s=0.12) == 1
    assert reply_chunk(0.2, least_delay_s=0.12) == 0


@pytest.mark.parametrize('end', [-0.1, float('nan'), float('inf')])
def test_an_impossible_end_is_refused(end):
    with pytest.raises(ResponsesError, match='expected an end of 0 s or later'):
        reply_chunk(end)


def test_one_reply_per_chunk_with_new_words():
    words = [('the', 0.1), ('quick', 0.39), ('fox', 0.4), ('ran', 1.3)]
    assert asr_replies(words, event=2) == (
        Reply(chunk=0, text='the quick', event=2), Reply(chunk=1, text='fox', event=2),
        Reply(chunk=3, text='ran', event=2))
    assert asr_replies([]) == ()


def test_chinese_words_stand_close():
    assert join_words(['你好', '世界', '，', 'ROS', '2', '机器人']) == '你好世界，ROS 2机器人'
    assert asr_replies([('打开', 0.1), ('灯', 0.2)]) == (Reply(chunk=0, text='打开灯'),)


def test_translations_come_when_a_phrase_is_over():
    assert translation_replies([('Guten Tag,', 0.9), ('wie geht es?', 2.0)], event=0) == (
        Reply(chunk=2, text='Guten Tag,', event=0), Reply(chunk=5, text='wie geht es?', event=0))


def event(label, start, end, role='foreground', caption=''):
    clip = Clip(id=label, path=f'{label}.flac', seconds=end - start, label=label, caption=caption)
    return Event(clip=clip, role=role, start_s=start, end_s=end)


CRITICAL = {'smoke_alarm': ('A smoke alarm.', 'urgent'), 'glass_break': ('Glass broke.', 'normal')}


def test_only_safety_critical_events_are_answered():
    events = [event('dog_bark', 0, 1), event('smoke_alarm', 2, 6.1),
              event('smoke_alarm', 0, 9, role='ambient'),
              event('glass_break', 6.0, 6.2, role='background'), event('glass_break', 8, 8.4)]
    assert alert_replies(events, CRITICAL) == (
        Reply(chunk=15, text='A smoke alarm. Glass broke.', emotion='urgent', event=1),
        Reply(chunk=21, text='Glass broke.', event=4))
    assert alert_replies(events, CRITICAL, latest_s=1.0)[0] == Reply(
        chunk=7, text='A smoke alarm.', emotion='urgent', event=1)
    assert alert_replies(events[:1], CRITICAL) == ()


# -- history review -----------------------------------------------------------------------

def dialogue(*said):
    return [Turn(user=text, assistant='All right.') for text in said]


LONG = dialogue('My dog is called Rex.', 'I parked my car behind the library.',
                'What is the weather like?', 'Tell me a joke.', 'How far is the moon?')


@pytest.mark.parametrize(('sentence', 'question', 'answer'), [
    ('Hi, my cat is named Miso.', 'What is my cat called?', 'Your cat is called Miso.'),
    ('My train to Bonn leaves at nine thirty, you know.', 'When does my train to Bonn leave?',
     'Your train to Bonn leaves at nine thirty.'),
    ('I left my keys in my coat and went out.', 'Where did I leave my keys?',
     'You left your keys in your coat.'),
    ('my favourite color is teal', 'What is my favourite color?',
     'Your favourite color is teal.'),
    ('I live in Porto.', 'Where do I live?', 'You live in Porto.'),
    ("I'm allergic to peanuts!", 'What am I allergic to?', 'You are allergic to peanuts.'),
    ('I need to call Doctor Lee.', 'Who do I need to call?', 'You need to call Doctor Lee.'),
    ('I bought three red lamps.', 'What did I buy?', 'You bought three red lamps.'),
    ('我的狗叫小白。', '我的狗叫什么？', '你的狗叫小白。'),
    ('我把钥匙放在抽屉里了。', '我把钥匙放在哪儿了？', '你把钥匙放在抽屉里了。'),
    ('我对花生过敏。', '我对什么过敏？', '你对花生过敏。'),
    ('我住在成都。', '我住在哪里？', '你住在成都。')])
def test_concrete_things_become_questions(sentence, question, answer):
    assert [(fact.question, fact.answer) for fact in find_facts(sentence)] == [(question, answer)]


@pytest.mark.parametrize('sentence', [
    'My head is hurting.', 'What is the capital of France?', 'My brother is so tall.',
    '今天天气好'])
def test_other_sentences_give_no_question(sentence):
    assert list(find_facts(sentence)) == []


def test_a_question_goes_back_three_rounds_or_more():
    for seed in range(20):
        review = history_review(LONG, np.random.default_rng(seed), probability=1)
        assert review.reference_turn_idx in (0, 1)
        assert find_review_problems(review, LONG) == []
    assert history_review(LONG[:2], np.random.default_rng(0), probability=1) is None
    only_second = history_review(LONG[1:4], np.random.default_rng(0), probability=1)
    assert only_second == Review(question='Where did I park my car?', reference_turn_idx=0,
                                 reference_answer='You parked your car behind the '
                                                  'library.')


def test_a_fact_that_changed_or_was_repeated_is_not_asked_for():
    changed = dialogue('I live in Porto.', 'Hm.', 'So.', 'I live in Lagos.', 'Yes.')
    repeated = dialogue('I live in Porto.', 'Hm.', 'So.', 'Well.', 'Is Porto nice?')
    for turns in (changed, repeated):
        assert BuiltinAsker().ask(turns, np.random.default_rng(0)) is None


def test_three_dialogues_in_ten_are_reviewed():
    rng = np.random.default_rng(1)
    asked = sum(history_review(LONG, rng) is not None for _ in range(3000))
    assert asked / 3000 == pytest.approx(0.30, abs=0.03)


@pytest.mark.parametrize(('changes', 'problem'), [
    ({'reference_turn_idx': 3}, 'expected 0 to 2'), ({'reference_turn_idx': -1}, 'expected 0'),
    ({'question': 'What did you say earlier about Rex?'}, 'points at what was said'),
    ({'question': '我刚才说我的狗叫什么？'}, 'points at what was said'),
    ({'question': ''}, 'is empty'),
    ({'question': 'Is my dog called Rex?'}, 'beyond the question'),
    ({'reference_answer': 'It is a good dog.'}, 'beyond the question')])
def test_questions_that_break_a_rule_are_named(changes, problem):
    good = {'question': 'What is my dog called?', 'reference_answer': 'Rex.',
            'reference_turn_idx': 0}
    assert find_review_problems(Review(**good), LONG) == []
    assert problem in '; '.join(find_review_problems(Review(**(good | changes)), LONG))


def test_an_answer_in_the_last_rounds_is_a_problem():
    turns = [*LONG, Turn(user='Rex, sit!', assistant='Good boy.')]
    review = Review(question='What is my dog called?', reference_answer='Rex.',
                    reference_turn_idx=0)
    assert find_review_problems(review,
                                turns) == ['the answer stands in one of the last two rounds']


# -- a language model behind HTTP -----------------------------------------------------------

@pytest.fixture
def endpoint():
    """Yield (model, answers to give, requests that came) of a stub of the documented API."""
    answers, requests = [], []

    class Stub(BaseHTTPRequestHandler):
        def do_POST(self):  # noqa: N802
            body = self.rfile.read(int(self.headers['Content-Length']))
            requests.append((self.path, dict(self.headers), json.loads(body)))
            status, content = answers.pop(0)
            data = json.dumps({'choices': [{'message': {'content': content}}]}).encode()
            self.send_response(status)
            self.send_header('Content-Length', str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_):
            pass

    server = HTTPServer(('127.0.0.1', 0), Stub)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield LanguageModel(url=f'http://127.0.0.1:{server.server_port}/v1', model='m',
                        key_variable='STUB_KEY', timeout_s=5), answers, requests
    server.shutdown()
    thread.join()
    server.server_close()


GOOD = json.dumps({'question': 'What is my dog called?', 'reference_answer': 'Rex',
                   'reference_turn_idx': 0})
BAD = json.dumps({'question': 'As I said earlier, my dog?', 'reference_answer': 'Rex',
                  'reference_turn_idx': 0})
WRONG_TYPE = json.dumps({'question': 1, 'reference_answer': 'Rex', 'reference_turn_idx': 0})


def test_a_language_model_asks_and_is_corrected(endpoint, monkeypatch):
    model, answers, requests = endpoint
    monkeypatch.setenv('STUB_KEY', 'secret')
    answers += [(200, BAD), (200, f'```json\n{GOOD}\n```')]
    review = history_review(LONG, np.random.default_rng(0), probability=1,
                            asker=LanguageAsker(model=model))
    assert review.question == 'What is my dog called?'
    path, headers, body = requests[1]
    assert path == '/v1/chat/completions' and headers['Authorization'] == 'Bearer secret'
    assert body['response_format']['json_schema']['schema']['required'][0] == 'question'
    assert 'points at what was said' in body['messages'][1]['content']
    assert '0. user: My dog is called Rex.' in body['messages'][1]['content']


def test_a_model_that_never_keeps_the_rules_gives_nothing(endpoint):
    model, answers, requests = endpoint
    answers += [(200, BAD), (200, 'no json'), (503, ''), (200, WRONG_TYPE)]
    asker = LanguageAsker(model=model, attempts=4)
    assert asker.ask(LONG, np.random.default_rng(0)) is None
    assert len(requests) == 4


def test_a_refusal_is_an_error_and_keeps_the_key_secret(endpoint, monkeypatch):
    model, answers, _ = endpoint
    monkeypatch.setenv('STUB_KEY', 'secret')
    answers += [(401, 'no')]
    with pytest.raises(AudioInteractionError, match='got 401') as caught:
        LanguageAsker(model=model).ask(LONG, np.random.default_rng(0))
    assert 'secret' not in str(caught.value)
    assert not isinstance(caught.value, UnusableAnswerError)


@pytest.mark.parametrize(('said', 'expected'), [
    ([{'label': 'respond', 'reason': 'equipment'}],
     Judgement(label='respond', reason='equipment')),
    ([{'label': 'silent', 'reason': 'weather'}], Judgement(label='silent')),
    ([{'label': 'respond', 'reason': ''}, {'label': 'loud', 'reason': ''}],
     Judgement(label='borderline')),
    ([{'label': 'respond'}, {'label': 'silent', 'reason': ''}], Judgement(label='silent'))])
def test_a_language_model_judges_a_clip(endpoint, said, expected):
    model, answers, requests = endpoint
    answers += [(200, json.dumps(one)) for one in said]
    clip = Clip(id='a', path='a.flac', seconds=1.0, label='drill', caption='A drill smokes.')
    assert LanguageJudge(model=model).judge(clip) == expected
    assert len(requests) == len(said)
    assert 'A drill smokes.' in requests[0][2]['messages'][1]['content']


# -- silent verification --------------------------------------------------------------------

def clip(label='', caption=''):
    return Clip(id=f'{label}{caption}', path='a.flac', seconds=1.0, label=label, caption=caption)


@pytest.mark.parametrize(('heard', 'label', 'reason'), [
    (clip('rain'), 'silent', ''), (clip('footsteps'), 'silent', ''), (clip(), 'silent', ''),
    (clip('something_new'), 'silent', ''),
    (clip('scream'), 'respond', 'distress'), (clip('electric_spark'), 'respond', 'equipment'),
    (clip('smoke_alarm'), 'respond', 'environment'), (clip('tornado'), 'respond', 'weather'),
    (clip('', 'An earthquake shakes the house.'), 'respond', 'weather'),
    (clip('', 'Fire alarms are tested on Monday, this is a drill'), 'borderline', ''),
    (clip('scream', 'a scream from a film'), 'borderline', ''),
    (clip('cough'), 'borderline', ''), (clip('thunder'), 'borderline', '')])
def test_silence_is_the_default_and_four_reasons_break_it(heard, label, reason):
    assert RulesJudge().judge(heard) == Judgement(label=label, reason=reason)


def test_borderline_is_dropped_and_a_share_of_the_silent_becomes_samples():
    clips = [clip('rain', str(i)) for i in range(2000)] + [clip('cough'), clip('scream')]
    found = verify_silence(clips, np.random.default_rng(0))
    assert len(found.silent) == 2000 and found.dropped == (clips[2000],)
    assert found.respond == ((clips[2001], 'distress'),)
    assert len(found.non_triggers) / 2000 == pytest.approx(0.40, abs=0.04)
    assert set(found.non_triggers) <= set(found.silent)
    assert found == verify_silence(clips, np.random.default_rng(0))
    everything = verify_silence(clips, np.random.default_rng(0), probability=1)
    assert everything.non_triggers == everything.silent


def test_respond_without_one_of_the_four_reasons_is_dropped():
    class Nervous:
        def judge(self, clip):
            return Judgement(label='respond', reason='it was loud')

    found = verify_silence([clip('rain')], np.random.default_rng(0), judge=Nervous())
    assert not found.respond and len(found.dropped) == 1 and len(REASONS) == 4


def test_three_in_ten_of_the_respond_clips_speak_up_unasked():
    clips = [clip('scream', str(i)) for i in range(2000)]
    found = verify_silence(clips, np.random.default_rng(0))
    chosen = draw_proactive(found, np.random.default_rng(1))
    assert len(chosen) / 2000 == pytest.approx(0.30, abs=0.04)
    assert draw_proactive(found, np.random.default_rng(1), probability=1) == found.respond


def test_kinds_come_in_the_shares_of_stage_four():
    assert dict(STAGE_FOUR) == {'history_review': 0.3, 'silent_verification': 0.4,
                                'proactive': 0.3}
    rng = np.random.default_rng(2)
    drawn = [draw_kind(rng) for _ in range(4000)]
    for kind, share in STAGE_FOUR.items():
        assert drawn.count(kind) / 4000 == pytest.approx(share, abs=0.03)
    rest = [draw_kind(rng, {'proactive': 0.25}) for _ in range(4000)]
    assert rest.count('') / 4000 == pytest.approx(0.75, abs=0.03)
