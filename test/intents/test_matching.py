"""Intents from texts: what is asked for, and what is never guessed."""

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_interaction_ros.intents.intents_file import KINDS, read_intents
from audio_interaction_ros.intents.matching import IntentMatcher
from audio_interaction_ros.intents.phrase import Gap, write_out
from audio_interaction_ros.resources import shipped_path
from train.edge.dialogue import reply_to
from train.edge.texts import dialogue_texts

pytestmark = pytest.mark.unit

RULES = read_intents(shipped_path('config/intents.yaml'))
MATCHER = IntentMatcher(RULES, ['robot', '机器人'])
WORDS = sorted({token for intent in RULES.intents for language in ('en', 'zh')
                for form in intent.forms(language) for token in form if isinstance(token, str)}
               | {'she', 'yesterday', 'table', 'not', 'never', '7', 'seven', '不'})


@pytest.mark.parametrize(('text', 'name', 'slots', 'answer'), [
    ('Robot, go to the kitchen.', 'go', {'place': 'kitchen'}, 'Going to the kitchen.'),
    ('Could you please bring me the red cup from the living room?', 'bring',
     {'object': 'red cup', 'place': 'living room'}, 'Bringing the red cup from the living room.'),
    ('Set a timer for twenty five minutes.', 'timer', {'duration': '25 min'},
     'Timer for twenty five minutes.'),
    ('Wait for 10 seconds', 'wait', {'duration': '10 s'}, 'Waiting for 10 seconds.'),
    ('Wait 30 sec.', 'wait', {'duration': '30 s'}, 'Waiting for 30 sec.'),
    ('Set a 5-minute timer.', 'timer', {'duration': '5 min'}, 'Timer for 5 minute.'),
    ('Set a timer for 1.25 hours.', 'timer', {'duration': '1.25 h'}, 'Timer for 1.25 hours.'),
    ('Wake me up at 5:30.', 'wake_me', {'time': '5:30'}, 'Waking you at 5:30.'),
    ('Wake me up at 5:30 a.m.', 'wake_me', {'time': '5:30 am'}, 'Waking you at 5:30 am.'),
    ('Wake me at seven.', 'wake_me', {'time': '7'}, 'Waking you at seven.'),
    ('25分钟后提醒我', 'timer', {'duration': '25 min'}, '计时25分钟。'),
    ('等10秒。', 'wait', {'duration': '10 s'}, '我等10秒。'),
    ('Turn left', 'turn', {'direction': 'left'}, 'Turning left.'),
    ('Where are my keys?', 'ask_where', {'object': 'my keys'}, 'I cannot see your keys.'),
    ('Hello robot. Turn on the lights, please.', 'switch_on', {'device': 'light'},
     'Turning on the lights.'),
    ('No, stop!', 'stop', {}, 'Stopping.'),
    ('Go to the kitchen. Stop!', 'stop', {}, 'Stopping.'),
    ('Stop! Go to the kitchen.', 'stop', {}, 'Stopping.'),
    ('Stop right there and open the door.', 'stop', {}, 'Stopping.'),
    ('停下，打开那个盒子', 'stop', {}, '停下了。'),
    ('Yes.', 'yes', {}, ''),
    ('No.', 'no', {}, ''),
    ('Go home', 'go', {'place': 'home'}, 'Going home.'),
    ('去厨房', 'go', {'place': 'kitchen'}, '我去厨房。'),
    ('把红色的杯子拿给我', 'bring', {'object': '红色的杯子'}, '我去拿红色的杯子。'),
    ('五分钟后提醒我', 'timer', {'duration': '5 min'}, '计时五分钟。'),
    ('你好，机器人，打扫一下客厅。', 'clean', {'place': 'living room'}, '我打扫客厅。'),
])
def test_what_is_asked_for_is_told_with_its_slots(text, name, slots, answer):
    intent = MATCHER.match(text)
    assert intent is not None
    assert (intent.name, dict(intent.slots), intent.answer) == (name, slots, answer)
    assert intent.confidence == 1.0


@pytest.mark.parametrize('text', [
    'Do not stop.', "Don't stop!", 'Do not. Stop.', 'never stop', 'Do not go to the kitchen.',
    'Go without the cup to the kitchen', '不要停', '别停', '不要。停。', '别去厨房', 'Turn lift.',
    'Set a timer for thirty.', 'Set a timer for five ten minutes.', 'He told me to stop.',
    'She said go to the kitchen.', 'I will go to the kitchen tomorrow and wait.',
    'The shop is open.', 'If you stop I go home.', 'When did you stop?', 'Stop by the shop.',
    'Stop, no, do not stop at all.', 'Wait for the green light and stop at the door.',
    'The man told everybody to come here.', 'The kitchen.', '', '?!', 'stop ' * 60])
def test_what_is_no_order_has_no_intent(text):
    assert MATCHER.match(text) is None


def test_a_word_misread_by_a_letter_costs_confidence():
    right, misread = (MATCHER.match(text) for text in ('Follow me.', 'Fellow me.'))
    assert right.confidence == 1.0
    assert misread.name == 'follow' and 0.6 < misread.confidence < 0.9


