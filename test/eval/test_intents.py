"""The measuring of intents: what counts as right, voices apart, and readings that are kept."""

import argparse
import json

import pytest

from audio_interaction_ros.config import IntentsConfig
from eval import intents
from eval.intents import Understood, choose_clips, figures, look_up

pytestmark = pytest.mark.unit

ROWS = [
    {'path': 'speech/a/order.ogg', 'label': 'speech_command', 'intent': 'orderDrink',
     'slots': {'coffeeDrink': ' latte'}, 'speaker': 'one', 'seconds': 2.0},
    {'path': 'speech/a/read.ogg', 'label': 'speech_read', 'seconds': 1800.0},
    {'path': 'speech/a/name.ogg', 'label': 'speech_phrase', 'text': 'jarvis', 'seconds': 1.0},
    {'path': 'speech/a/other.ogg', 'label': 'speech_phrase', 'text': 'you better talk'},
    {'path': 'calls/call.flac', 'label': 'call_for_help', 'seconds': 1.0},
    {'path': 'calls/talk.flac', 'label': 'talk_of_help', 'seconds': 36.0},
    {'path': 'sounds/a/dog.ogg', 'label': 'dog_bark', 'seconds': 1.0}]


@pytest.fixture
def folder(tmp_path):
    (tmp_path / 'manifest.jsonl').write_text(
        ''.join(json.dumps(row) + '\n' for row in ROWS), encoding='utf-8')
    return tmp_path


def test_clips_are_those_with_something_to_understand_or_nothing(folder):
    clips = {clip.name: clip for clip in choose_clips(folder, 0)}
    assert {name for name in clips if name.startswith('speech')} == {
        'speech/a/order.ogg', 'speech/a/read.ogg', 'speech/a/name.ogg'}
    assert {clip.sort for name, clip in clips.items() if not name.startswith('speech')} == {
        'call for help', 'talk of help'}
    assert clips['speech/a/order.ogg'].slots == (('coffeeDrink', 'latte'),)
    assert clips['speech/a/order.ogg'].sort in ('drinks', 'drinks (development)')
    assert clips['speech/a/name.ogg'].called == 'jarvis'


def understood(clip, **more):
    return Understood(**{'clip': clip, 'text': '', 'confidence': 0.9, 'intent': '', 'slots': (),
                         'keyword': '', 'named': False, 'alert': False, **more})


def test_an_intent_is_right_with_its_slots_and_false_where_nobody_wants_anything(folder):
    clips = {clip.name: clip for clip in choose_clips(folder, 0)}
    order, read = clips['speech/a/order.ogg'], clips['speech/a/read.ogg']
    sorts = figures([
        understood(order, intent='orderDrink', slots=(('coffeeDrink', 'latte'),)),
        understood(order, intent='orderDrink'), understood(order), understood(read, intent='go'),
        understood(read, keyword='go')])['sorts']
    assert sorts[order.sort]['intent'].value == pytest.approx(2 / 3)
    assert sorts[order.sort]['intent_and_slots'].value == pytest.approx(1 / 3)
    assert sorts[order.sort]['none'].value == 0.0
    assert sorts['other speech']['hours'] == 1.0
    assert sorts['other speech']['false_per_hour'].value == 1.0
    assert sorts['other speech']['keyword_per_hour'].value == 1.0


def test_a_call_for_help_that_raises_an_alert_is_heard_and_elsewhere_it_is_false(folder):
    by_sort = {clip.sort: clip for clip in choose_clips(folder, 0)}
    call, talk = by_sort['call for help'], by_sort['talk of help']
    sorts = figures([understood(call, intent='help', alert=True), understood(call),
                     understood(call, keyword='help'), understood(talk, keyword='help'),
                     understood(talk, intent='help', alert=True),
                     understood(by_sort['other speech'], intent='go')])['sorts']
    assert sorts['call for help']['alert'].value == pytest.approx(1 / 3)
    assert sorts['call for help']['keyword'].value == pytest.approx(1 / 3)
    assert (sorts['talk of help']['alert'].value, sorts['talk of help']['keyword'].value) == (
        0.5, 0.5)
    assert sorts['talk of help']['alerts_per_hour'].value == pytest.approx(50)
    assert sorts['other speech']['alerts_per_hour'].value == 0


@pytest.mark.parametrize(('text', 'intent'), [
    ('A coffee', 'orderDrink'), ('He did not go there', 'go'), ('The moon', '')])
def test_the_look_up_knows_no_sentence(text, intent):
    assert look_up(text) == intent


def test_the_whole_command_over_readings_that_are_known(folder, capsys):
    texts = {'speech/a/order.ogg': 'Give me a double shot latte with a lot of soy milk.',
             'speech/a/read.ogg': 'He went to the kitchen and he stopped.',
             'speech/a/name.ogg': 'Jarvis.',
             f'{folder.name}/calls/call.flac': 'Somebody help me!',
             f'{folder.name}/calls/talk.flac': 'I can not help it.'}
    readings = folder / 'readings.jsonl'
    readings.write_text(''.join(json.dumps({
        'key': f'{name} True', 'text': text, 'language': 'en', 'no_speech': 0.0,
        'mean_log_prob': -0.1, 'compression_ratio': 1.0, 'span_s': None}) + '\n'
        for name, text in texts.items()), encoding='utf-8')
    options = argparse.Namespace(
        data=folder, out=folder / 'out', limit=0, per_sort=0, readings=readings, known=True,
        min_confidence=IntentsConfig.min_confidence)
    assert intents.run(options) == 0
    rows = [json.loads(line) for line in
            (folder / 'out' / 'understood.jsonl').read_text(encoding='utf-8').splitlines()]
    by_sort = {row['clip']['sort'].split(' (')[0]: row for row in rows}
    assert by_sort['drinks']['intent'] == 'orderDrink'
    assert dict(by_sort['drinks']['slots']) == {
        'coffeeDrink': 'latte', 'milkAmount': 'a lot of soy milk', 'numberOfShots': 'double shot'}
    assert (by_sort['other speech']['intent'], by_sort['names']['named']) == ('', True)
    assert (by_sort['call for help']['alert'], by_sort['talk of help']['alert']) == (True, False)
    assert 'What is wanted' in capsys.readouterr().out
