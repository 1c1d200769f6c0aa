"""Was the robot meant: names, misread ones among them, windows and calls to be quiet."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audio_interaction_ros.intents.address import Address, is_name
from audio_interaction_ros.intents.barge_in import BargeIn
from audio_interaction_ros.intents.words import tokenise

pytestmark = pytest.mark.unit

S = 1_000_000_000


@pytest.mark.parametrize(('heard', 'name', 'same'), [
    ('robot', 'robot', True), ('Robert', 'robot', False), ('robots', 'robot', True),
    ('rowbot', 'robot', True), ('Jarvis', 'Jarvis', True), ('Jarvice', 'Jarvis', False),
    ('jarves', 'jarvis', True), ('Atena', 'Athena', True), ('computter', 'computer', True),
    ('commuter', 'computer', True), ('Max', 'Max', True), ('Mac', 'Max', False),
    ('机器人', '机器人', True), ('机器仁', '机器人', True), ('小白', '小百', False),
    ('smart mirror', 'smartmirror', True)])
def test_a_name_may_be_misread_by_a_letter_and_a_long_one_by_two(heard, name, same):
    assert is_name(tokenise(heard), tokenise(name)) is same


@pytest.mark.parametrize(('text', 'named'), [
    ('Robot, come here.', True), ('Hey robot, come here.', True), ('Come here, robot.', True),
    ('Okay. Robot. Come.', True), ('Rowbot, come here', True), ('The robot fell over.', False),
    ('I saw a robot', False), ('My robot is here', False), ('Come here', False),
    ('机器人，过来', True), ('过来，机器人', True), ('', False)])
def test_a_name_counts_at_either_end_of_a_sentence(text, named):
    assert Address(names=['robot', '机器人']).names_robot(text) is named


def test_always_means_every_text():
    assert Address(mode='always').is_meant('whatever', 0, S)


def test_after_its_name_no_name_is_needed_for_a_while():
    address = Address(mode='name', names=['robot'], window_s=8)
    assert not address.is_meant('Come here.', 0, S)
    assert address.is_meant('Robot, come here.', 10 * S, 11 * S)
    assert address.is_meant('Turn left.', 19 * S, 20 * S)
    assert not address.is_meant('Turn left.', 20 * S, 21 * S)
    assert address.is_meant('Robot?', 30 * S, 31 * S)
    address.reset()
    assert not address.is_meant('Turn left.', 32 * S, 33 * S)


def test_after_wake_only_what_woke_it_counts():
    address = Address(mode='after_wake', names=['robot'], window_s=8)
    assert not address.is_meant('Robot, come here.', 0, S)
    address.wake(10 * S)
    assert address.is_meant('Come here.', 12 * S, 13 * S)
    assert not address.is_meant('Come here.', 19 * S, 20 * S)


@pytest.mark.parametrize(('text', 'called'), [
    ('Stop', True), ('stop.', True), ('Stop, please!', True), ('Robot, stop!', True),
    ('Okay, stop it.', True), ('stop stop stop', True), ('be quiet', True), ('停', True),
    ('别说了', True), ('Do not stop', False), ("Don't stop.", False), ('stop at the', False),
    ('the stop', False), ('', False), ('robot', False), ('please', False), ('不要停', False)])
def test_a_call_to_be_quiet_is_heard_and_a_sentence_about_stopping_is_not(text, called):
    assert BargeIn(['stop', 'be quiet', '停', '别说了'], ['robot']).is_called(text) is called


@given(st.text(max_size=30), st.lists(st.text(max_size=6), max_size=3))
def test_any_text_and_any_name_are_survived(text, names):
    Address(mode='name', names=names).is_meant(text, 0, S)
    BargeIn(names, names).is_called(text)
    BargeIn(names, names).find_call(text, text)


@pytest.mark.parametrize(('text', 'said', 'call'), [
    ('The door to the gate, stop!', 'The door to the garage is open.', 'stop'),
    ('stop talking', '', 'stop talking'), ('Be quiet be quiet', 'I stop here.', 'be quiet'),
    ('I stop here.', 'I stop here.', ''), ('do not be quiet', '', ''), ('停车', '', ''),
    ('门开着别说了', '门开着。', '别说了'), ('the parcel is', 'The parcel is here.', ''),
    ('', '', '')])
def test_a_call_under_another_voice_is_found_unless_that_voice_says_it(text, said, call):
    calls = BargeIn(['stop', 'stop talking', 'be quiet', 'quiet', '停', '别说了'])
    assert calls.find_call(text, said) == call
