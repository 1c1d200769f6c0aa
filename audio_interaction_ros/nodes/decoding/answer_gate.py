"""
The gate for answers: a topic on which somebody says whether the robot may answer now.

Owns the topic and which replies pass. Transcripts, translations, sounds and alerts do not come by
here. All of it runs with the node's lock held.
"""

from typing import Any

from rclpy.callback_groups import CallbackGroup
from std_msgs.msg import Bool

from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import StatusReport
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode

__all__ = ['AnswerGate']


class AnswerGate:
    """Lets replies pass or not; without a topic, and until something is said on it, they do."""

    def __init__(self, *, node: ManagedNode, topic: str, group: CallbackGroup) -> None:
        """
        Subscribe to ``topic`` (std_msgs/Bool, true: answer); empty: nobody is asked.

        Twice: to a publisher that keeps its word for late comers, and to one of any kind.
        """
        self._topic = topic
        self._open = True
        self._under_way: set[str] = set()
        self._muted = 0
        for profile in (qos.INFO_LATCHED, qos.INFO) if topic else ():
            node.managed_subscription(Bool, topic, self._on_word, profile, always=True,
                                      callback_group=group, **qos.unwarned())

    def lets_pass(self, reply: Any) -> bool:
        """
        Tell whether a message of a reply is published.

        One that was begun goes on to its end, so that nobody waits for its final.
        """
        passes = self._open or reply.reply_id in self._under_way
        if passes and not reply.is_final:
            self._under_way.add(reply.reply_id)
        else:
            self._under_way.discard(reply.reply_id)
        self._muted += reply.is_final and not passes
        return passes

    def report(self, report: StatusReport) -> None:
        """Say whether answers are muted, and how many were."""
        if self._topic:
            report.values.update(answers='on' if self._open else f'muted by {self._topic}',
                                 answers_muted=self._muted)

    def _on_word(self, message: Any) -> None:
        self._open = bool(message.data)
