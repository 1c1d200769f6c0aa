"""
Encoded chunks on their way out: the queue, its topics, and who takes what is in it.

Owns what the node counts and says of the queue to the decoder. Used with the node's lock held,
like all else of the node, so the queue needs none of its own. Knows nothing of audio.
"""

import time
from collections.abc import Iterable
from typing import Any

from audio_interaction_msgs.msg import EncodedChunk as EncodedChunkMessage
from audio_interaction_msgs.msg import FifoCredit
from audio_interaction_ros.nodes.encoding.input_report import RecentGrowth
from audio_interaction_ros.nodes.io.chunk_messages import chunk_message
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import WARN, StatusReport
from audio_interaction_ros.nodes.lifecycle.endpoints import name_several
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.stream.chunk import EncodedChunk
from audio_interaction_ros.stream.outbound import OutboundFifo

__all__ = ['ChunkOutlet']

_CONSUMER_S = 1.0  # credit comes at 2 Hz at least


class ChunkOutlet:
    """The way out of one encoder node, for one configuration of it."""

    def __init__(self, *, node: ManagedNode, fifo: OutboundFifo, group: Any) -> None:
        """Create the topics; ``fifo`` is the queue, which may go on from before."""
        self._node, self.fifo = node, fifo
        self._recent_drops = RecentGrowth()
        self._consumers: dict[str, float] = {}  # who gave credit lately, and when
        self.decoder_seen = False
        """True when the last look found that somebody takes chunks."""
        self._encoded = node.managed_publisher(
            EncodedChunkMessage, 'encoded', qos.encoded_profile(fifo.settings.capacity))
        node.managed_subscription(FifoCredit, 'encoded/credit', self._on_credit, qos.CREDIT,
                                  always=True, callback_group=group)
        self.frame_id = ''
        """Where what is heard was recorded."""

    @property
    def empty(self) -> bool:
        """True when every chunk is taken."""
        stats = self.fifo.stats(time.monotonic())
        return not stats.pending and not stats.in_flight

    @property
    def waiting(self) -> int:
        """Chunks that are not published yet."""
        return self.fifo.stats(time.monotonic()).pending

    def offer(self, chunks: Iterable[EncodedChunk]) -> None:
        """Queue chunks and publish what may go."""
        for chunk in chunks:
            self.fifo.offer(chunk, time.monotonic())
        self.publish()

    def publish(self, *, ending: bool = False) -> None:
        """Publish what may go; where the node is not active only at its ``ending``."""
        if not (self._node.active or ending) or not self._encoded.get_subscription_count():
            return
        for chunk in self.fifo.take_publishable(time.monotonic()):
            self._encoded.publish(chunk_message(chunk, frame_id=self.frame_id))

    def look(self) -> None:
        """Look whether the decoder is there, and publish what may go."""
        present = self.fifo.decoder_present(time.monotonic())
        if self.decoder_seen and not present:
            settings = self.fifo.settings
            self._node.get_logger().warning(
                f'no credit for {settings.credit_timeout_s} s: the decoder is busy or gone; '
                f'keeping the newest {settings.capacity} chunks')
        self.decoder_seen = present
        self.publish()

    def _on_credit(self, message: Any) -> None:
        now, consumer = time.monotonic(), message.header.frame_id
        self._consumers = {
            **{name: at for name, at in self._consumers.items() if now - at < _CONSUMER_S},
            consumer: now}
        self.fifo.on_credit(message.epoch, message.consumed_seq - 1, now, consumer=consumer)
        self.publish()

    def report(self) -> StatusReport:
        """Return what diagnostics say of the queue."""
        report, node, now = StatusReport(), self._node, time.monotonic()
        stats = self.fifo.stats(now)
        report.values.update(vars(stats), capacity=self.fifo.settings.capacity)
        if node.active and not stats.decoder_present:
            report.add(WARN, 'no credit within fifo.credit_timeout_s: no decoder, or one '
                             'that is busy')
        dropped = self._recent_drops.growth(now, {'dropped': stats.dropped})
        if dropped['dropped']:
            report.add(WARN, f'{dropped["dropped"]:.0f} chunks dropped in the last 10 s: the '
                             f'decoder is too slow or was away')
        live = [name for name, at in self._consumers.items() if now - at < _CONSUMER_S]
        for topic, what, wanted in (('encoded', 'encoder', True),
                                    ('encoded/credit', 'decoder', len(live) > 1)):
            crowd = name_several(node.get_publishers_info_by_topic(node.resolve_topic_name(topic)))
            if crowd and wanted:
                report.add(WARN, f'more than one {what} in this namespace: {crowd} (one that was '
                                 f'killed is listed for a while); stop all but one, or give each '
                                 f'pair a namespace of its own')
        return report