def test_a_word_too_many_costs_confidence_but_not_beside_a_number():
    intent = MATCHER.match('Robot, go back over to the big green kitchen quickly.')
    assert intent is None or intent.confidence < 1.0
    assert MATCHER.match('Set a timer kindly for five minutes.') is None


@pytest.mark.parametrize(('word_confidence', 'confidence'), [
    (math.nan, 1.0), (1.0, 1.0), (0.25, 0.5), (0.0, 0.0), (-1.0, 0.0), (7.0, 1.0)])
def test_what_was_hardly_read_is_hardly_sure(word_confidence, confidence):
    assert MATCHER.match('Go home.', word_confidence).confidence == confidence


def test_every_intent_that_ships_is_known_by_each_of_its_phrases():
    """Each form of each rule, with words that fit its slots, asks for that rule."""
    said = {'place': 'the garden', 'object': 'the ball', 'person': 'my son', 'device': 'the pump',
            'opening': 'the gate', 'state': 'open', 'rescue': 'the police',
            'duration': 'five minutes', 'number': 'two', 'time': 'seven'}
    said_zh = {'place': '花园', 'object': '苹果', 'person': '妈妈', 'device': '水泵',
               'opening': '抽屉', 'rescue': '警察', 'duration': '五分钟'}
    rng = random.Random(7)
    for rule in RULES.intents:
        for language, words in (('en', said), ('zh', said_zh)):
            forms = rule.forms(language)
            for form in rng.sample(forms, min(3, len(forms))):
                joint = ' ' if language == 'en' else ''
                text = joint.join(words[part.slot] if isinstance(part, Gap) else part
                                  for part in form)
                intent = MATCHER.match(text)
                assert intent is not None, text
                assert intent.language == language
                assert intent.confidence == 1.0, text
                if language == 'en':  # one Chinese sentence may be two orders
                    assert intent.name == rule.name, text


def test_the_catalogue_that_the_model_learnt_gets_the_same_answers():
    rng, texts, unlike = random.Random(1), dialogue_texts(), []
    for exchange in texts.exchanges:
        for phrase in exchange.phrases if exchange.kind != 'unfinished' else ():
            form = rng.choice(write_out(phrase))
            text = ' '.join(rng.choice(texts.slots[part.slot]) if isinstance(part, Gap) else part
                            for part in form)
            intent = MATCHER.match(text)
            if (intent.answer if intent else None) != reply_to(text):
                unlike.append(text)
    assert len(unlike) <= 5, unlike


@given(st.lists(st.sampled_from(WORDS), max_size=9),
       st.floats(allow_nan=True, allow_infinity=True))
def test_any_words_have_a_sound_intent_or_none(words, word_confidence):
    text = ' '.join(words)
    intent = MATCHER.match(text, word_confidence)
    assert MATCHER.match(text, word_confidence) == intent
    if intent is not None:
        assert intent.name in {rule.name for rule in RULES.intents}
        assert 0.0 <= intent.confidence <= 1.0
        assert intent.kind in KINDS and intent.language in ('en', 'zh')
        assert '{' not in intent.answer
        assert all(value and isinstance(value, str) for value in intent.slots.values())


@given(st.sampled_from([rule for rule in RULES.intents if rule.kind == 'order' and rule.en]),
       st.sampled_from(['do not', 'never', "don't", 'please do not', 'you must not']), st.data())
def test_an_order_that_is_taken_back_is_never_that_order(rule, negation, data):
    forms = [form for form in rule.forms('en') if 'not' not in form and 'never' not in form]
    if not forms or rule.name == 'no':
        return
    form = data.draw(st.sampled_from(forms))
    said = ' '.join('it' if isinstance(part, Gap) else part for part in form)
    intent = MATCHER.match(f'{negation} {said}')
    assert intent is None or intent.name != rule.name


@given(st.text(max_size=40))
def test_any_text_is_survived(text):
    MATCHER.match(text)


@pytest.mark.parametrize(('text', 'name', 'value'), [
    ('Turn 45 degrees.', 'turn_by', '45'), ('Turn forty five degrees.', 'turn_by', '45'),
    ('Turn 45°.', 'turn_by', '45'), ('Turn 22.5°', 'turn_by', '22.5'),
    ('转45度。', 'turn_by', '45'), ('Pay twenty dollars.', 'pay', '20'),
    ('Pay $20.', 'pay', '20'), ('Pay $1,250.75!', 'pay', '1250.75'),
    ('付20元。', 'pay', '20'), ('Dim to 20%.', 'dim', '20'),
    ('Dim to twenty percent.', 'dim', '20')])
def test_numbers_with_signs_are_those_that_were_said(tmp_path, text, name, value):
    path = tmp_path / 'intents.yaml'
    path.write_text("""
slots: {number: {kind: number}}
intents:
  - {name: turn_by, en: ['turn {number} degrees'], zh: ['转{number}度']}
  - {name: pay, en: ['pay {number} dollars'], zh: ['付{number}元']}
  - {name: dim, en: ['dim to {number} percent']}
""", encoding='utf-8')
    intent = IntentMatcher(read_intents(path), []).match(text)
    assert intent is not None and (intent.name, intent.slots['number']) == (name, value)
