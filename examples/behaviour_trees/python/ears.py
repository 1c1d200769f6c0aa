"""
What a robot hears, as leaves of a behaviour tree in py_trees.

``Ears`` keeps what came on the topics of the assistant; each leaf below looks at it, or calls a
service or an action, and never waits: it says RUNNING and is ticked again. py_trees_ros is not
needed, so this runs wherever rclpy does.
"""

import time
from collections.abc import Callable, Sequence

import py_trees
import rclpy
from builtin_interfaces.msg import Duration
from py_trees.common import Status
from rclpy.action import ActionClient
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from audio_interaction_msgs.action import Listen, Say
from audio_interaction_msgs.msg import Alert, AlertArray, Reply, SoundEvent
from audio_interaction_msgs.srv import AcknowledgeAlert

__all__ = ['Acknowledge', 'AlertOpen', 'Ears', 'EarsLost', 'HearAnswer', 'IntentHeard',
           'SayText', 'SoundHeard', 'spin_tree']

SILENT_S = 3.0
"""``alerts/active`` comes twice a second; without it for so long the ears count as lost."""
ANSWERED_S = 2.0
"""So long a service or an action server may be missing."""


class Ears:
    """What was heard lately; everything relative to the namespace of the node."""

    def __init__(self, node: Node) -> None:
        """Subscribe to the topics of one assistant."""
        self.node = node
        self.alerts: Sequence[Alert] = ()
        self.intents: list[Reply] = []
        """Replies with an intent that no leaf has taken yet, the oldest first."""
        self.sounds: set[str] = set()
        """Sounds that go on."""
        self.answer = ''
        """What was said to the last ``HearAnswer``."""
        self._alerts_at = float('-inf')
        latched = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE,
                             durability=DurabilityPolicy.TRANSIENT_LOCAL)
        node.create_subscription(AlertArray, 'alerts/active', self._on_alerts, latched)
        node.create_subscription(Reply, 'reply', self._on_reply, 50)
        node.create_subscription(SoundEvent, 'sounds', self._on_sound, 50)

    @property
    def lost(self) -> bool:
        """True while nobody says which alerts are open: a decoder that died raises none."""
        return time.monotonic() - self._alerts_at > SILENT_S

    def list_waiting(self, severity: int) -> list[Alert]:
        """Return the alerts of at least this severity that nobody acknowledged."""
        return [alert for alert in self.alerts
                if alert.severity >= severity and alert.state == Alert.ACTIVE]

    def _on_alerts(self, message: AlertArray) -> None:
        self.alerts, self._alerts_at = message.alerts, time.monotonic()

    def _on_reply(self, message: Reply) -> None:
        if message.is_final and message.intent:
            self.intents = [*self.intents[-9:], message]

    def _on_sound(self, message: SoundEvent) -> None:
        change = (self.sounds.add if message.state == SoundEvent.STARTED
                  else self.sounds.discard)
        change(message.sound)


class EarsLost(py_trees.behaviour.Behaviour):
    """SUCCESS while nothing is known of what is heard."""

    def __init__(self, ears: Ears) -> None:
        super().__init__('ears lost?')
        self.ears = ears

    def update(self) -> Status:
        """Look at the time of the newest message."""
        return Status.SUCCESS if self.ears.lost else Status.FAILURE


class AlertOpen(py_trees.behaviour.Behaviour):
    """SUCCESS while an alert of at least this severity waits for a person."""

    def __init__(self, ears: Ears, severity: int = Alert.CRITICAL) -> None:
        super().__init__('alert?')
        self.ears, self.severity = ears, severity

    def update(self) -> Status:
        """Look at the alerts that are open."""
        waiting = self.ears.list_waiting(self.severity)
        self.feedback_message = ', '.join(alert.label for alert in waiting)
        return Status.SUCCESS if waiting else Status.FAILURE


class SoundHeard(py_trees.behaviour.Behaviour):
    """SUCCESS while a sound goes on."""

    def __init__(self, ears: Ears, sound: str) -> None:
        super().__init__(f'{sound}?')
        self.ears, self.sound = ears, sound

    def update(self) -> Status:
        """Look at the sounds that go on."""
        return Status.SUCCESS if self.sound in self.ears.sounds else Status.FAILURE


class IntentHeard(py_trees.behaviour.Behaviour):
    """SUCCESS once for each intent of these names; ``take`` gets the reply that carries it."""

    def __init__(self, ears: Ears, names: Sequence[str], take: Callable[[Reply], object]) -> None:
        super().__init__(f'{" or ".join(names)}?')
        self.ears, self.names, self.take = ears, names, take

    def update(self) -> Status:
        """Take the oldest one."""
        for reply in self.ears.intents:
            if reply.intent in self.names:
                self.ears.intents.remove(reply)
                self.take(reply)
                return Status.SUCCESS
        return Status.FAILURE


