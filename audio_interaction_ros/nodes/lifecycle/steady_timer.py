"""
Timers that follow the steady clock, whatever the clock of the node does.

A timer of rclpy follows the node's clock: with use_sim_time it stands still until somebody
publishes /clock, and the queue, its credit and the diagnostics with it. What the nodes do at a
rate is about real seconds; the times of audio come from stamps.
"""

from collections.abc import Callable
from typing import Any

from rclpy.clock import Clock, ClockType
from rclpy.node import Node

__all__ = ['steady_timer']

_STEADY = Clock(clock_type=ClockType.STEADY_TIME)


def steady_timer(node: Node, period_s: float, callback: Callable[[], None],
                 **options: Any) -> Any:
    """Return a timer of the node that calls every ``period_s`` seconds of real time."""
    return node.create_timer(period_s, callback, clock=_STEADY, **options)
