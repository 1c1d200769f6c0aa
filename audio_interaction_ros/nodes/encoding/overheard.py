"""
What may have been said over the robot's own voice, read for those who can tell what of it counts.

Owns the topic ``speech/overheard``. It may hold the robot's own words, so nobody answers it, and
it is no transcript: ``speech_node``, which knows what the robot says, looks for calls to stop in
it. Where nobody listens to the topic, nothing is computed. Frames come from the encoder's thread;
what reads them runs in that of the second pass.
"""

import time
from typing import Any, cast

from std_msgs.msg import String

from audio_interaction_ros.audio.overhearing import EchoFrame, Overhearing
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.runtimes.base import WindowReader

__all__ = ['Overheard']


class Overheard:
    """Reads what was said under the robot's voice, at most half of the time."""

    def __init__(self, *, node: ManagedNode, language: str) -> None:
        """Create the topic; ``language`` (ISO 639-1) is what is read, empty: any."""
        self._listens = Overhearing()
        self._node, self._language = node, language
        self._publisher = node.managed_publisher(String, 'speech/overheard', qos.EVENTS)
        self._rest_until = 0.0
        self.wanted = False
        """Somebody listened to the topic at the last look."""
        self.read = 0
        """Readings so far."""

    def look(self) -> None:
        """Look whether anybody wants to know (the executor's thread)."""
        before, self.wanted = self.wanted, self._publisher.get_subscription_count() > 0
        if before and not self.wanted:
            self.forget()

    def take(self, frame: EchoFrame) -> bool:
        """Take the next audio; tell whether it is time to read (the encoder's thread)."""
        if not self.wanted:
            return False
        self._listens.take(frame)
        return self._due

    def forget(self) -> None:
        """Drop all audio; from any thread."""
        self._listens.forget()

    @property
    def _due(self) -> bool:
        return self._listens.due and time.monotonic() >= self._rest_until

    def read_on(self, reader: Any) -> str:
        """Return what was said, where it is time to read and ``reader`` can; else nothing."""
        if not self._due or not hasattr(reader, 'read_window'):
            return ''
        began, window = time.monotonic(), cast(WindowReader, reader)
        try:
            read = window.read_window(self._listens.cut_out(), language=self._language)
        except Exception as error:  # noqa: BLE001 - the next reading may do
            self._node.get_logger().error(f'reading what was overheard failed: {error!r}',
                                          throttle_duration_sec=5.0)
            return ''
        self.read += 1
        now = time.monotonic()
        self._rest_until = now + (now - began)
        # In doubt too: calls are short, and only they are looked for.
        return ''.join(word.written for word in read.words).strip()

    def publish(self, text: str) -> None:
        """Tell what was read (the executor's thread)."""
        self._publisher.publish(String(data=text))
