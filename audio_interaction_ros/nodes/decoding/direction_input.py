"""
The topic on which a microphone array says where sound comes from, and the bearings made of it.

Owns the subscription and what its three message types mean. What is kept and how directions of a
span become one is ``stream.directions``'. All of it runs with the node's lock held.
"""

import math
import time
from typing import Any

from rclpy.callback_groups import CallbackGroup

from audio_interaction_ros.config import DirectionConfig
from audio_interaction_ros.nodes.io.audio_messages import import_message
from audio_interaction_ros.nodes.io.stamps import stamp_ns
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.diagnostics import WARN, StatusReport
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.stream.directions import Directions

__all__ = ['DirectionInput', 'read_direction']

_SHOWN_S = 10.0


def read_direction(message: Any) -> float:
    """
    Return the direction of a message in radians, counter-clockwise from the x axis of its frame.

    Of a pose it is the heading (yaw) of its orientation, of a vector the direction in which it
    points, of a number the number itself. NaN where it has none: a vector of length 0, straight
    up or down, an orientation of zeros, or numbers that are not finite.
    """
    if hasattr(message, 'pose'):
        turn = message.pose.orientation
        x = turn.w * turn.w + turn.x * turn.x - turn.y * turn.y - turn.z * turn.z
        y = 2 * (turn.w * turn.z + turn.x * turn.y)
    elif hasattr(message, 'vector'):
        x, y = message.vector.x, message.vector.y
    else:
        return float(message.data) if math.isfinite(message.data) else math.nan
    return math.atan2(y, x) if math.isfinite(x + y) and (x or y) else math.nan


class DirectionInput:
    """Keeps the directions of an array by time; without a topic every bearing is NaN."""

    def __init__(self, *, node: ManagedNode, settings: DirectionConfig,
                 group: CallbackGroup) -> None:
        """Subscribe; raises MissingDependencyError where the package of the type is missing."""
        self._node, self._settings = node, settings
        self._directions = Directions(keep_s=settings.keep_s)
        self._received = self._useless = 0
        self._frame_id = ''
        self._foreign = '', -math.inf
        if settings.topic:
            node.managed_subscription(
                import_message(settings.msg_type), settings.topic, self._on_direction,
                qos.DIRECTION, callback_group=group)

    def find_bearing(self, start_ns: int, end_ns: int, frame_id: str) -> float:
        """
        Return where the audio of a span came from, in radians in ``frame_id``; NaN: not known.

        NaN also where the array speaks of another frame, for nobody here knows how that is
        turned; ``direction.frame_id`` names it and ``direction.turn_rad`` says so.
        """
        if not len(self._directions):
            return math.nan
        known = (frame_id, self._settings.frame_id, '')
        if self._frame_id not in known:
            self._foreign = frame_id, time.monotonic()
            return math.nan
        return self._directions.find_mean(start_ns, end_ns)

    def report(self, report: StatusReport) -> None:
        """Say how many directions came, and why they are not used."""
        if not self._settings.topic:
            return
        report.values.update(directions=self._received, directions_useless=self._useless,
                             direction_frame=self._frame_id)
        frame_id, at = self._foreign
        if time.monotonic() - at < _SHOWN_S:
            report.add(WARN, f'bearings are not known: directions are in the frame '
                             f'{self._frame_id!r}, audio in {frame_id!r}; set direction.frame_id '
                             f'to the first, and direction.turn_rad')

    def _on_direction(self, message: Any) -> None:
        self._received += 1
        radians = read_direction(message)
        if math.isnan(radians):
            self._useless += 1
            return
        header = getattr(message, 'header', None)
        stamp = 0 if header is None else stamp_ns(header.stamp)
        self._frame_id = '' if header is None else header.frame_id
        self._directions.add(stamp or self._node.get_clock().now().nanoseconds,
                             radians + self._settings.turn_rad)
