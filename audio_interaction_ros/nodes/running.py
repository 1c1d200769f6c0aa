"""Spinning nodes and ending in good order; the same for every command of this package."""

import signal
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions

from audio_interaction_ros.nodes.managed import ManagedNode

__all__ = ['run']

_THREADS = 4
_SWITCH_INTERVAL_S = 0.0005
"""A model step gives up the interpreter lock hundreds of times; at Python's 5 ms per hand-over a
busy executor in the same process made steps ten times slower."""


def run(make_nodes: Callable[[], Sequence[Node]], args: Sequence[str] | None = None, *,
        done: Callable[[], bool] = lambda: False) -> int:
    """
    Spin the nodes that ``make_nodes`` returns until a signal comes or ``done`` says so.

    Lifecycle nodes start by themselves unless their autostart parameter is false. Threads are
    joined before rclpy goes down, or the process would end with 'terminate called'.
    """
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    rclpy.init(args=list(args) if args is not None else None,
               signal_handler_options=SignalHandlerOptions.NO)
    stopping = False

    def stop(*_: Any) -> None:
        nonlocal stopping
        stopping = True

    previous = {number: signal.signal(number, stop)
                for number in (signal.SIGINT, signal.SIGTERM)}
    executor = MultiThreadedExecutor(num_threads=_THREADS)
    nodes: list[Node] = []
    try:
        nodes.extend(make_nodes())
        for node in nodes:
            executor.add_node(node)
        for node in nodes:
            if isinstance(node, ManagedNode):
                node.autostart()
        while rclpy.ok() and not stopping and not done():
            _spin(executor, nodes[0])
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        executor.shutdown()
        for node in reversed(nodes):
            node.destroy_node()
        rclpy.try_shutdown()
        for number, handler in previous.items():
            signal.signal(number, handler)
    return 0


def _spin(executor: MultiThreadedExecutor, node: Node) -> None:
    """Run callbacks for a moment; one that fails is logged and the others go on."""
    try:
        executor.spin_once(timeout_sec=0.2)
    except ExternalShutdownException:
        raise
    except Exception:  # noqa: BLE001 - a robot's ears must survive one bad callback
        node.get_logger().error(f'a callback failed:\n{traceback.format_exc()}')
