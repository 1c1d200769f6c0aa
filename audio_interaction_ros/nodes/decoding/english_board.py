"""
Finals of Mandarin whose English the second pass writes of the audio, asked for at the encoder.

Owns ``translation/draft`` and ``translation/read`` where no lane translates, and how long a final
waits for an answer. Whoever has the English, or none, goes on with it.
"""

import math
import time
from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup

from audio_interaction_msgs.msg import Translation
from audio_interaction_ros.nodes.io.text_messages import recognised_of
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.protocol import TRANSLATION_TARGETS

__all__ = ['EnglishBoard']

_PATIENCE_S = 8.0
"""After so long the words are translated without it."""
_TICK_S = 1.0


class EnglishBoard:
    """Final transcripts that wait for their English."""

    def __init__(self, *, node: ManagedNode, group: CallbackGroup,
                 settle: Callable[[Any, str], object]) -> None:
        """Create the topics; ``settle`` takes each transcript and its English, '' for none."""
        self._settle = settle
        self._waiting: dict[str, tuple[Any, float]] = {}
        self._drafts = node.managed_publisher(Translation, 'translation/draft', qos.EVENTS)
        node.managed_subscription(Translation, 'translation/read', self._on_read, qos.EVENTS,
                                  callback_group=group)
        node.managed_timer(_TICK_S, self._settle_late, callback_group=group)

    @property
    def waiting(self) -> int:
        """How many transcripts wait."""
        return len(self._waiting)

    def ask(self, transcript: Any) -> bool:
        """Ask for the English of a final transcript; False where nobody will write it."""
        if not transcript.text or not self._has_reader or (
                TRANSLATION_TARGETS.get(transcript.language) != 'en'):
            return False
        self._waiting[transcript.utterance_id] = transcript, time.monotonic() + _PATIENCE_S
        nan = float('nan')
        self._drafts.publish(Translation(
            header=transcript.header, utterance_id=transcript.utterance_id,
            text=transcript.text, start=transcript.start, end=transcript.end,
            source='streamed', confidence=nan, word_confidence=transcript.word_confidence,
            encode_latency_s=nan, decode_latency_s=nan))
        return True

    def _on_read(self, message: Any) -> None:
        self._finish(message.utterance_id, recognised_of(message).english or '')

    def _settle_late(self) -> None:
        now = time.monotonic() if self._has_reader else math.inf
        for name in [name for name, (_, until) in self._waiting.items() if until < now]:
            self._finish(name, '')

    @property
    def _has_reader(self) -> bool:
        return self._drafts.get_subscription_count() > 0

    def _finish(self, name: str, english: str) -> None:
        transcript, _ = self._waiting.pop(name, (None, 0.0))
        if transcript is not None:
            self._settle(transcript, english)
