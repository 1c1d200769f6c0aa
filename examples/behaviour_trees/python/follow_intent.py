"""
Do what somebody said: go somewhere, bring something, and stop at once.

``python3 follow_intent.py --ros-args -r __ns:=/audio_interaction``. What is wanted comes in fields
(``Reply.intent`` and its slots, docs/intents.md); the sentence is for people only. ``Task`` stands
for your robot's own action: it publishes the goal as a string and is done when told so.
"""

import py_trees
from ears import Ears, IntentHeard, SayText, spin_tree
from py_trees.common import Status
from std_msgs.msg import Empty, String

from audio_interaction_msgs.action import Say
from audio_interaction_msgs.msg import Reply

STOPS = ('stop',)
TASKS = ('go', 'bring', 'find', 'charge')


class Task(py_trees.behaviour.Behaviour):
    """Works on what was asked for; RUNNING until ``task/done`` comes, 'stop' when interrupted."""

    def __init__(self, ears: Ears) -> None:
        super().__init__('task')
        self.goals = ears.node.create_publisher(String, 'task/goal', 10)
        ears.node.create_subscription(Empty, 'task/done', self._on_done, 10)
        self.wanted = ''
        self.done = False

    def take(self, reply: Reply) -> None:
        """Take what somebody wants as the next task."""
        slots = dict(zip(reply.slot_names, reply.slot_values, strict=True))
        self.wanted = ' '.join([reply.intent, *(f'{name}={value}' for name, value
                                                in sorted(slots.items()))])

    def initialise(self) -> None:
        """Begin the task."""
        self.done = False
        self.goals.publish(String(data=self.wanted))

    def update(self) -> Status:
        """Look whether it is done."""
        return Status.SUCCESS if self.done else Status.RUNNING

    def terminate(self, new_status: Status) -> None:
        """Call the task off where something more urgent came."""
        if new_status == Status.INVALID and self.status == Status.RUNNING:
            self.goals.publish(String(data='stop'))

    def _on_done(self, _message: Empty) -> None:
        self.done = True


def make_tree(ears: Ears) -> py_trees.behaviour.Behaviour:
    """Return the tree: a stop before all else, then one task after the other."""
    task = Task(ears)
    stop = py_trees.composites.Sequence('stop', memory=True)
    stop.add_children([IntentHeard(ears, STOPS, lambda _reply: ears.intents.clear()),
                       _say(ears, 'I have stopped.', Say.Goal.HIGH)])
    work = py_trees.composites.Sequence('work', memory=True)
    work.add_children([IntentHeard(ears, TASKS, task.take), task,
                       _say(ears, 'Done.', Say.Goal.NORMAL)])
    root = py_trees.composites.Selector('robot', memory=False)
    root.add_children([stop, work, py_trees.behaviours.Running('wait')])
    return root


def _say(ears: Ears, text: str, priority: int) -> py_trees.behaviour.Behaviour:
    """Return what says a text where the robot has a voice."""
    return py_trees.decorators.FailureIsSuccess(f'say {text}',
                                                SayText(ears, lambda: text, priority))


if __name__ == '__main__':
    spin_tree('follow_intent', make_tree)
