"""
The outputs of safety events as topics and service calls.

Owns publishers, clients and what they are told; when that is, is the machine's matter. In a dry
run nothing is made and nobody is told.
"""

import time
from collections.abc import Callable, Mapping
from typing import Any

from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy
from std_msgs.msg import Bool, Empty
from std_srvs.srv import Trigger

from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.steady_timer import steady_timer
from audio_interaction_ros.safety_events.rules_file import Output

__all__ = ['Outputs', 'TriggerCalls']

_FLAG = QoSProfile(history=HistoryPolicy.KEEP_LAST, depth=1,
                   reliability=ReliabilityPolicy.RELIABLE,
                   durability=DurabilityPolicy.TRANSIENT_LOCAL)
"""Late comers get the newest value; who asks for less gets it too."""
_POLL_S = 0.1


class TriggerCalls:
    """
    The calls of one service, one at a time.

    What comes while a call is under way is one more call after it, however often it came. ``tell``
    takes (event, fields) of a call that ended or could not be made.
    """

    def __init__(self, node: Node, output: Output, tell: Callable[..., None]) -> None:
        """Create the client; the service need not be there yet."""
        self._client = node.create_client(Trigger, output.service)
        self._service, self._timeout_s, self._tell = output.service, output.timeout_s, tell
        self._wanted_at: float | None = None
        self._again = False
        self._future: Any = None
        self.failure = ''
        self.called = self.failed = 0
        steady_timer(node, _POLL_S, self.poll)

    def call(self) -> None:
        """Ask for a call; returns at once."""
        if self._wanted_at is not None:
            self._again = True
            return
        self._wanted_at = time.monotonic()
        self.poll()

    def poll(self) -> None:
        """Go on with the call that is under way."""
        if self._wanted_at is None:
            return
        if self._future is None and self._client.service_is_ready():
            self._future = self._client.call_async(Trigger.Request())
        if self._future is not None and self._future.done():
            self._conclude(self._future)
        elif time.monotonic() - self._wanted_at > self._timeout_s:
            if self._future is not None:
                self._client.remove_pending_request(self._future)
            self._end('no answer' if self._future is not None else 'no such service')

    def _conclude(self, future: Any) -> None:
        answer = future.result() if future.exception() is None else None
        if answer is None:
            self._end(f'failed: {future.exception()!r}')
        else:
            self._end('' if answer.success else f'refused: {answer.message}')

    def _end(self, failure: str) -> None:
        """Note how a call ended, and make the one that was asked for meanwhile."""
        self.called += 1
        self.failed += bool(failure)
        self.failure = f'{self._service}: {failure}' if failure else ''
        self._tell('called', service=self._service, failure=failure)
        self._wanted_at = self._future = None
        again, self._again = self._again, False
        if again:
            self.call()


class Outputs:
    """Everything that is told of a robot."""

    def __init__(self, node: Node, outputs: Mapping[str, Output], *, dry_run: bool,
                 tell: Callable[..., None]) -> None:
        """Create what is published and called; nothing in a dry run."""
        self._node, self._outputs = node, outputs
        self._levels: dict[str, bool] = {}
        self._publishers: dict[str, Any] = {}
        self.calls: dict[str, TriggerCalls] = {}
        for name, output in outputs.items() if not dry_run else ():
            self._make(name, output, tell)

    def _make(self, name: str, output: Output, tell: Callable[..., None]) -> None:
        if output.kind == 'trigger':
            self.calls[name] = TriggerCalls(self._node, output, tell)
        elif output.kind == 'empty':
            self._publishers[name] = self._node.create_publisher(Empty, output.topic,
                                                                 qos.FINAL_TEXT)
        elif output.kind in ('lock', 'bool'):
            self._publishers[name] = self._node.create_publisher(
                Bool, output.topic, qos.FLAG if output.kind == 'lock' else _FLAG)
        if output.kind == 'lock':
            steady_timer(self._node, 1 / output.rate_hz, lambda: self._publish_level(name))

    def set_levels(self, levels: Mapping[str, bool]) -> None:
        """Take what each output that is on or off now is; a change is told at once."""
        for name, level in levels.items():
            changed = self._levels.get(name) != level
            self._levels[name] = level
            if changed:
                self._publish_level(name)

    def happen(self, name: str) -> None:
        """Let something happen on an output, once."""
        if name in self.calls:
            self.calls[name].call()
        elif name in self._publishers:
            self._publishers[name].publish(Empty())

    def _publish_level(self, name: str) -> None:
        # before the first step nothing is known; for a lock silence means locked
        if name in self._publishers and name in self._levels:
            self._publishers[name].publish(Bool(data=self._levels[name]))
