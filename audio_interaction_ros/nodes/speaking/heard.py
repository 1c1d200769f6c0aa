"""
What the other nodes publish that speech_node says, or falls silent for.

Owns which reply, which alert and which words mean what for the voice. Knows no queue.
"""

from collections import deque
from typing import Any

from audio_interaction_msgs.msg import Alert
from audio_interaction_ros.config import AssistantConfig, split_list
from audio_interaction_ros.intents.barge_in import BargeIn
from audio_interaction_ros.speech.queue import Priority

__all__ = ['AlertWatch', 'WordWatch', 'alert_priority']

_SILENCING = ('stop', 'quiet')
_ALERTS_KNOWN = 64
_OVERHEARD_S = 3.0
"""So long a call may be read again: the window of audio.overhearing, and a reading."""


def alert_priority(severity: int) -> Priority:
    """Return how urgent it is to tell of an alert: as severe as it is, and never LOW."""
    return Priority(max(Priority.NORMAL, min(severity, Priority.CRITICAL)))


class AlertWatch:
    """Tells alerts that are new, or got worse, from all the other messages about them."""

    def __init__(self) -> None:
        """Know no alert."""
        self._known: dict[str, int] = {}
        self._order: deque[str] = deque()

    def is_news(self, alert: Any) -> bool:
        """Tell whether a message says of an alert that it began, or became more severe."""
        if alert.state != Alert.ACTIVE:
            return False
        before = self._known.get(alert.id, -1)
        if alert.id not in self._known:
            self._order.append(alert.id)
        self._known[alert.id] = max(before, alert.severity)
        while len(self._order) > _ALERTS_KNOWN:
            self._known.pop(self._order.popleft(), None)
        return bool(alert.severity > before)


class WordWatch:
    """Tells when somebody wants the robot to be quiet."""

    def __init__(self, config: AssistantConfig) -> None:
        """Take the calls and names of a configuration."""
        said = config.assistant
        self._calls = BargeIn(split_list(said.barge_in), split_list(said.names))
        self._spent_until_s = 0.0

    def why_silent(self, text: str, mode: str) -> str:
        """Return why a transcript, partial or final, ends speech; empty where it does not."""
        if mode == 'off' or not text.strip():
            return ''
        if mode == 'any' or self._calls.is_called(text):
            return f'somebody said {text.strip()!r}'
        return ''

    def why_silent_for_overheard(self, text: str, mode: str, *, said: str, now_s: float) -> str:
        """
        Return why a text that was read under the robot's own voice ends speech; or nothing.

        ``said``: what the robot says meanwhile, whose words count for nothing. The same audio is
        read again and again, so what ended speech does not end what is said right after it.
        """
        call = '' if mode == 'off' else self._calls.find_call(text, said)
        if not call or now_s < self._spent_until_s:
            return ''
        self._spent_until_s = now_s + _OVERHEARD_S
        return f'somebody said {call!r} over it'

    def why_silent_for_reply(self, reply: Any, mode: str) -> str:
        """Return why a reply ends what was said before it; empty where it does not."""
        if mode == 'off' or not reply.is_final:
            return ''
        if reply.intent in _SILENCING:
            return f'somebody wants {reply.intent!r}'
        return 'a reply was cancelled' if reply.finish_reason == 'cancel' else ''
