"""The behaviour trees of the examples, on real nodes with a scripted model."""

import sys
from pathlib import Path

import pytest

pytest.importorskip('py_trees', reason='py_trees is not installed')
pytest.importorskip('geometry_msgs.msg', reason='geometry_msgs is not installed')

import py_trees
from geometry_msgs.msg import Twist
from rclpy.node import Node
from std_msgs.msg import Bool, Empty, String

from audio_interaction_msgs.action import Say
from audio_interaction_msgs.msg import Reply
from audio_interaction_ros.nodes.lifecycle import qos

EXAMPLES = Path(__file__).parents[2] / 'examples' / 'behaviour_trees' / 'python'
pytestmark = pytest.mark.ros


class Tree:
    """A tree of the examples, ticked by hand from its node's own executor."""

    def __init__(self, robot, module, monkeypatch):
        monkeypatch.syspath_prepend(str(EXAMPLES))
        for name in ('ears', module):
            sys.modules.pop(name, None)
        self.module = __import__(module)
        self.ears_module = sys.modules['ears']
        self.robot = robot
        self.node = robot.add(Node('tree', **{
            key: value for key, value in robot.options().items() if key != 'parameter_overrides'}))
        self.ears = self.ears_module.Ears(self.node)
        self.tree = py_trees.trees.BehaviourTree(self.module.make_tree(self.ears))
        self.ticks = 0
        self.node.create_timer(0.02, self._tick)

    def _tick(self):
        self.tree.tick()
        self.ticks += 1

    def status(self, name):
        return next(node.status.value for node in self.tree.root.iterate() if node.name == name)

    def until_listening(self):
        """Wait until the action has taken a goal: what is said before that is for nobody."""
        leaf = next(node for node in self.tree.root.iterate() if node.name == 'listen')
        self.robot.wait(lambda: leaf.status.value == 'RUNNING' and leaf.asked is not None,
                        'it listens')

    def until(self, name, status='RUNNING'):
        self.robot.wait(lambda: self.status(name) == status, f'{name} is {status}')


@pytest.fixture
def plant(robot, monkeypatch):
    """Return a function that makes the tree of an example."""
    yield lambda module: Tree(robot, module, monkeypatch)
    for name in ('ears', 'stop_and_ask', 'follow_intent'):
        sys.modules.pop(name, None)


def test_it_stops_on_an_alarm_asks_acknowledges_and_goes_on(robot, plant):
    voice = robot.voice()
    wheels = robot.watch(Twist, 'cmd_vel', 10)
    hold = robot.watch(Bool, 'alerts/hold', qos.FLAG)
    tree = plant('stop_and_ask')
    tree.until('wait')  # nobody hears yet: it stands
    script = {2: {1: 'A smoke alarm is sounding.'},
              0: {3: 'No there is smoke', 5: 'Yes it is okay'}}
    runtime = robot.scripted(script=script)
    encoder, microphone = robot.encoder(runtime=runtime), robot.microphone()
    decoder = robot.decoder(runtime=runtime)
    robot.wait(lambda: decoder.ready and encoder.ready, 'ready')
    tree.until('patrol')
    robot.wait(lambda: wheels[-1].linear.x > 0, 'it drives')
    robot.tell(microphone, encoder, 3)
    tree.until_listening()
    robot.wait(lambda: wheels[-1].linear.x == 0, 'it stands')
    assert voice[0] == (
        'A smoke alarm is sounding. I have stopped. Is everything all right?', Say.Goal.HIGH)
    robot.tell(microphone, encoder, 2)  # no: it asks again
    robot.wait(lambda: len(voice) == 2, 'asked again')
    assert tree.ears.answer == 'No there is smoke'
    assert wheels[-1].linear.x == 0
    tree.until_listening()
    robot.tell(microphone, encoder, 2)
    tree.until('patrol')
    robot.wait(lambda: wheels[-1].linear.x > 0 and not hold[-1].data, 'it drives again')
    assert tree.ears.answer == 'Yes it is okay'


def order(intent, **slots):
    return Reply(is_final=True, intent=intent, slot_names=list(slots),
                 slot_values=list(slots.values()))


def test_it_does_what_is_wanted_and_stops_at_once(robot, plant):
    voice, goals = robot.voice(), robot.watch(String, 'task/goal', 10)
    tree = plant('follow_intent')
    replies = robot.watcher.create_publisher(Reply, 'reply', qos.EVENTS)
    done = robot.watcher.create_publisher(Empty, 'task/done', 10)
    robot.wait(lambda: replies.get_subscription_count() and done.get_subscription_count(), 'met')
    replies.publish(order('go', place='kitchen'))
    tree.until('task')
    robot.wait(lambda: [goal.data for goal in goals] == ['go place=kitchen'], 'it goes')
    done.publish(Empty())
    robot.wait(lambda: voice == [('Done.', Say.Goal.NORMAL)], 'it says so')
    replies.publish(order('bring', object='cup', place='table'))
    tree.until('task')
    replies.publish(order('stop'))
    robot.wait(lambda: len(voice) == 2, 'it says that it stopped')
    assert voice[1] == ('I have stopped.', Say.Goal.HIGH)
    assert [goal.data for goal in goals][1:] == ['bring object=cup place=table', 'stop']
    tree.until('wait')


def test_without_a_voice_and_a_decoder_leaves_fail_in_time(robot, plant, monkeypatch):
    tree = plant('stop_and_ask')
    monkeypatch.setattr(tree.ears_module, 'ANSWERED_S', 0.05)
    for leaf in (tree.ears_module.SayText(tree.ears, lambda: 'hello'),
                 tree.ears_module.HearAnswer(tree.ears, 1.0),
                 tree.ears_module.Acknowledge(tree.ears, 'me')):
        def over(leaf=leaf):
            leaf.tick_once()
            return leaf.status.value == 'FAILURE'
        robot.wait(over, f'{leaf.name} fails')
