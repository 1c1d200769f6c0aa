"""The third mixture: near misses get no answer, emergencies an honest one, half an order a no."""

import random
import re
from itertools import islice

import pytest

from audio_interaction_ros.alerts.rules import load_rules
from audio_interaction_ros.resources import shipped_path
from train.edge.dialogue import (
    LONGEST,
    UNKNOWN,
    URGENT,
    draw_text,
    fill_template,
    reply_to,
    write_sentence,
)
from train.edge.near_misses import FIRST, MORE
from train.edge.third_mixture import known_texts, near_miss_texts, urgent_texts

pytestmark = pytest.mark.unit


def test_no_near_miss_is_answered_and_none_is_a_template_of_the_second_mixture():
    rng = random.Random(1)
    answered = [said for template in MORE for said in
                (write_sentence(fill_template(template, rng), '') for _ in range(6))
                if reply_to(said)]
    assert answered == []
    assert len(set(MORE)) == len(MORE) >= 150 and not set(MORE) & set(FIRST)
    said = set(islice(near_miss_texts(random.Random(2)), 1000))
    assert len(said) > 700
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
    for exchange in URGENT:
        for said in (draw_text(phrase, rng) for phrase in exchange.phrases for _ in range(4)):
            assert reply_to(said) == exchange.answer, said
        assert not rules.match(exchange.answer) and len(exchange.answer.split()) <= LONGEST


def test_what_is_drawn_is_answered():
    assert None not in {reply_to(said) for said in islice(known_texts(random.Random(4)), 300)}
    said = list(islice(urgent_texts(random.Random(5)), 600))
    caught = [text for text in said if reply_to(text) != UNKNOWN]
    assert None not in map(reply_to, said) and 0.4 < len(caught) / 600 < 0.6
    assert {text[-1] for text in caught} <= set('.!?')
    assert sum(text[-1] not in '.!?' for text in said) > 150
