"""
What happens to a message on its way out: replies pass the gate, transcripts get their bearing.

Owns nothing but that. Whoever publishes calls ``publish`` as on a publisher of ROS.
"""

from typing import Any

from audio_interaction_ros.nodes.decoding.answer_gate import AnswerGate
from audio_interaction_ros.nodes.decoding.direction_input import DirectionInput
from audio_interaction_ros.nodes.io.audio_messages import stamp_ns

__all__ = ['BearingOutlet', 'GatedReplies', 'GatedTexts', 'Outlets']


class BearingOutlet:
    """A publisher of transcripts that says where each came from."""

    def __init__(self, publisher: Any, directions: DirectionInput) -> None:
        """Publish with ``publisher``."""
        self._publisher, self._directions = publisher, directions

    def publish(self, message: Any) -> None:
        """Publish with the bearing of the span that the message has now."""
        message.bearing = self._directions.find_bearing(
            stamp_ns(message.start), stamp_ns(message.end), message.header.frame_id)
        self._publisher.publish(message)


class GatedReplies:
    """A publisher of replies that publishes those which may pass."""

    def __init__(self, publisher: Any, gate: AnswerGate) -> None:
        """Publish with ``publisher``."""
        self._publisher, self._gate = publisher, gate

    def publish(self, message: Any) -> None:
        """Publish, unless answers are muted."""
        if self._gate.lets_pass(message):
            self._publisher.publish(message)


class GatedTexts:
    """A publisher of the texts of replies, each right after its reply."""

    def __init__(self, publisher: Any, gate: AnswerGate) -> None:
        """Publish with ``publisher``."""
        self._publisher, self._gate = publisher, gate

    def publish(self, message: Any) -> None:
        """Publish where the reply was."""
        if self._gate.lets_text_pass():
            self._publisher.publish(message)


class Outlets:
    """What stands before the publishers of a kind of text: transcript, translation or reply."""

    def __init__(self, *, gate: AnswerGate, directions: DirectionInput) -> None:
        """Take the gate and the directions of a decoder node."""
        self._gate, self._directions = gate, directions

    def wrap(self, kind: str, messages: Any, texts: Any) -> tuple[Any, Any]:
        """Return what is to be called instead of the two publishers of a kind."""
        if kind == 'reply':
            return GatedReplies(messages, self._gate), GatedTexts(texts, self._gate)
        if kind == 'transcript':
            return BearingOutlet(messages, self._directions), texts
        return messages, texts
