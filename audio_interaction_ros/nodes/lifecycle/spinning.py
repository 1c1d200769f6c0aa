"""Spinning nodes and ending in good order; the same for every command of this package."""

import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import rclpy
from rclpy.context import Context
from rclpy.exceptions import ParameterException
from rclpy.executors import (
    ExternalShutdownException,
    ShutdownException,
    SingleThreadedExecutor,
    TimeoutException,
)
from rclpy.logging import get_logger
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args

from audio_interaction_ros.errors import ConfigurationError
from audio_interaction_ros.nodes.lifecycle.kept_executor import KeptExecutor, is_supported
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.nodes.lifecycle.transport import start_ros
from audio_interaction_ros.nodes.lifecycle.worker import is_any_left_behind
from audio_interaction_ros.parameter_file import check_arguments
from audio_interaction_ros.process_memory import keep_memory_small
from audio_interaction_ros.terminal import make_printable, one_line

__all__ = ['EXECUTOR_VARIABLE', 'Spinner', 'find_wrong_arguments', 'run', 'run_or_say_why_not']

EXECUTOR_VARIABLE = 'AUDIO_INTERACTION_EXECUTOR'
"""Environment variable: rclpy takes rclpy's own executor instead of ours."""
_THREADS = 4
_PERIOD_S = 0.2
_BREATH_S = 0.001
_TOO_OFTEN = 100
_IMPATIENT_S = 10.0
_FAREWELL_S = 2.0
_SENDING_S = 0.3
_NO_LOG = '; set ROS_LOG_DIR to a folder that can be written'
_SWITCH_INTERVAL_S = 0.0005
"""A model step gives up the interpreter lock hundreds of times; at Python's 5 ms per hand-over a
busy executor in the same process made steps ten times slower."""


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


def run(make_nodes: Callable[[], Sequence[Node]], args: Sequence[str] | None = None, *,
        done: Callable[[], bool] = lambda: False, code: Callable[[], int] = lambda: 0) -> int:
    """
    Spin the nodes that ``make_nodes`` returns until a signal comes or ``done`` says so.

    Lifecycle nodes start by themselves unless their autostart parameter is false. Threads are
    joined before rclpy goes down, or the process would end with 'terminate called'. Returns what
    ``code`` says, except where a thread still computes, as when a model is being loaded: then
    the process ends here with that code.
    """
    make_printable()
    keep_memory_small()
    sys.setswitchinterval(_SWITCH_INTERVAL_S)
    stopping = threading.Event()
    before = _stop_on_signals(stopping)
    try:
        try:
            start_ros(args, signal_handler_options=SignalHandlerOptions.NO)
        except Exception as error:  # noqa: BLE001 - of no public kind: what ROS cannot parse
            said = find_wrong_arguments(sys.argv if args is None else args) or (
                f'error: expected ROS 2 to start: {one_line(str(error))}'
                + _NO_LOG * ('log directory' in str(error)))
            print(said, file=sys.stderr)
            return 2
        spinner = Spinner()
        try:
            nodes = list(make_nodes())
            for node in nodes:
                spinner.add(node)
            for node in nodes:
                if isinstance(node, ManagedNode) and not stopping.is_set():
                    node.autostart()
            while rclpy.ok() and not stopping.is_set() and not done():
                spinner.spin_once()
            _take_leave(spinner, [node for node in nodes if isinstance(node, ManagedNode)])
        except (KeyboardInterrupt, ExternalShutdownException):
            pass
        except ParameterException as error:  # of another type than it is declared with
            print(f'error: {one_line(str(error))}; correct it where the node is started',
                  file=sys.stderr, flush=True)
            os._exit(2)  # a node that is half made cannot be destroyed, which rclpy would do
        finally:
            spinner.close()
            rclpy.try_shutdown()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if is_any_left_behind():
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code())
    return code()


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
