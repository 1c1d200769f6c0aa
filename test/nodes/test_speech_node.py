"""speech_node through real nodes: what is said, what is told of it, and when it falls silent."""

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from rclpy.action import ActionClient
from std_msgs.msg import Bool, String
from std_srvs.srv import Trigger

from audio_interaction_msgs.action import Say
from audio_interaction_msgs.msg import Alert, AudioChunk, Reply, Transcript
from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.errors import AudioFormatError, MissingDependencyError
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.speaking.heard import WordWatch
from audio_interaction_ros.nodes.speech_node import SpeechNode
from audio_interaction_ros.speech.engines import Tones, play_tone
from audio_interaction_ros.speech.loudspeaker import PacedLoudspeaker
from audio_interaction_ros.speech.voice import Voice

pytestmark = pytest.mark.ros

BLOCK = 480  # 20 ms at 24 kHz


class Hand:
    """A loudspeaker that plays when a test says so, as fast as it likes."""

    def __init__(self):
        self.rate_hz, self.is_alive, self.blocks = 24_000, True, []

    def start(self, playback, on_block):
        self.playback, self.on_block = playback, on_block

    def wake(self):
        pass

    def close(self):
        pass

    def step(self, blocks=1):
        for _ in range(blocks):
            block = self.playback.take(BLOCK)
            self.blocks.append(block)
            if block.number:
                self.on_block(block, 0.0)


class Mouth:
    """A speech node, the hand that turns its loudspeaker, and whoever looks on."""

    def __init__(self, robot, parameters=None, **more):
        self.robot, self.hand = robot, Hand()
        more.setdefault('load', lambda settings: Voice([Tones()]))
        more.setdefault('open_speaker', lambda device, rate_hz: self.hand)
        self.node = robot.add(SpeechNode(**more, **robot.options(parameters)))
        self.flags = robot.watch(Bool, 'robot_speaking', qos.EVENTS)
        self.reference = robot.watch(AudioChunk, 'speech/reference', qos.AUDIO_OUT)
        self.saying = robot.watch(String, 'speech/saying', qos.FINAL_TEXT)
        make = robot.watcher.create_publisher
        self.topics = {'speech/say': make(String, 'speech/say', qos.EVENTS),
                       'reply': make(Reply, 'reply', qos.EVENTS),
                       'speech/overheard': make(String, 'speech/overheard', qos.EVENTS),
                       'alerts': make(Alert, 'alerts', qos.EVENTS),
                       'transcript': make(Transcript, 'transcript', qos.EVENTS)}
        self.node.autostart()
        robot.wait(lambda: self.node.mouth and self.node.mouth.voice, 'the voice is loaded')
        for name, publisher in self.topics.items():
            robot.wait(publisher.get_subscription_count, f'{name} is heard')
        for topic in ('robot_speaking', 'speech/reference', 'speech/saying'):
            robot.wait(lambda topic=topic: robot.watcher.count_publishers(
                f'{robot.namespace}/{topic}'), topic)

    def tell(self, topic, **fields):
        self.topics[topic].publish(
            {'speech/say': String, 'speech/overheard': String, 'reply': Reply, 'alerts': Alert,
             'transcript': Transcript}[topic](**fields))

    def wait_for_text(self, text, after=0):
        self.robot.wait(lambda: [m.data for m in self.saying].count(text) > after, text)
        self.robot.wait(lambda: self.hand.playback.number == self.node.mouth.current.number
                        and self.hand.playback._parts, f'{text} is made')

    def play_out(self):
        """Play what is said now to its end."""
        while self.hand.playback.number:
            self.hand.step()
        self.robot.wait(lambda: self.node.mouth.current is None or self.hand.playback.number,
                        'it is over')


@pytest.fixture
def mouth(robot):
    return Mouth(robot)


def samples_of(messages):
    return np.concatenate([np.frombuffer(bytes(message.data), '<f4') for message in messages])