class Acknowledge(py_trees.behaviour.Behaviour):
    """Acknowledges every open alert; FAILURE where nobody answers or there is none."""

    def __init__(self, ears: Ears, who: str) -> None:
        super().__init__('acknowledge')
        self.ears, self.who = ears, who
        self.client = ears.node.create_client(AcknowledgeAlert, 'alerts/acknowledge')

    def initialise(self) -> None:
        """Ask, or wait for who is to be asked."""
        self.future, self.since = None, time.monotonic()

    def update(self) -> Status:
        """Look for the answer."""
        if self.future is None and self.client.service_is_ready():
            self.future = self.client.call_async(AcknowledgeAlert.Request(
                id='', operator_name=self.who, response=self.ears.answer))
        if self.future is not None and self.future.done():
            return Status.SUCCESS if self.future.result().success else Status.FAILURE
        late = time.monotonic() - self.since > ANSWERED_S
        return Status.FAILURE if late else Status.RUNNING


class _Action(py_trees.behaviour.Behaviour):
    """A goal of an action; it is cancelled where the tree turns to something else."""

    def __init__(self, name: str, ears: Ears, kind: type, topic: str) -> None:
        super().__init__(name)
        self.ears = ears
        self.client = ActionClient(ears.node, kind, topic)

    def make_goal(self) -> object:
        """Return the goal."""
        raise NotImplementedError

    def conclude(self, result: object) -> Status:
        """Return what a result means."""
        raise NotImplementedError

    def initialise(self) -> None:
        """Begin anew."""
        self.sent = self.asked = None
        self.since = time.monotonic()

    def update(self) -> Status:
        """Go on: send the goal, ask for its result, look at that."""
        if self.sent is None:
            if self.client.server_is_ready():
                self.sent = self.client.send_goal_async(self.make_goal())
            elif time.monotonic() - self.since > ANSWERED_S:
                self.feedback_message = 'nobody offers the action'
                return Status.FAILURE
        elif self.asked is None and self.sent.done():
            if not self.sent.result().accepted:
                self.feedback_message = 'the goal was refused'
                return Status.FAILURE
            self.asked = self.sent.result().get_result_async()
        elif self.asked is not None and self.asked.done():
            return self.conclude(self.asked.result().result)
        return Status.RUNNING

    def terminate(self, new_status: Status) -> None:
        """Cancel a goal that is under way, also one that is accepted only later."""
        if new_status == Status.INVALID and getattr(self, 'sent', None) is not None:
            self.sent.add_done_callback(_cancel)


def _cancel(sent: rclpy.Future) -> None:
    if sent.result() is not None and sent.result().accepted:
        sent.result().cancel_goal_async()


class SayText(_Action):
    """Says a text aloud; SUCCESS when all of it was said."""

    def __init__(self, ears: Ears, text: Callable[[], str], priority: int = Say.Goal.NORMAL
                 ) -> None:
        super().__init__('say', ears, Say, 'say')
        self.text, self.priority = text, priority

    def make_goal(self) -> Say.Goal:
        """Return the text of this moment."""
        return Say.Goal(text=self.text(), priority=self.priority)

    def conclude(self, result: Say.Result) -> Status:
        """Return whether it was said."""
        self.feedback_message = result.message
        return Status.SUCCESS if result.success else Status.FAILURE


class HearAnswer(_Action):
    """Waits for one utterance; SUCCESS when it has words, which ``ears.answer`` then has."""

    def __init__(self, ears: Ears, longest_s: float) -> None:
        super().__init__('listen', ears, Listen, 'listen')
        self.longest_s = longest_s

    def make_goal(self) -> Listen.Goal:
        """Return a goal that gives up in time."""
        whole = int(self.longest_s)
        return Listen.Goal(max_duration=Duration(
            sec=whole, nanosec=int((self.longest_s - whole) * 1e9)))

    def conclude(self, result: Listen.Result) -> Status:
        """Keep what was said."""
        self.ears.answer = result.transcript.text if result.success else ''
        self.feedback_message = self.ears.answer or result.message
        return Status.SUCCESS if result.success else Status.FAILURE


def spin_tree(name: str, make_root: Callable[[Ears], py_trees.behaviour.Behaviour],
              period_s: float = 0.1) -> None:
    """Run a tree in a node of its own until Ctrl-C; prints it when something changed."""
    rclpy.init()
    node = Node(name)
    tree = py_trees.trees.BehaviourTree(make_root(Ears(node)))
    shown = ['']

    def tick() -> None:
        tree.tick()
        picture = py_trees.display.unicode_tree(tree.root, show_status=True)
        if picture != shown[0]:
            shown[0] = picture
            print(picture, flush=True)
    node.create_timer(period_s, tick)
    try:
        rclpy.spin(node)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        tree.interrupt()
        node.destroy_node()
        rclpy.try_shutdown()
