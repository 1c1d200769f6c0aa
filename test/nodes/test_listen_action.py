"""The action ``listen``: one transcript per goal, and every way in which a goal ends."""

import signal
import threading
import time

import pytest
from action_msgs.msg import GoalStatus
from builtin_interfaces.msg import Duration
from rclpy.action import ActionClient

from audio_interaction_msgs.action import Listen
from audio_interaction_msgs.msg import Transcript
from audio_interaction_ros.nodes.decoding import listen_action
from audio_interaction_ros.nodes.decoding.listen_action import same_language
from audio_interaction_ros.nodes.lifecycle import qos

pytestmark = pytest.mark.ros


class Listener:
    """A decoder node, a client of its action, and somebody who publishes transcripts."""

    def __init__(self, robot, **options):
        self.robot = robot
        self.decoder = robot.decoder(**options)
        self.client = ActionClient(robot.watcher, Listen, 'listen')
        self.transcripts = robot.watcher.create_publisher(Transcript, 'transcript', qos.EVENTS)
        robot.wait(self.client.server_is_ready, 'the action is offered')
        robot.wait(lambda: self.transcripts.get_subscription_count() > 0, 'it hears transcripts')
        self.feedback = []

    def goal(self, **fields):
        sent = self.client.send_goal_async(
            Listen.Goal(**fields), lambda message: self.feedback.append(
                message.feedback.transcript.text))
        self.robot.wait(sent.done, 'the goal is answered')
        return sent.result()

    def result(self, goal):
        asked = goal.get_result_async()
        self.robot.wait(asked.done, 'the goal ends')
        return asked.result().status, asked.result().result

    def say(self, text, *, final=True, language=''):
        self.transcripts.publish(Transcript(text=text, is_final=final, language=language))


@pytest.fixture
def listener(robot):
    made = Listener(robot)
    robot.wait(lambda: made.decoder.ready, 'ready')
    yield made
    made.client.destroy()


def test_a_goal_brings_the_next_final_transcript(listener):
    goals = [listener.goal(), listener.goal()]
    listener.say('hello', final=False)
    listener.robot.wait(lambda: listener.feedback.count('hello') == 2, 'feedback')
    listener.say('')  # a final without words is not what anybody waits for
    listener.say('hello there')
    for goal in goals:
        status, result = listener.result(goal)
        assert status == GoalStatus.STATUS_SUCCEEDED
        assert result.success and result.transcript.text == 'hello there'


def test_a_goal_waits_for_its_language(listener):
    german, anything = listener.goal(language='de'), listener.goal()
    listener.say('good morning', language='en-GB')
    assert listener.result(anything)[1].transcript.text == 'good morning'
    listener.say('guten Morgen', language='de-AT')
    assert listener.result(german)[1].transcript.text == 'guten Morgen'


def test_a_goal_ends_after_max_duration(listener):
    goal = listener.goal(max_duration=Duration(nanosec=100_000_000))
    status, result = listener.result(goal)
    assert status == GoalStatus.STATUS_ABORTED
    assert not result.success and 'max_duration' in result.message


def test_a_goal_can_be_cancelled_and_others_go_on(listener):
    cancelled, other = listener.goal(), listener.goal()
    answer = cancelled.cancel_goal_async()
    listener.robot.wait(answer.done, 'the cancelling is answered')
    assert listener.result(cancelled)[0] == GoalStatus.STATUS_CANCELED
    listener.say('still here')
    assert listener.result(other)[1].transcript.text == 'still here'


def test_deactivation_ends_goals_and_refuses_new_ones(listener):
    goal = listener.goal()
    listener.decoder.trigger_deactivate()
    status, result = listener.result(goal)
    assert status == GoalStatus.STATUS_ABORTED and 'deactivated' in result.message
    assert not listener.goal().accepted
    listener.decoder.trigger_activate()
    assert listener.goal().accepted


def test_a_process_that_is_told_to_end_ends_its_goals_with_a_reason(robot, capfd):
    process = robot.process('decoder_node')
    client = ActionClient(robot.watcher, Listen, 'listen')
    robot.wait(client.server_is_ready, 'the action is offered')
    goals = []

    def accepted():
        sent = client.send_goal_async(Listen.Goal())
        robot.wait(sent.done, 'the goal is answered')
        goals.append(sent.result())
        return goals[-1].accepted
    robot.wait(accepted, 'a goal is accepted')
    asked = goals[-1].get_result_async()
    time.sleep(0.5)  # the request for the result arrives
    process.send_signal(signal.SIGTERM)
    robot.wait(asked.done, 'the goal ends')
    assert asked.result().status == GoalStatus.STATUS_ABORTED
    assert asked.result().result.message == 'the node ends'
    assert process.wait(timeout=30) == 0
    said = capfd.readouterr().err
    assert 'never awaited' not in said and 'Traceback' not in said
    client.destroy()


def test_goals_are_refused_while_the_model_is_being_loaded(robot, capfd):
    go_on = threading.Event()

    def slow(_model):
        assert go_on.wait(60)
        return robot.scripted(script={})()
    listener = Listener(robot, runtime=slow)
    assert listener.decoder.active and not listener.goal().accepted
    assert 'refused: the model is being loaded' in capfd.readouterr().err
    go_on.set()
    robot.wait(lambda: listener.decoder.ready, 'ready')
    assert listener.goal().accepted
    listener.client.destroy()


def test_goals_beyond_a_limit_are_refused(listener, monkeypatch):
    monkeypatch.setattr(listen_action, '_MOST_GOALS', 2)
    goals = [listener.goal() for _ in range(3)]
    assert [goal.accepted for goal in goals] == [True, True, False]
    listener.say('hello')
    for goal in goals[:2]:
        assert listener.result(goal)[1].success
    assert listener.goal().accepted


def test_a_cleanup_while_goals_wait_ends_them_without_a_traceback(listener, capfd):
    for _ in range(3):
        listener.robot.wait(lambda: listener.decoder.ready, 'ready')
        goals = [listener.goal() for _ in range(4)]
        assert all(goal.accepted for goal in goals)
        listener.say('hal', final=False)
        listener.decoder.trigger_deactivate()
        listener.decoder.trigger_cleanup()
        for goal in goals:
            status, result = listener.result(goal)
            assert status == GoalStatus.STATUS_ABORTED and 'deactivated' in result.message
        assert not listener.goal().accepted
        listener.decoder.autostart()
    assert 'Traceback' not in capfd.readouterr().err


@pytest.mark.parametrize(('wanted', 'found', 'same'), [
    ('', 'en', True), ('en', '', True), ('en', 'en-GB', True), ('EN', 'en', True),
    ('en-GB', 'en-US', False), ('de', 'en', False), ('e', 'en', False)])
def test_languages_are_compared_by_tag(wanted, found, same):
    assert same_language(wanted, found) is same
