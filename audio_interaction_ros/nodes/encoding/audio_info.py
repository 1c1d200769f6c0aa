"""
What the bytes of an audio topic mean, where another topic says so (AudioInfo of ros-drivers).

Owns that topic's subscriptions and the audio that waits for it. Its publisher says it once and
keeps it for late comers, or says it again and again; both are heard. Knows no fields.
"""

import time
from collections import deque
from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup

from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import WARN, StatusReport
from audio_interaction_ros.nodes.lifecycle.host_node import HostNode
from audio_interaction_ros.nodes.lifecycle.steady_timer import steady_timer

__all__ = ['InfoTopic', 'info_topic']

_WAIT_S = 3.0
_MOST_HELD = 500


def info_topic(node: HostNode, audio: str, wanted: str) -> str:
    """
    Return the full name of the topic that describes ``audio`` (a full name).

    It is the one wanted, or ``audio_info`` where that is remapped, or else the name of the audio
    topic as remapped, with ``_info``.
    """
    if wanted:
        return str(node.resolve_topic_name(wanted))
    own = str(node.resolve_topic_name('audio_info'))
    return own if own != f'{node.get_namespace().rstrip("/")}/audio_info' else f'{audio}_info'


class InfoTopic:
    """Holds audio back until it is known what it means, for 3 s and 500 messages at most."""

    def __init__(self, *, node: HostNode, kind: Any, name: str, group: CallbackGroup,
                 take_info: Callable[[Any], None],
                 take_audio: Callable[..., None], known: Any = None) -> None:
        """
        Subscribe; ``take_audio`` gets what was held, in order, once it may go on.

        ``known`` is what this topic said earlier: it holds, without waiting, until another
        comes. It may have been said once and never again.
        """
        self.name = name
        self._node, self._take_info, self._take_audio = node, take_info, take_audio
        self._held: deque[tuple[Any, ...]] = deque()
        self._since: float | None = None
        self._info: Any = known
        self._gave_up = False
        # A reader that asks for what is kept gets nothing from a writer that keeps nothing, and
        # is warned of it; the other reader hears that one.
        self._subscriptions = [node.create_subscription(
            kind, name, node.exclusive(self._on_info), profile, callback_group=group,
            **qos.unwarned())
            for profile in (qos.INFO_LATCHED, qos.INFO)]
        self._timer = steady_timer(node, 0.5, node.exclusive(self._stop_waiting_in_time),
                                   callback_group=group)
        if known is not None:
            take_info(known)

    def close(self) -> None:
        """End the subscriptions and drop what is held."""
        self._node.destroy_timer(self._timer)
        while self._subscriptions:
            self._node.destroy_subscription(self._subscriptions.pop())
        self._held.clear()

    def hold(self, *message: Any) -> bool:
        """Keep a message of audio for later; False when it may go on at once."""
        self._stop_waiting_in_time()
        if self._info is not None or self._gave_up:
            return False
        if self._since is None:
            self._since = time.monotonic()
        self._held.append(message)
        return True

    def report(self, report: StatusReport, *, taken_as: str) -> None:
        """Say what is missing; without it audio is ``taken_as`` something."""
        report.values.update(info_topic=self.name, info_known=self._info is not None)
        if self._info is not None:
            return
        if self._gave_up:
            report.add(WARN, f'no AudioInfo on {self.name}: the audio is taken as {taken_as}; '
                             f'start its publisher or set audio.info_topic')
        elif self._since is not None:
            report.add(WARN, f'waiting for AudioInfo on {self.name}; audio is held back')

    def _on_info(self, message: Any) -> None:
        if message != self._info:  # the two readers may both hear it
            self._info = message
            self._take_info(message)
            self._release_held()

    def _stop_waiting_in_time(self) -> None:
        """Wait no longer than that."""
        if self._since is None or self._info is not None or self._gave_up:
            return
        if time.monotonic() - self._since >= _WAIT_S or len(self._held) >= _MOST_HELD:
            self._gave_up = True
            self._release_held()

    def _release_held(self) -> None:
        while self._held:
            self._take_audio(*self._held.popleft())
