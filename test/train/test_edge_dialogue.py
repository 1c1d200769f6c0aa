"""The exchanges of the assistant lane: what is answered, what is not, and what no answer says."""

import random

import pytest

from audio_interaction_ros.alerts.rules import load_rules
from audio_interaction_ros.resources import shipped_path
from train.edge.dialogue import _HEARD, LONGEST, UNKNOWN, reply_to
from train.edge.phrases import SOURCES, draw_phrase
from train.edge.texts import dialogue_texts

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(('said', 'answer'), [
    ('Go to the kitchen.', 'Going to the kitchen.'),
    ('okay robot could you please go to room twelve', 'Going to room twelve.'),
    ('Hello, robot, please bring me my glasses, will you?', 'Bringing your glasses.'),
    ('Bring me the red cup from the kitchen, please.', 'Bringing the red cup from the kitchen.'),
    ('Go to the lift and show me a towel.', 'Showing a towel from the lift.'),
    ('STOP!', 'Stopping.'), ('Turn right now.', 'Turning right.'),
    ('Turn the lights off, please.', 'Turning off the lights.'),
    ('Switch it on.', 'Turning it on.'), ('Call Tom.', 'Calling Tom.'),
    ('Set a timer for twenty-five minutes.', 'Timer for twenty-five minutes.'),
    ("What's your name?", 'You can call me robot.'), ('What time is it?', 'I have no clock.'),
    ('Where are my keys?', 'I cannot see your keys.'), ('Hey robot.', 'I am listening.'),
    ('Thank you very much.', 'You are welcome.'), ('Good morning, robot.', 'Hello.'),
    ('Hi! How are you?', 'I am well, thank you.'),
    ('Come here. Thank you.', 'Coming.'), ('Stop. He is tired.', 'Stopping.')])
def test_what_is_in_the_catalogue_is_answered(said, answer):
    assert reply_to(said) == answer


@pytest.mark.parametrize('said', [
    '', '请停下', 'He went to the kitchen.', 'The train will stop here.', 'Do not open the door.',
    'Tom, come here.', 'Go to the kitchen, Tom.', 'Stop it, Tom.', 'Get up.', 'Call it a day.',
    'Bring me the book that is on the table.', 'The robot stopped.', 'Why did he call the doctor?',
    'What time does the bus leave?', 'Is anybody hungry?', "Robot's batteries are cheap."])
def test_what_is_not_for_the_robot_gets_silence(said):
    assert reply_to(said) is None


@pytest.mark.parametrize('said', [
    'Call the police.', 'Robot, please call an ambulance now!', 'Call for help.', 'Call 911.',
    'Phone the fire brigade.', 'Call the fire department.', 'Get us an ambulance!',
    'Can you call nine one one?', 'Dial one one two.'])
def test_no_call_for_rescue_is_promised(said):
    assert reply_to(said) == 'I cannot phone anyone.'


@pytest.mark.parametrize('said', [
    'Bring me the gun.', 'Robot, hand me my knife, please.', 'Take the bomb to the garage.',
    'Go to the bedroom and get me the rifle.', 'Pick up the pistol.'])
def test_no_weapon_is_fetched(said):
    assert reply_to(said) == UNKNOWN


def test_an_unknown_order_that_names_the_robot_is_not_guessed_at():
    for said in ('Robot, paint the cup blue.', 'Okay robot, who won?', 'Do a flip, robot.'):
        assert reply_to(said) == UNKNOWN


def draw_all(kind, seed, times=1):
    """Return utterances of every phrase of a kind."""
    source, rng = SOURCES[kind], random.Random(seed)
    return [said for phrase in source.phrases() for _ in range(times)
            if (said := source.draw(phrase, rng))]


def test_every_phrase_that_is_drawn_gets_the_answer_of_its_exchange():
    rng = random.Random(2)
    for exchange in dialogue_texts().exchanges:
        if exchange.kind in ('emergency', 'unfinished'):
            continue
        # a bare "help me" is still drawn with this question, but is an emergency
        rescued = ('I cannot phone',) if 'Tell me what you need' in exchange.answer else ()
        for phrase in exchange.phrases:
            said = draw_phrase(phrase, rng)
            answer = reply_to(said)
            start = exchange.answer.split(' {')[0].split('{verb}')[0]
            pronoun = start.split()[0] if said.endswith(('it', 'it off', 'it on')) else start
            assert answer is not None and answer.startswith((pronoun, *rescued)), (
                phrase, said, answer)


@pytest.mark.parametrize('kind', ['order', 'question', 'social'])
def test_what_is_drawn_of_the_catalogue_is_answered(kind):
    answers = [reply_to(said) for said in draw_all(kind, 3, 4)]
    assert None not in answers and answers.count(UNKNOWN) == 0


def test_nonsense_is_not_guessed_at_and_near_misses_stay_silent():
    assert {reply_to(said) for said in draw_all('nonsense', 4, 5)} == {UNKNOWN}
    assert {reply_to(said) for said in draw_all('near-miss', 5, 4)} == {None}


def test_no_answer_raises_an_alert_and_all_are_short_sentences_in_ascii():
    rules = load_rules(shipped_path('config/alerts.yaml'))
    said = [f'{order} the {phrase}.' for rule in rules.labels.values() for phrase in rule.en
            for order in ('Bring me', 'Go to', 'Stop', 'Turn off', 'Call', 'Where is')]
    answers = {reply_to(text) for text
               in (*said, *(text for kind in SOURCES for text in draw_all(kind, 6, 2)))} - {None}
    for answer in answers:
        assert not rules.match(answer), answer
        assert len(answer.split()) <= LONGEST and answer.isascii() and answer.endswith('.')
    assert 'Okay.' in answers


def test_what_is_drawn_for_a_slot_is_what_it_hears():
    assert reply_to('Find me three oranges.') == 'Finding three oranges.'
    assert _HEARD.keys() == dialogue_texts().slots.keys()
    assert all(dialogue_texts().slots.values())
