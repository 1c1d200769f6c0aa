"""
Transcripts of speech that goes on, as the encoder reads them, under one name up to their final.

Owns which utterances are open, and that each comes to an end: what nothing more can come of is
taken back by a final without text. Knows neither lanes nor drafts: whoever has a final asks it for
the name and the revision.
"""

from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from rclpy.callback_groups import CallbackGroup

from audio_interaction_msgs.msg import Transcript
from audio_interaction_ros.nodes.io.stamps import stamp_ns
from audio_interaction_ros.nodes.io.text_messages import taken_back
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode

__all__ = ['WordBoard']

_ENDED = 32
_LOOK_S = 1.0
_SAME_NS = 1_500_000_000
"""A draft that ends so soon after words that are final has none of its own."""


class WordBoard:
    """Passes on what comes on ``transcript/partial``; after its final nothing of an utterance."""

    def __init__(self, *, node: ManagedNode, group: CallbackGroup,
                 publish: Callable[[Any], None]) -> None:
        """Subscribe; ``publish`` takes a transcript that is to be seen."""
        self._publish, self._node = publish, node
        self._open: dict[str, Any] = {}  # by name, the newest message of each
        self._ended: deque[str] = deque(maxlen=_ENDED)
        self._reaches_ns = 0  # end of the last final of words
        node.managed_subscription(Transcript, 'transcript/partial', self._on_partial, qos.EVENTS,
                                  callback_group=group)
        node.managed_timer(_LOOK_S, self._look, callback_group=group)

    def covers(self, start_ns: int, end_ns: int) -> bool:
        """Tell whether the words of this span are shown or final, so that no others are."""
        return self._find(start_ns, end_ns) is not None or self._are_final(end_ns)

    def take_over(self, message: Any) -> bool:
        """
        Let a final end the utterance that is open in its span, under that one's name.

        True where there is nothing left of it: its words are final already, or a button makes one
        utterance of them. ``ended_by`` says so of what the encoder read; of a text as it was
        streamed, which nobody read again, the time does.
        """
        if message.ended_by not in ('', 'model'):
            return True
        shown = self._find(stamp_ns(message.start), stamp_ns(message.end))
        if shown is not None:
            message.utterance_id, message.revision = shown.utterance_id, shown.revision + 1
            if message.source == 'streamed' and not message.text:  # nobody could read all of it
                message.text, message.source = shown.text, shown.source
            self._end(message)
        elif message.source == 'streamed' and self._are_final(stamp_ns(message.end)):
            message.text, message.source = '', 'second_pass'
            return True
        return False

    def _find(self, start_ns: int, end_ns: int) -> Any:
        """Return what is shown in a span; None: nothing."""
        return next((one for one in self._open.values() if stamp_ns(one.start) < end_ns
                     and start_ns < stamp_ns(one.end)), None)

    def _are_final(self, end_ns: int) -> bool:
        return bool(self._reaches_ns) and end_ns - self._reaches_ns <= _SAME_NS

    def give_up(self) -> None:
        """Publish what is open as final, for nothing more will come of it."""
        for message in list(self._open.values()):
            message.is_final, message.revision = True, message.revision + 1
            message.stable_length, message.ended_by = len(message.text), 'silence'
            self._end(message)
            self._publish(message)

    def _look(self) -> None:
        """Take back what an encoder node showed that is gone."""
        partials = self._node.resolve_topic_name('transcript/partial')  # it may be remapped
        if self._open and not self._node.count_publishers(partials):
            self._take_back(list(self._open.values()))

    def _on_partial(self, message: Any) -> None:
        if message.utterance_id in self._ended:
            return
        if message.is_final:
            shown = self._open.get(message.utterance_id)
            if shown is not None:
                message.revision = shown.revision + 1
            self._end(message)
            self._reaches_ns = stamp_ns(message.end)
        else:
            self._open[message.utterance_id] = message
        self._publish(message)

    def _end(self, message: Any) -> None:
        """Note the final of an utterance; of what began before it nothing comes any more."""
        self._open.pop(message.utterance_id, None)
        self._ended.append(message.utterance_id)
        self._take_back([one for one in self._open.values()
                         if stamp_ns(one.end) <= stamp_ns(message.start)])

    def _take_back(self, messages: Iterable[Any]) -> None:
        for shown in messages:
            del self._open[shown.utterance_id]
            self._ended.append(shown.utterance_id)
            self._publish(taken_back(shown))
