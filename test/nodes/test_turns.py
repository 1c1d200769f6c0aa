"""Whose turn it is, and which messages are under way; without ROS and without waiting."""

import threading

import pytest

from audio_interaction_ros.nodes.lifecycle.turns import Traffic, Turns

pytestmark = pytest.mark.unit


class Publisher:
    topic_name = '/robot/encoded'

    def __init__(self):
        self.is_activated, self.sent, self.listeners = True, [], 1

    def publish(self, message):
        self.sent.append(message)

    def get_subscription_count(self):
        return self.listeners


class Member:
    """A worker whose thread waits for its turn and then says that it had it."""

    def __init__(self, name, turns, told):
        self.idle, self.handed_over = True, True
        self.name, self.turns, self.told = name, turns, told
        self.had = threading.Event()
        turns.join(self)

    def wait(self, *, begins):
        self.idle = False

        def run():
            self.turns.wait(self, begins=begins)
            self.told.append(self.name)
            self.had.set()
        threading.Thread(target=run, daemon=True).start()
        while self not in self.turns._waiting:
            pass
        return self


def test_a_message_is_under_way_until_everybody_has_worked_it_off():
    traffic, publisher, seen = Traffic(), Publisher(), []
    traffic.count_sent(publisher)
    publisher.publish('to nobody here')
    take = traffic.count_received('/robot/encoded', lambda message: seen.append(traffic.still))
    assert traffic.still and traffic.connected and not traffic.sent
    publisher.publish('chunk')
    assert not traffic.still and traffic.sent == 1
    take('chunk')
    assert traffic.still and seen == [False] and publisher.sent == ['to nobody here', 'chunk']
    publisher.listeners = 0
    assert not traffic.connected


def test_what_a_silent_publisher_does_not_send_is_not_waited_for_and_a_fault_ends_the_wait():
    traffic, publisher = Traffic(), Publisher()
    traffic.count_sent(publisher)

    def stumble(message):
        raise ValueError(message)
    take = traffic.count_received('/robot/encoded', stumble)
    publisher.is_activated = False
    publisher.publish('of an inactive node')
    assert traffic.still
    publisher.is_activated = True
    publisher.publish('chunk')
    with pytest.raises(ValueError, match='chunk'):
        take('chunk')
    assert traffic.still


def test_who_begins_goes_first_in_order_then_who_handed_out_last():
    turns, told = Turns(Traffic()), []
    encoder, decoder, reader = [Member(name, turns, told) for name in ('e', 'd', 'r')]
    assert turns.advance()
    encoder.wait(begins=False)
    decoder.wait(begins=False)
    reader.wait(begins=True)
    for one in (reader, decoder, encoder):
        assert not turns.advance()
        one.had.wait(10)
        assert not turns.advance()  # it is at work
        one.idle = True
    assert told == ['r', 'd', 'e'] and turns.advance()


def test_nobody_goes_on_while_something_moves():
    traffic = Traffic()
    turns, told = Turns(traffic), []
    worker, other = Member('w', turns, told).wait(begins=True), Member('o', turns, told)
    other.idle = False
    assert not turns.advance() and worker in turns._waiting
    other.idle = True
    worker.handed_over = False
    assert not turns.advance() and worker in turns._waiting
    worker.handed_over = True
    publisher = traffic.count_sent(Publisher())
    traffic.count_received(publisher.topic_name, print)
    publisher.publish('chunk')
    assert not turns.advance() and worker in turns._waiting


def test_a_worker_that_is_closed_or_whose_replay_is_over_waits_no_more():
    turns, told = Turns(Traffic()), []
    one, two = Member('1', turns, told).wait(begins=True), Member('2', turns, told)
    turns.leave(one)
    assert one.had.wait(10)
    two.wait(begins=False)
    turns.end()
    assert two.had.wait(10)
    turns.wait(two, begins=True)
    assert not turns._waiting
