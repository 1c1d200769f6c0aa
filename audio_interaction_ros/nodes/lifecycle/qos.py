"""
Quality of service of every topic, in one place, and which mismatch prevents a connection.

Owns the table of docs/interfaces.md. Knows no node.
"""

from typing import Any

from rclpy.qos import (
    DurabilityPolicy,
    HistoryPolicy,
    QoSCompatibility,
    QoSProfile,
    ReliabilityPolicy,
    qos_check_compatible,
)

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

__all__ = [
    'ALERTS_ACTIVE', 'AUDIO_IN', 'AUDIO_OUT', 'CREDIT', 'DECISIONS', 'DIAGNOSTICS', 'DIRECTION',
    'EVENTS',
    'FLAG', 'FINAL_TEXT', 'INFO', 'INFO_LATCHED', 'encoded_profile', 'find_mismatch', 'unwarned',
]


def _make_profile(depth: int, *, reliable: bool = True, latched: bool = False) -> QoSProfile:
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST, depth=depth,
        reliability=ReliabilityPolicy.RELIABLE if reliable else ReliabilityPolicy.BEST_EFFORT,
        durability=(DurabilityPolicy.TRANSIENT_LOCAL if latched
                    else DurabilityPolicy.VOLATILE))


# A reliable reader gets nothing from best effort. 250 blocks of 20 ms outlast a stall of 5 s,
# as when a model is loaded in the same process.
AUDIO_IN = _make_profile(250, reliable=False)
AUDIO_OUT = _make_profile(250)
FLAG = _make_profile(1)  # robot_speaking, alerts/hold
CREDIT = _make_profile(1)
EVENTS = _make_profile(50)  # transcript, translation, reply, alerts
FINAL_TEXT = _make_profile(10)  # the String topics and alerts/event
ALERTS_ACTIVE = _make_profile(1, latched=True)
DECISIONS = _make_profile(50, reliable=False)
DIAGNOSTICS = _make_profile(10)
DIRECTION = _make_profile(50, reliable=False)  # of a microphone array
INFO_LATCHED = _make_profile(1, latched=True)  # audio_info of a publisher that keeps it
INFO = _make_profile(10, reliable=False)  # and of one that repeats it


def encoded_profile(capacity: int) -> QoSProfile:
    """Return the profile of the chunk queue; the same at both ends."""
    return _make_profile(capacity + 2)


def find_mismatch(publisher: QoSProfile, subscription: QoSProfile) -> str:
    """Return why the two never connect; empty where they do."""
    verdict, reason = qos_check_compatible(publisher, subscription)
    return reason if verdict == QoSCompatibility.ERROR else ''


def unwarned() -> dict[str, Any]:
    """
    Return the option for a subscription that stands beside another one on the same topic.

    Of the two, one for what is kept and one for what is not, only one may connect to a
    publisher; of the other nobody needs to be warned.
    """
    return {'event_callbacks': SubscriptionEventCallbacks(use_default_callbacks=False)}
