"""What is drawn: near misses get no answer, emergencies an honest one, half an order a no."""

import random
import re

import pytest

from audio_interaction_ros.alerts.rules import load_rules
from audio_interaction_ros.resources import shipped_path
from train.edge.dialogue import LONGEST, UNKNOWN, reply_to
from train.edge.phrases import SOURCES, draw_phrase, fill_template, write_sentence
from train.edge.texts import dialogue_texts, near_misses

pytestmark = pytest.mark.unit


def test_no_near_miss_is_answered():
    rng = random.Random(1)
    templates = [text for group in near_misses().templates.values() for text in group]
    said = [write_sentence(fill_template(template, rng), '') for template in templates
            for _ in range(6)]
    assert [text for text in said if reply_to(text)] == []
    assert len(set(templates)) == len(templates) >= 200 and len(set(said)) > 700
    assert not any(re.search(r'[{}()|\[\]]', text) for text in said)


@pytest.mark.parametrize(('said', 'answer'), [
    ('Help!', 'I cannot phone anyone. Please get somebody.'),
    ('Help me please.', 'I cannot phone anyone. Please get somebody.'),
    ('Robot, I need some help.', 'I cannot phone anyone. Please get somebody.'),
    ('I have fallen and cannot get up.', 'I cannot lift you. Please call somebody.'),
    ("I've fallen and I can't get up!", 'I cannot lift you. Please call somebody.'),
    ('Call an ambulance.', 'I cannot phone anyone.'),
    ('We need an ambulance!', 'I cannot phone anyone.'),
    ('She is not breathing.', 'I am no doctor. Please call the emergency number.'),
    ('There is a fire in the kitchen.', 'Please get out. I cannot phone anyone.'),
    ('Somebody broke in.', 'Please stay safe. I cannot phone anyone.'),
    ('Help! There is smoke in the hallway! Stop.', 'Please get out. I cannot phone anyone.'),
    ('Could you help me, please?', 'I am here. Tell me what you need.')])
def test_an_emergency_gets_an_answer_that_a_robot_can_stand_for(said, answer):
    assert reply_to(said) == answer


@pytest.mark.parametrize('said', [
    'Bring me the', 'Go to the', 'Can you please', 'Robot, could you turn on the',
    'Set a timer for', 'Where is my', 'Find a towel from'])
def test_half_an_order_was_not_caught(said):
    assert reply_to(said) == UNKNOWN


@pytest.mark.parametrize(('said', 'answer'), [
    ('Would you?', None), ('He came to the', None), ('I need you.', None),
    ('Can you. Turn left.', 'Turning left.'), ('There was a fire in the kitchen.', None),
    ('I have fallen in love.', None), ('Put your hat on.', None), ("I'm stuck in my job.", None)])
def test_what_is_alike_is_neither(said, answer):
    assert reply_to(said) == answer


def test_every_phrase_gets_its_answer_and_no_answer_raises_an_alert():
    rng, rules = random.Random(3), load_rules(shipped_path('config/alerts.yaml'))
    for exchange in dialogue_texts().exchanges:
        if exchange.kind not in ('emergency', 'unfinished'):
            continue
        for said in (draw_phrase(phrase, rng) for phrase in exchange.phrases for _ in range(4)):
            assert reply_to(said) == exchange.answer, said
        assert not rules.match(exchange.answer) and len(exchange.answer.split()) <= LONGEST


def draw_all(kind, seed):
    source, rng = SOURCES[kind], random.Random(seed)
    return [said for phrase in source.phrases() for _ in range(5)
            if (said := source.draw(phrase, rng))]


def test_emergencies_are_answered_and_end_with_a_stop():
    said = draw_all('emergency', 4)
    assert not {None, UNKNOWN} & {reply_to(text) for text in said}
    assert {text[-1] for text in said} == set('.!?')


@pytest.mark.parametrize('kind', ['unfinished', 'garbled'])
def test_what_nobody_can_understand_was_not_caught(kind):
    said = draw_all(kind, 5)
    assert len(said) > 60 and {reply_to(text) for text in said} == {UNKNOWN}
    assert all((text[-1] in '.!?') == (kind == 'garbled') for text in said)
