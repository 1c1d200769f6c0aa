"""
Transcripts of speech that goes on, as the encoder reads them, under one name up to their final.

Owns which utterance is open. Knows neither lanes nor drafts: whoever has a final asks it for the
name and the revision.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup

from audio_interaction_msgs.msg import Transcript
from audio_interaction_ros.nodes.io.audio_messages import stamp_ns
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode

__all__ = ['WordBoard']

_ENDED = 32
_SAME_NS = 1_500_000_000
"""A draft that ends so soon after words that are final has none of its own."""


class WordBoard:
    """Passes on what comes on ``transcript/partial``; after its final nothing of an utterance."""

    def __init__(self, *, node: ManagedNode, group: CallbackGroup,
                 publish: Callable[[Any], None]) -> None:
        """Subscribe; ``publish`` takes a transcript that is to be seen."""
        self._publish = publish
        self._open: Any = None
        self._ended: deque[str] = deque(maxlen=_ENDED)
        self._reaches_ns = 0  # end of the last final of words
        node.managed_subscription(Transcript, 'transcript/partial', self._on_partial, qos.EVENTS,
                                  callback_group=group)

    def shows(self, start_ns: int, end_ns: int) -> bool:
        """Tell whether words of this span are shown."""
        return (self._open is not None and stamp_ns(self._open.start) < end_ns
                and start_ns < stamp_ns(self._open.end))

    def take_over(self, message: Any) -> None:
        """
        Let a final end the utterance that is open in its span, under that one's name.

        One as it was streamed, which nobody read again, has no text where its words are final.
        """
        if self.shows(stamp_ns(message.start), stamp_ns(message.end)):
            message.utterance_id = self._open.utterance_id
            message.revision = self._open.revision + 1
            self._end()
        elif message.source == 'streamed' and (
                stamp_ns(message.end) - self._reaches_ns <= _SAME_NS and self._reaches_ns):
            message.text, message.source, message.stable_length = '', 'second_pass', 0

    def give_up(self) -> None:
        """Publish what is open as final, for nothing more will come of it."""
        if self._open is not None:
            message = self._open
            message.is_final, message.revision = True, message.revision + 1
            message.stable_length = len(message.text)
            self._end()
            self._publish(message)

    def _on_partial(self, message: Any) -> None:
        if message.utterance_id in self._ended:
            return
        if message.is_final:
            if self._open is not None and self._open.utterance_id == message.utterance_id:
                message.revision = self._open.revision + 1
            self._open = message
            self._end()
            self._reaches_ns = stamp_ns(message.end)
        else:
            self._open = message
        self._publish(message)

    def _end(self) -> None:
        self._ended.append(self._open.utterance_id)
        self._open = None
