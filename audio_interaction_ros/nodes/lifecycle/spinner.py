"""
What runs the callbacks of nodes: an executor that finds them, and a few threads.

Owns the choice of that executor. When a process begins and ends to spin is ``spinning``'s matter.
"""

import os
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from rclpy.context import Context
from rclpy.executors import (
    ExternalShutdownException,
    ShutdownException,
    SingleThreadedExecutor,
    TimeoutException,
)
from rclpy.logging import get_logger
from rclpy.node import Node

from audio_interaction_ros.nodes.lifecycle.kept_executor import KeptExecutor, is_supported
from audio_interaction_ros.terminal import one_line

__all__ = ['EXECUTOR_VARIABLE', 'Spinner']

EXECUTOR_VARIABLE = 'AUDIO_INTERACTION_EXECUTOR'
"""Environment variable: rclpy takes rclpy's own executor instead of ours."""
_THREADS = 4
_PERIOD_S = 0.2
_BREATH_S = 0.001
_TOO_OFTEN = 100


def _make_finder(context: Context | None) -> KeptExecutor | SingleThreadedExecutor:
    """
    Return the executor that finds callbacks: ours, or rclpy's where that is asked for or must be.

    rclpy's EventsExecutor builds no wait set either, but knows no guard conditions and runs all
    callbacks in one thread, where one that waits would hold up all others.
    """
    plain = SingleThreadedExecutor(context=context)
    wanted = os.environ.get(EXECUTOR_VARIABLE) or 'kept'
    if wanted == 'rclpy':
        return plain
    log = get_logger('audio_interaction')
    if wanted != 'kept':
        log.warning(f'expected {EXECUTOR_VARIABLE} to be kept or rclpy, got {one_line(wanted)!r}; '
                    'it is taken as kept')
    if not is_supported(plain):
        log.info('this release of ROS 2 has another executor inside than ours rests on; callbacks '
                 "are found by rclpy's own, which takes more of the processor")
        return plain
    plain.shutdown()
    return KeptExecutor(context=context)


class Spinner:
    """
    Runs the callbacks of nodes in a few threads and ends without leaving one under way.

    rclpy's MultiThreadedExecutor destroys its guard condition at shutdown while callbacks still
    run in its threads, and each of them then prints 'The following exception was never
    retrieved: cannot use Destroyable …'. Here the threads are joined first. A callback that
    raises is logged at once, with its traceback, and the others go on.
    """

    def __init__(self, *, threads: int = _THREADS, context: Context | None = None) -> None:
        """Make executor and threads; rclpy must be up in the context (None: the usual one)."""
        # it finds what is ready; the pool runs it
        self._executor = _make_finder(context)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix='callback')
        self._queued: set[Any] = set()
        self._lock = threading.Lock()
        self._nodes: list[Node] = []
        self._stumbled = 0

    def add(self, node: Node) -> None:
        """Take in a node."""
        self._nodes.append(node)
        self._executor.add_node(node)

    def spin_once(self) -> None:
        """Hand one callback that is ready to a thread; wait for one for a moment only."""
        try:
            task, _, node = self._executor.wait_for_ready_callbacks(timeout_sec=_PERIOD_S)
        except (TimeoutException, ShutdownException):
            return
        except ExternalShutdownException:
            raise
        except Exception as error:  # noqa: BLE001 - a robot's ears must survive whatever it is
            self._note_failure(error)
            return
        self._stumbled = 0
        with self._lock:
            waits = task in self._queued
            self._queued.add(task)
        if waits:  # rclpy's own executor offers it again until it has begun
            time.sleep(_BREATH_S)
            return
        self._pool.submit(self._call, task, node)

    def close(self) -> None:
        """Wait for the callbacks under way, then destroy the nodes."""
        self._pool.shutdown()
        self._executor.shutdown()
        while self._nodes:
            self._nodes.pop().destroy_node()

    def _note_failure(self, error: Exception) -> None:
        """Log what keeps callbacks from being found."""
        self._stumbled += 1
        # A topic or service that another thread destroys while it is looked at is gone the
        # next time; each release and call has its own name for the exception.
        if type(error).__name__ != 'InvalidHandle' or self._stumbled == _TOO_OFTEN:
            self._log(None, error)
        time.sleep(_BREATH_S)

    def _call(self, task: Any, node: Node | None) -> None:
        with self._lock:
            self._queued.discard(task)
        if isinstance(self._executor, KeptExecutor):
            self._executor.run_task(task)
        else:
            task()
        if task.done() and task.exception() is not None:
            self._log(node, task.exception())

    def _log(self, node: Node | None, error: BaseException) -> None:
        trace = ''.join(traceback.format_exception(error))
        (node or self._nodes[0]).get_logger().error(f'a callback failed:\n{trace}')
