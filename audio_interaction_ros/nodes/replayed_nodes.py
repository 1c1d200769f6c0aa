"""
The nodes of a replay: encoder and decoder to whom the clock says nothing, and who plays to them.

All that they send and receive is counted, so that a replay knows when everything is worked off.
"""

from dataclasses import replace
from typing import Any

from rclpy.node import Node

from audio_interaction_ros.audio.block import AudioBlock
from audio_interaction_ros.nodes.decoder_node import DecoderNode
from audio_interaction_ros.nodes.encoder_node import EncoderNode
from audio_interaction_ros.nodes.lifecycle.turns import Traffic

__all__ = ['STALLED_S', 'Player', 'ReplayedDecoder', 'ReplayedEncoder']

STALLED_S = 300.0
_UNCOUNTED = 'encoded/credit'
"""Only its newest message matters: what credit is still due, the queue itself knows."""


class _Counted:
    """Counts the messages of a node from when it is given where."""

    traffic: Traffic | None = None

    def create_publisher(self, kind: Any, topic: str, *words: Any, **options: Any) -> Any:
        """Create a publisher that is counted."""
        made = super().create_publisher(kind, topic, *words, **options)  # type: ignore[misc]
        return self._count(made, topic)

    def create_lifecycle_publisher(self, kind: Any, topic: str, *words: Any,
                                   **options: Any) -> Any:
        """Create a publisher that is counted while it speaks."""
        made = super().create_lifecycle_publisher(  # type: ignore[misc]
            kind, topic, *words, **options)
        return self._count(made, topic)

    def create_subscription(self, kind: Any, topic: str, callback: Any, *words: Any,
                            **options: Any) -> Any:
        """Create a subscription that is counted."""
        if self.traffic is not None and topic != _UNCOUNTED:
            callback = self.traffic.count_received(
                self.resolve_topic_name(topic), callback)  # type: ignore[attr-defined]
        return super().create_subscription(  # type: ignore[misc]
            kind, topic, callback, *words, **options)

    def _count(self, publisher: Any, topic: str) -> Any:
        if self.traffic is None or topic == _UNCOUNTED:
            return publisher
        return self.traffic.count_sent(publisher)


class ReplayedEncoder(_Counted, EncoderNode):
    """An encoder to whom the times at which a replay comes say nothing."""

    def set_up(self) -> None:
        """Be patient: no audio comes while what came is worked off."""
        super().set_up()
        assert self._input is not None, 'it is made there'
        self._input.be_patient(STALLED_S)
        if self._second_pass is not None:
            self._second_pass.take_time()

    def end(self) -> bool:
        """Make final what nobody answered before the end; False where there is nothing."""
        return self._second_pass is not None and self._second_pass.end()

    @property
    def owes(self) -> bool:
        """True while a chunk is not handed over or not decided on."""
        return self._outlet is None or not self._outlet.empty

    def _on_block(self, block: AudioBlock, frame_id: str) -> bool:
        return super()._on_block(replace(block, arrival_ns=None), frame_id)

    def _tick(self) -> None:
        """Keep what was heard to the end: a slow machine may read it late."""
        self._forget_at = None
        super()._tick()


class ReplayedDecoder(_Counted, DecoderNode):
    """A decoder for whom only audio lets time pass: a slow machine makes nobody wait in vain."""

    def set_up(self) -> None:
        """Be patient: a slow machine makes nobody wait in vain."""
        super().set_up()
        if self.boards.answers is not None:
            self.boards.answers.be_patient()


class Player(_Counted, Node):
    """Plays the recording and hears what comes of it."""
