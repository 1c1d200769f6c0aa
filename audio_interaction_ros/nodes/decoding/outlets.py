"""
The way out of what is said: transcripts, translations and replies, each with its text alone.

Owns these topics. A transcript gets its bearing here, and a reply passes the gate or not; all else
of a message is whose who publishes it.
"""

from typing import Any

from std_msgs.msg import String

from audio_interaction_msgs.msg import Reply, Transcript, Translation
from audio_interaction_ros.nodes.decoding.answer_gate import AnswerGate
from audio_interaction_ros.nodes.decoding.direction_input import DirectionInput
from audio_interaction_ros.nodes.io.stamps import stamp_ns
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode

__all__ = ['Outlets']

_TYPES = {'transcript': Transcript, 'translation': Translation, 'reply': Reply}


class Outlets:
    """The topics of a decoder node on which texts appear."""

    def __init__(self, *, node: ManagedNode, gate: AnswerGate,
                 directions: DirectionInput) -> None:
        """Create the publishers."""
        self._gate, self._directions = gate, directions
        self._messages = {kind: node.managed_publisher(message_type, kind, qos.EVENTS)
                          for kind, message_type in _TYPES.items()}
        self._texts = {kind: node.managed_publisher(String, f'{kind}/text', qos.FINAL_TEXT)
                       for kind in _TYPES}

    def publish(self, kind: str, message: Any) -> None:
        """Publish a transcript, translation or reply; a final that says something as text, too."""
        if kind == 'reply' and not self._gate.lets_pass(message):
            return
        if kind == 'transcript':
            message.bearing = self._directions.find_bearing(
                stamp_ns(message.start), stamp_ns(message.end), message.header.frame_id)
        self._messages[kind].publish(message)
        if message.is_final and message.text:
            self._texts[kind].publish(String(data=message.text))
