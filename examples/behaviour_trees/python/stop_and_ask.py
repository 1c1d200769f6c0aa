"""
Stop on a critical alert, ask a person, acknowledge what they allow, go on.

``python3 stop_and_ask.py --ros-args -r __ns:=/audio_interaction`` beside the launch file. The
robot stands too while nothing is known of what is heard. Replace ``Patrol`` by what yours does.
"""

import re
from collections.abc import Callable

import py_trees
from ears import Acknowledge, AlertOpen, Ears, EarsLost, HearAnswer, SayText, spin_tree
from geometry_msgs.msg import Twist
from py_trees.common import Status

from audio_interaction_msgs.action import Say
from audio_interaction_msgs.msg import Alert

ALLOWED = re.compile(r'\b(yes|okay|ok|all right|false alarm|no danger|go on)\b', re.IGNORECASE)
ANSWER_WITHIN_S = 20.0


class Stop(py_trees.behaviour.Behaviour):
    """Tells the wheels to stand, at each tick."""

    def __init__(self, ears: Ears) -> None:
        super().__init__('stop')
        self.wheels = ears.node.create_publisher(Twist, 'cmd_vel', 1)

    def update(self) -> Status:
        """Publish no speed."""
        self.wheels.publish(Twist())
        return Status.SUCCESS


class Patrol(py_trees.behaviour.Behaviour):
    """What the robot does else; here it only drives straight on."""

    def __init__(self, ears: Ears) -> None:
        super().__init__('patrol')
        self.wheels = ears.node.create_publisher(Twist, 'cmd_vel', 1)

    def update(self) -> Status:
        """Publish a slow speed."""
        slow = Twist()
        slow.linear.x = 0.2
        self.wheels.publish(slow)
        return Status.RUNNING


class Allowed(py_trees.behaviour.Behaviour):
    """SUCCESS where the person said that all is well."""

    def __init__(self, ears: Ears) -> None:
        super().__init__('allowed?')
        self.ears = ears

    def update(self) -> Status:
        """Look at the answer."""
        return Status.SUCCESS if ALLOWED.search(self.ears.answer) else Status.FAILURE


def ask(ears: Ears) -> py_trees.behaviour.Behaviour:
    """Return the talk with a person; it fails where nobody allows to go on."""
    def question() -> str:
        heard = [alert.message or alert.label for alert in ears.list_waiting(Alert.CRITICAL)]
        return f'{" ".join(heard)} I have stopped. Is everything all right?'
    talk = py_trees.composites.Sequence('ask', memory=True)
    talk.add_children([
        # a robot without a voice still listens
        py_trees.decorators.FailureIsSuccess(
            'say if you can', SayText(ears, question, Say.Goal.HIGH)),
        HearAnswer(ears, ANSWER_WITHIN_S), Allowed(ears), Acknowledge(ears, 'a person, by voice')])
    return talk


def make_tree(ears: Ears, patrol: Callable[[Ears], py_trees.behaviour.Behaviour] = Patrol
              ) -> py_trees.behaviour.Behaviour:
    """Return the tree; whoever acknowledges, this tree or an operator, lets the robot go on."""
    deaf = py_trees.composites.Sequence('deaf', memory=False)
    deaf.add_children([EarsLost(ears), Stop(ears), py_trees.behaviours.Running('wait')])
    alarm = py_trees.composites.Sequence('alarm', memory=False)
    alarm.add_children([AlertOpen(ears), Stop(ears),
                        # nobody answers, or says no: ask again, and stand meanwhile
                        py_trees.decorators.FailureIsRunning('until allowed', ask(ears))])
    root = py_trees.composites.Selector('robot', memory=False)
    root.add_children([deaf, alarm, patrol(ears)])
    return root


if __name__ == '__main__':
    spin_tree('stop_and_ask', make_tree)
