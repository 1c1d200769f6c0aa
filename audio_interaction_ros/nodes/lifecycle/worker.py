"""
The one thread of a node that computes.

ROS callbacks only convert and ``put``; the worker computes and ``emit``s; a guard condition
wakes the executor, which hands what was emitted to ``publish``. The worker never touches
rclpy apart from triggering that guard condition. What setup made and what compute emits belong
to this worker, not to the node: a worker that was left behind while it loads a model can put
nothing into the configuration that came after it. Knows nothing of audio.
"""

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.callback_groups import CallbackGroup

from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode

__all__ = ['Emit', 'Ready', 'Worker', 'WorkerFailure', 'is_any_left_behind']

_PATIENCE_S = 1.0
_MOST_COMMANDS = 64
"""Items beyond the capacity that put(always=True) still takes; past that nobody reads them."""
_left_behind: list[threading.Thread] = []
_NICENESS = 10
"""Added for a thread that stands back: of a core that another wants it gets a tenth."""

Emit = Callable[[Any], None]
"""Hands an output of compute to the executor."""


def is_any_left_behind() -> bool:
    """
    Tell whether a closed worker still computes: loading a model cannot be interrupted.

    A process must not end in the ordinary way then: Python would stop the thread inside native
    code, and C++ answers with 'terminate called'.
    """
    return any(thread.is_alive() for thread in _left_behind)


@dataclass(frozen=True)
class Ready:
    """Emitted when setup is through."""

    result: Any
    """What setup returned; compute gets it as well."""
    seconds: float


class WorkerFailure:
    """Emitted when setup or compute raised; the worker has stopped."""

    def __init__(self, error: BaseException) -> None:
        """Carry the error."""
        self.error = error


class Worker:
    """
    Runs ``setup() -> result`` once and then ``compute(result, items, emit) -> busy`` until closed.

    ``compute`` gets everything that was put since; while it returns True it is called again at
    once, with an empty list if nothing came. What it emits, and Ready before, goes to
    ``publish`` in the executor, and nowhere once the worker is closed. ``capacity`` bounds the
    inbox; ``put`` returns False and drops the item where it is full.
    """

    def __init__(self, *, node: ManagedNode, group: CallbackGroup, setup: Callable[[], Any],
                 compute: Callable[[Any, list[Any], Emit], bool],
                 publish: Callable[[Any], None], capacity: int, name: str,
                 stand_back: bool = False) -> None:
        """
        Create the guard condition; call start() to begin.

        With ``stand_back`` the thread, and those that it starts, give way to all others.
        """
        self._setup, self._compute, self._publish = setup, compute, publish
        self._node, self._turns = node, node.turns
        self._capacity, self._stand_back = capacity, stand_back
        self._inbox: deque[Any] = deque()
        self._outbox: deque[Any] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._busy = self._over = self._handing = False
        self._guard = node.create_guard_condition(
            node.exclusive(self._drain), callback_group=group)
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    @property
    def idle(self) -> bool:
        """True when nothing waits, runs or is still to be published."""
        with self._wake:
            return not (self._inbox or self._busy or self._outbox or self._handing)

    @property
    def handed_over(self) -> bool:
        """True when all that was emitted is published."""
        with self._wake:
            return not (self._outbox or self._handing)

    @property
    def alive(self) -> bool:
        """True while the thread runs."""
        return self._thread.is_alive()

    def start(self) -> None:
        """Start the thread."""
        self._busy = True  # until setup is through
        if self._turns is not None:
            self._turns.join(self)
        self._thread.start()

    def put(self, item: Any, *, always: bool = False) -> bool:
        """Hand in an item; ``always`` is for commands, which must not wait behind data."""
        most = self._capacity + _MOST_COMMANDS * always
        with self._wake:
            if self._closing or len(self._inbox) >= most:
                return False
            self._inbox.append(item)
            self._wake.notify_all()
            return True

    def finish(self, patience_s: float) -> bool:
        """
        Wait until everything that was put is computed and publish it, in the caller's thread.

        The caller holds the node's lock. False where that took longer than ``patience_s`` s.
        """
        with self._wake:
            done = self._wake.wait_for(
                lambda: self._over or not (self._inbox or self._busy), patience_s)
        self._drain()
        return done

    def emit(self, output: Any) -> None:
        """Hand an output to the executor; called by compute, in the worker's thread."""
        with self._wake:  # close destroys the guard condition, but not while it is triggered
            if not self._closing:
                self._outbox.append(output)
                self._guard.trigger()
        self._wait_for_turn(begins=False)

    def close(self) -> None:
        """
        Stop after the running computation and drop the rest.

        Waits for the thread, but not for ever: one that loads a model is left to itself. What
        it still emits is dropped.
        """
        with self._wake:
            self._closing = True
            self._wake.notify_all()
        if self._turns is not None:
            self._turns.leave(self)
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(_PATIENCE_S)
            _left_behind[:] = [thread for thread in (*_left_behind, self._thread)
                               if thread.is_alive()]
        self._node.destroy_guard_condition(self._guard)

    def _run(self) -> None:
        try:
            if self._stand_back:
                _lower_priority()
            began = time.monotonic()
            result = self._setup()
            self.emit(Ready(result, time.monotonic() - began))
            self._busy = False
            while self._wait_for_items():
                items = self._take_items()
                self._busy = self._compute(result, items, self.emit)
        except Exception as error:  # noqa: BLE001 - whatever it is, the operator must see it
            self.emit(WorkerFailure(error))
        finally:
            with self._wake:
                self._busy, self._over = False, True
                self._wake.notify_all()

    def _wait_for_items(self) -> bool:
        """Return when there is something to do; False when closing."""
        with self._wake:
            while not (self._inbox or self._busy or self._closing):
                self._wake.notify_all()  # for finish
                self._wake.wait()
            begins = not self._busy
        if begins:
            self._wait_for_turn(begins=True)
        return not self._closing

    def _wait_for_turn(self, *, begins: bool) -> None:
        if self._turns is not None:
            self._turns.wait(self, begins=begins)

    def _take_items(self) -> list[Any]:
        with self._wake:
            items = list(self._inbox)
            self._inbox.clear()
            self._busy = True
            return items

    def _drain(self) -> None:
        while self._outbox and not self._closing:
            self._handing = True  # first, for whoever asks whether all is handed over
            try:
                self._publish(self._outbox.popleft())
            finally:
                self._handing = False


def _lower_priority() -> None:
    # On Linux each thread has a niceness of its own, which the threads that it starts inherit.
    with contextlib.suppress(OSError, AttributeError):  # another system
        thread = threading.get_native_id()
        before = os.getpriority(os.PRIO_PROCESS, thread)
        os.setpriority(os.PRIO_PROCESS, thread, min(19, before + _NICENESS))
