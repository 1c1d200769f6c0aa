"""Times as ROS has them: stamps, spans and headers of messages, in nanoseconds."""

from typing import Any

from builtin_interfaces.msg import Duration, Time
from std_msgs.msg import Header

from audio_interaction_ros.audio.messages import stamp_ns

__all__ = ['duration_message', 'duration_ns', 'header_message', 'stamp_ns', 'time_message']

_NS = 1_000_000_000
_LAST_NS = 2 ** 31 * _NS - 1


def time_message(nanoseconds: int) -> Time:
    """Return nanoseconds as builtin_interfaces/Time, or the nearest between 1970 and 2038."""
    held = min(max(nanoseconds, 0), _LAST_NS)
    return Time(sec=held // _NS, nanosec=held % _NS)


def duration_message(nanoseconds: int) -> Duration:
    """Return nanoseconds as builtin_interfaces/Duration."""
    return Duration(sec=nanoseconds // _NS, nanosec=nanoseconds % _NS)


def duration_ns(duration: Any) -> int:
    """Return a builtin_interfaces/Duration in nanoseconds."""
    return int(duration.sec * _NS + duration.nanosec)


def header_message(nanoseconds: int, frame_id: str) -> Header:
    """Return the header of a message of that time, from that frame."""
    return Header(stamp=time_message(nanoseconds), frame_id=frame_id)
