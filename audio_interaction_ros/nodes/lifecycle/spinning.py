"""Spinning nodes and ending in good order; the same for every command of this package."""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import rclpy
from rclpy.exceptions import ParameterException
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.nodes.lifecycle.spinner import Spinner
from audio_interaction_ros.nodes.lifecycle.transport import start_ros
from audio_interaction_ros.nodes.lifecycle.worker import is_any_left_behind
from audio_interaction_ros.parameter_file import check_arguments
from audio_interaction_ros.process_memory import keep_memory_small
from audio_interaction_ros.terminal import make_printable, one_line, print_on

__all__ = ['find_wrong_arguments', 'run', 'run_or_say_why_not']

_IMPATIENT_S = 10.0
_FAREWELL_S = 2.0
_SENDING_S = 0.3
_WRONG_CONFIGURATION = 2
"""Exit code of a process that cannot work before somebody changes what it was started with."""
_NO_LOG = '; set ROS_LOG_DIR to a folder that can be written'
_SWITCH_INTERVAL_S = 0.0005
"""A model step gives up the interpreter lock hundreds of times; at Python's 5 ms per hand-over a
busy executor in the same process made steps ten times slower."""


def run(make_nodes: Callable[[], Sequence[Node]], args: Sequence[str] | None = None, *,
        done: Callable[[], bool] = lambda: False, code: Callable[[], int] = lambda: 0) -> int:
    """
    Spin the nodes that ``make_nodes`` returns until a signal comes or ``done`` says so.

    Lifecycle nodes start by themselves unless their autostart parameter is false; one that cannot
    work with what it was started with ends it with 2. Threads are joined before rclpy goes down,
    or the process would end with 'terminate called'. Returns what ``code`` says, except where a
    thread still computes, as when a model is being loaded: then the process ends here with that
    code.
    """
    make_printable()
    keep_memory_small()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    stopping = threading.Event()
    before = _stop_on_signals(stopping)
    try:
        wrong = _start_ros(args)
        if wrong:
            print(wrong, file=sys.stderr)
            return _WRONG_CONFIGURATION
        ended_with = code() if _spin(make_nodes, stopping, done) else _WRONG_CONFIGURATION
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if is_any_left_behind():
        for stream in (sys.stdout, sys.stderr):
            print_on(stream, '', end='')  # nobody else will flush them
        os._exit(ended_with)
    return ended_with


def _start_ros(args: Sequence[str] | None) -> str:
    """Bring ROS up; return why it cannot be, empty where it is."""
    try:
        start_ros(args, signal_handler_options=SignalHandlerOptions.NO)
    except Exception as error:  # noqa: BLE001 - of no public kind: what ROS cannot parse
        return find_wrong_arguments(sys.argv if args is None else args) or (
            f'error: expected ROS 2 to start: {one_line(str(error))}'
            + _NO_LOG * ('log directory' in str(error)))
    return ''


def _spin(make_nodes: Callable[[], Sequence[Node]], stopping: threading.Event,
          done: Callable[[], bool]) -> bool:
    """
    Make the nodes and run their callbacks until it is over, then take ROS down.

    False where one of them cannot work with what it was started with.
    """
    spinner, hopeful = Spinner(), True
    try:
        nodes = _make(make_nodes)
        for node in nodes:
            spinner.add(node)
        managed = [node for node in nodes if isinstance(node, ManagedNode)]
        for node in managed:
            if not stopping.is_set():
                node.autostart()
        while rclpy.ok() and not stopping.is_set():
            hopeful = not any(node.recovery.is_hopeless for node in managed)
            if not hopeful or done():
                break
            spinner.spin_once()
        _take_leave(spinner, managed)
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        spinner.close()
        rclpy.try_shutdown()
    return hopeful


def _make(make_nodes: Callable[[], Sequence[Node]]) -> list[Node]:
    """Return the nodes; a parameter of another type than a node declares ends the process."""
    try:
        return list(make_nodes())
    except ParameterException as error:
        print(f'error: {one_line(str(error))}; correct it where the node is started',
              file=sys.stderr, flush=True)
        # a node that is half made cannot be destroyed, which rclpy would do
        os._exit(_WRONG_CONFIGURATION)


def run_or_say_why_not(kind: Callable[[], Any], args: Sequence[str] | None = None) -> int:
    """
    Spin one node that may find, when it is made, that it cannot work.

    Such a node has a reason in ``failure``, logs it, and the code is 1.
    """
    made: list[Any] = []

    def make_nodes() -> list[Node]:
        made.append(kind())
        return list(made)

    def failed() -> bool:
        return bool(made and made[0].failure)
    return run(make_nodes, args, done=failed, code=lambda: int(failed()))


def _take_leave(spinner: Spinner, nodes: Sequence[ManagedNode]) -> None:
    """Let nodes answer whoever waits for them; takes no time where nobody does."""
    if not rclpy.ok() or not sum(node.leave() for node in nodes):
        return
    limit = time.monotonic() + _FAREWELL_S
    while any(node.owes_answers for node in nodes) and time.monotonic() < limit:
        spinner.spin_once()
    limit = time.monotonic() + _SENDING_S  # what was answered is sent by callbacks to come
    while time.monotonic() < limit:
        spinner.spin_once()


def find_wrong_arguments(arguments: Sequence[str]) -> str:
    """
    Return what is wrong with the ROS arguments of a command line, the parameter files included.

    One sentence, in our words where we know; empty where nothing is.
    """
    try:
        check_arguments(arguments)
        remove_ros_args(list(arguments))
    except ConfigurationError as better:
        return f'error: {better}'
    except Exception as error:  # noqa: BLE001 - of no public kind: what ROS cannot parse
        return f'error: expected a command line that ROS 2 understands: {one_line(str(error))}'
    return ''


def _stop_on_signals(stopping: threading.Event) -> dict[int, Any]:
    """
    Let a signal set ``stopping``, and one that comes ten seconds later act as usual.

    Returns the handlers from before. Under ros2 launch Ctrl-C comes twice: from the terminal
    and, on a busy machine seconds later, from launch.
    """
    first: list[float] = []

    def stop(number: int, _frame: Any) -> None:
        first.append(time.monotonic())
        if first[-1] - first[0] > _IMPATIENT_S:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stopping.set()

    return {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