def test_a_text_is_played_and_published_exactly_while_the_flag_says_so(mouth):
    mouth.tell('speech/say', data='Hello there.')
    mouth.wait_for_text('Hello there.')
    mouth.play_out()
    mouth.robot.wait(lambda: [flag.data for flag in mouth.flags] == [True, False], 'flags')
    played = np.concatenate([block.samples for block in mouth.hand.blocks if block.number])
    mouth.robot.wait(lambda: len(mouth.reference) * BLOCK == len(played), 'all is published')
    assert np.array_equal(samples_of(mouth.reference), played)
    tone = play_tone('Hello there.')
    assert np.array_equal(played[:len(tone)], tone)
    assert [message.seq for message in mouth.reference] == list(range(len(mouth.reference)))
    assert {message.sample_rate for message in mouth.reference} == {24_000}
    mouth.robot.wait(lambda: mouth.saying[-1].data == '', 'silent again')
    assert mouth.node.mouth.counts.said == 1


STOPS = [
    ('transcript', {'text': 'Stop!'}, ''), ('transcript', {'text': '请安静'}, ''),
    ('reply', {'text': 'Stopping.', 'intent': 'stop', 'is_final': True}, 'Stopping.'),
    ('reply', {'finish_reason': 'cancel', 'is_final': True}, ''),
    ('alerts', {'id': 'a', 'severity': 3, 'label': 'smoke_alarm', 'message': 'Smoke!'}, 'Smoke!')]


def test_it_falls_silent_within_ten_milliseconds_of_sound(mouth):
    for number, (topic, fields, next_text) in enumerate(STOPS, start=1):
        text = f'Text {number} is long, and nobody wants to hear it to its end.'
        mouth.tell('speech/say', data=text)
        mouth.wait_for_text(text)
        mouth.hand.step(10)
        so_far = len(mouth.hand.blocks)
        mouth.tell(topic, **fields)
        mouth.robot.wait(lambda: mouth.hand.playback._fading, f'the stop is heard: {topic}')
        mouth.hand.step(2)
        stopped = mouth.hand.blocks[so_far]
        assert stopped.over and not stopped.samples[240:].any(), 'at most 10 ms more'
        mouth.robot.wait(lambda count=number: mouth.node.mouth.counts.interrupted == count,
                         'it is counted')
        if next_text:
            mouth.wait_for_text(next_text)
            mouth.play_out()
        mouth.robot.wait(lambda: not mouth.node.mouth.busy, 'nothing more is said')


def test_a_stop_that_was_overheard_ends_speech_unless_the_robot_says_it(mouth):
    mouth.tell('speech/say', data='The bus does not stop here.')
    mouth.wait_for_text('The bus does not stop here.')
    mouth.hand.step(10)
    mouth.tell('speech/overheard', data='The bus does stop here')
    mouth.tell('speech/overheard', data='The bus be quiet')
    mouth.robot.wait(lambda: mouth.node.mouth.counts.interrupted or mouth.hand.playback._fading,
                     'it is silent')
    mouth.hand.step(2)
    mouth.robot.wait(lambda: mouth.node.mouth.counts.interrupted == 1, 'it is counted')
    assert "'be quiet'" in mouth.node._newest_loss


def test_one_stop_that_is_read_twice_ends_one_text():
    words = WordWatch(AssistantConfig())

    def ends(now_s, text='glass, stop', mode='words'):
        return words.why_silent_for_overheard(text, mode, said='A glass.', now_s=now_s)
    assert not ends(1.0, mode='off') and not ends(1.0, text='glass')
    assert ends(1.0) and not ends(1.5) and not ends(3.5) and ends(6.0)


SIGNS = [('transcript', {'text': 'What about'}, 0.25), ('speech/overheard', {'data': 'Hm'}, 0.25),
         ('speech/overheard', {'data': 'bus does not'}, 1.0),
         ('transcript', {'text': 'It is late.', 'is_final': True}, 1.0)]


@pytest.mark.parametrize(('topic', 'fields', 'loudness'), SIGNS)
def test_it_speaks_softer_while_somebody_else_does(robot, topic, fields, loudness):
    mouth = Mouth(robot, {'speech.duck_db': 12.04})
    text = 'The bus does not stop here, and it goes on like this for a while.'
    mouth.tell('speech/say', data=text)
    mouth.wait_for_text(text)
    mouth.tell(topic, **fields)
    mouth.tell('speech/say', data='That came.')
    mouth.robot.wait(lambda: len(mouth.node.mouth.queue), 'all was heard')
    mouth.hand.step(20)
    tone = play_tone(text)
    assert mouth.hand.blocks[-1].samples == pytest.approx(
        loudness * tone[19 * BLOCK:20 * BLOCK], abs=1e-4)


