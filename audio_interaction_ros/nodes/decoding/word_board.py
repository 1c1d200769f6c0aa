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
from audio_interaction_ros.nodes.io.stamps import stamp_ns
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

    def covers(self, start_ns: int, end_ns: int) -> bool:
        """Tell whether the words of this span are shown or final, so that no others are."""
        return self._shows(start_ns, end_ns) or self._are_final(end_ns)

    def take_over(self, message: Any) -> bool:
        """
        Let a final end the utterance that is open in its span, under that one's name.

        True where there is nothing left of it: its words are final already, or a button makes one
        utterance of them. ``ended_by`` says so of what the encoder read; of a text as it was
        streamed, which nobody read again, the time does.
        """
        if message.ended_by not in ('', 'model'):
            return True
        if self._shows(stamp_ns(message.start), stamp_ns(message.end)):
            message.utterance_id = self._open.utterance_id
            message.revision = self._open.revision + 1
            if message.source == 'streamed' and not message.text:  # nobody could read all of it
                message.text, message.source = self._open.text, self._open.source
            self._end()
        elif message.source == 'streamed' and self._are_final(stamp_ns(message.end)):
            message.text, message.source, message.stable_length = '', 'second_pass', 0
            return True
        return False

    def _shows(self, start_ns: int, end_ns: int) -> bool:
        return (self._open is not None and stamp_ns(self._open.start) < end_ns
                and start_ns < stamp_ns(self._open.end))

    def _are_final(self, end_ns: int) -> bool:
        return bool(self._reaches_ns) and end_ns - self._reaches_ns <= _SAME_NS

    def give_up(self) -> None:
        """Publish what is open as final, for nothing more will come of it."""
        if self._open is not None:
            message = self._open
            message.is_final, message.revision = True, message.revision + 1
            message.stable_length, message.ended_by = len(message.text), 'silence'
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
