"""
Credit on its way out: how many chunks a decoder node can take, for whoever encodes them.

Owns the topic, and when it is renewed. How far decoding has come says the worker's Progress.
"""

import time
import uuid

from rclpy.callback_groups import CallbackGroup

from audio_interaction_msgs.msg import FifoCredit
from audio_interaction_ros.nodes.decoding.decoder_task import Progress
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode

__all__ = ['CreditOutlet']

_PERIOD_S = 0.25
_FRESH_S = 0.2  # with the period less than any fifo.credit_timeout_s


class CreditOutlet:
    """The credit of one decoder node, for one configuration of it."""

    def __init__(self, *, node: ManagedNode, capacity: int, group: CallbackGroup) -> None:
        """Create the topic; ``capacity`` is that of the queue, in chunks."""
        self._node, self._capacity = node, capacity
        self._progress: Progress | None = None
        self._consumer, self._published_at = '', float('-inf')
        self._publisher = node.managed_publisher(FifoCredit, 'encoded/credit', qos.CREDIT)
        node.managed_timer(_PERIOD_S, self._renew, callback_group=group)

    def begin(self) -> None:
        """Speak as a new consumer: what was sent before is not coming back."""
        self._consumer = uuid.uuid4().hex[:12]

    def publish(self, progress: Progress) -> None:
        """Publish how far decoding has come; before the first call there is no credit."""
        self._progress = progress
        if not self._node.active:
            return
        message = FifoCredit(
            epoch=progress.epoch, consumed_seq=progress.consumed, capacity=self._capacity,
            depth=progress.depth, oldest_age_s=progress.oldest_age_s)
        message.header.stamp = self._node.get_clock().now().to_msg()
        message.header.frame_id = self._consumer
        self._publisher.publish(message)
        self._published_at = time.monotonic()

    def _renew(self) -> None:
        """Publish credit once more where none was published lately."""
        if self._progress is not None and time.monotonic() - self._published_at > _FRESH_S:
            self.publish(self._progress)