def test_what_is_critical_is_said_as_loud_as_ever(robot):
    mouth = Mouth(robot, {'speech.duck_db': 12.0})
    text = 'There is smoke in the kitchen, and it is getting more and more.'
    mouth.tell('alerts', id='1', label='smoke', message=text, state=0, severity=3)
    mouth.wait_for_text(text)
    mouth.tell('speech/overheard', data='What is it')
    mouth.tell('speech/say', data='That came.')
    mouth.robot.wait(lambda: len(mouth.node.mouth.queue), 'all was heard')
    mouth.hand.step(20)
    assert mouth.hand.blocks[-1].samples == pytest.approx(
        play_tone(text)[19 * BLOCK:20 * BLOCK])


def test_which_words_end_speech_can_be_chosen():
    words = WordWatch(AssistantConfig())
    for text, ends in (('Stop!', 'words any'), ('robot, be quiet please', 'words any'),
                       ('the kitchen is clean', 'any'), ('do not stop', 'any'), (' ', '')):
        for mode in ('off', 'words', 'any'):
            assert bool(words.why_silent(text, mode)) == (mode in ends.split()), (text, mode)
    order = Reply(intent='stop', is_final=True)
    assert words.why_silent_for_reply(order, 'words') and not words.why_silent_for_reply(
        order, 'off')


def test_alerts_are_said_once_critical_ones_first(mouth):
    alert = {'state': Alert.ACTIVE, 'severity': Alert.ERROR}
    for number in range(3):  # the same alert, seen again and again
        mouth.tell('alerts', id='1', label='glass', message='Glass broke.', count=number, **alert)
    mouth.wait_for_text('Glass broke.')
    mouth.tell('alerts', id='2', label='dog', message='A dog.', state=0, severity=Alert.INFO)
    mouth.tell('alerts', id='3', label='glass', message='Glass broke.', **alert)  # a new one
    mouth.tell('reply', text='Glass broke.', is_final=True)
    mouth.tell('reply', text='Here you are.', is_final=True)
    mouth.tell('reply', text='Half a rep', is_final=False)
    mouth.tell('alerts', id='4', label='smoke', message='Smoke!', state=0, severity=3)
    mouth.robot.wait(lambda: mouth.node.mouth.queue.dropped == 2
                     and len(mouth.node.mouth.queue) == 2, 'all came')
    for text in ('Smoke!', 'Here you are.'):
        mouth.play_out()
        mouth.wait_for_text(text)
    mouth.play_out()
    assert [m.data for m in mouth.saying if m.data] == ['Glass broke.', 'Smoke!', 'Here you are.']


def test_what_does_not_fit_the_queue_is_dropped_and_said(robot):
    mouth = Mouth(robot, {'speech.queue': 1, 'speech.says': ''})
    mouth.tell('reply', text='Here you are.', is_final=True)  # nobody asked for it
    mouth.tell('alerts', id='1', label='smoke', message='Smoke!', state=0, severity=3)
    for text in ('one', 'two', 'three'):
        mouth.tell('speech/say', data=text)
    mouth.robot.wait(lambda: mouth.node.mouth.queue.dropped == 1, 'one is dropped')
    report = mouth.node._make_report()
    assert "'three' after 0%: 1 texts wait already" in report.values['newest_loss']
    answer = mouth.robot.call(Trigger, 'speech/stop')
    assert answer.success
    mouth.play_out()
    assert not mouth.node.mouth.busy
    assert not mouth.robot.call(Trigger, 'speech/stop').success
    assert [message.data for message in mouth.saying if message.data] == ['one']


class Client:
    """Asks for texts by the action."""

    def __init__(self, mouth):
        self.robot, self.heard = mouth.robot, []
        self.client = ActionClient(mouth.robot.watcher, Say, 'say')
        self.robot.wait(self.client.server_is_ready, 'the action is offered')

    def goal(self, text, **fields):
        sent = self.client.send_goal_async(Say.Goal(text=text, **fields), lambda message:
                                           self.heard.append(message.feedback.spoken))
        self.robot.wait(sent.done, 'the goal is answered')
        return sent.result()

    def result(self, goal):
        asked = goal.get_result_async()
        self.robot.wait(asked.done, 'the goal ends')
        return asked.result().status, asked.result().result


def test_the_action_says_what_became_of_a_text(mouth):
    client = Client(mouth)
    goal = client.goal('Say this.', priority=Say.Goal.HIGH)
    mouth.wait_for_text('Say this.')
    mouth.hand.step(15)
    mouth.robot.wait(lambda: client.heard and client.heard[-1] > 0.2, 'feedback')
    mouth.play_out()
    status, result = client.result(goal)
    assert status == GoalStatus.STATUS_SUCCEEDED
    assert result.success and result.spoken == 1.0 and result.message == ''
    assert client.heard == sorted(client.heard)
    assert not client.goal('  ').accepted
    cancelled, waiting = client.goal('Cancel this.'), client.goal('This one waits.')
    foreign = client.goal('Bonjour', language='fr')
    mouth.wait_for_text('Cancel this.')
    mouth.hand.step(10)
    asked = cancelled.cancel_goal_async()
    mouth.robot.wait(asked.done, 'the cancel is taken')
    mouth.robot.wait(lambda: mouth.hand.playback._fading, 'it stops')
    mouth.play_out()
    status, result = client.result(cancelled)
    assert status == GoalStatus.STATUS_CANCELED and 0.1 < result.spoken < 0.9
    mouth.wait_for_text('This one waits.')
    mouth.tell('transcript', text='stop')
    mouth.robot.wait(lambda: mouth.hand.playback._fading, 'it stops')
    mouth.play_out()
    status, result = client.result(waiting)
    assert status == GoalStatus.STATUS_ABORTED and not result.success
    assert result.message == "somebody said 'stop'"
    assert client.result(foreign)[1].message == "somebody said 'stop'", 'it waited'
    goal = client.goal('Bonjour', language='fr')
    mouth.robot.wait(lambda: mouth.hand.playback._complete, 'no engine speaks it')
    mouth.play_out()
    assert "expected an engine that speaks 'fr'" in client.result(goal)[1].message
    client.client.destroy()


def test_without_a_loudspeaker_it_says_what_to_do_and_comes_back(robot):
    missing = [True]

    def open_speaker(device, rate_hz):
        if missing:
            raise AudioFormatError('no loudspeaker; plug one in')
        return mouth.hand
    mouth = Mouth(robot, open_speaker=open_speaker)
    assert mouth.node._make_report().messages == ['no loudspeaker; plug one in']
    mouth.tell('speech/say', data='Nobody hears this.')
    mouth.robot.wait(lambda: mouth.node.mouth.counts.failed == 1, 'it is refused')
    missing.clear()
    mouth.robot.wait(lambda: not mouth.node.mouth.problem, 'it is opened again')
    mouth.tell('speech/say', data='Now.')
    mouth.wait_for_text('Now.')
    mouth.hand.is_alive = False
    mouth.robot.wait(lambda: mouth.node.mouth.counts.interrupted == 1, 'the device went away')


def test_a_deactivated_node_is_silent_and_an_engine_that_is_missing_is_named(robot):
    def refuse(settings):
        raise MissingDependencyError('hibari: run pip install')
    node = robot.add(SpeechNode(load=refuse, open_speaker=lambda *_: Hand(), **robot.options()))
    node.autostart()
    robot.wait(lambda: 'run pip install' in node.failure, 'the reason')
    mouth = Mouth(robot)
    mouth.tell('speech/say', data='A long text to be ended.')
    mouth.wait_for_text('A long text to be ended.')
    mouth.hand.step(3)
    mouth.robot.wait(lambda: mouth.flags and mouth.flags[-1].data, 'it speaks')
    mouth.node.trigger_deactivate()
    mouth.robot.wait(lambda: not mouth.flags[-1].data, 'robot_speaking is false')
    assert mouth.node.mouth.counts.interrupted == 1


def test_without_a_device_blocks_come_at_their_pace_and_stamps_follow_one_another(robot):
    # no hand here: the thread of the loudspeaker takes the blocks
    mouth = Mouth(robot, open_speaker=lambda device, rate_hz: PacedLoudspeaker(rate_hz))
    mouth.tell('speech/say', data='Hi.')
    mouth.robot.wait(lambda: mouth.node.mouth.counts.said == 1, 'said')
    mouth.robot.wait(lambda: mouth.saying and mouth.saying[-1].data == '', 'told')
    stamps = [m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for m in mouth.reference]
    assert stamps == sorted(stamps)
    heard = samples_of(mouth.reference)
    assert np.count_nonzero(heard) > 0.9 * len(play_tone('Hi.'))
