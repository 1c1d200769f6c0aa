"""
An executor that finds ready callbacks without asking every node anew at each message.

rclpy's own executors walk over everything of all nodes, and build a wait set of it, each time
that they wait: some 3 ms for our nodes, a hundred times a second, which was two thirds of what
an assistant costs in a quiet room. What nodes have changes rarely, and whoever changes it wakes
the executor; so here it is gathered once, and again only after that. Callback groups, tasks and
the taking of messages are rclpy's own.

What the two have in common, so that nothing is waited for in vain: whatever is ready and not
taken stays ready in the middleware, except for a guard condition, which is triggered again where
its group is busy. Who ends a callback wakes this executor where a group was passed over or a
coroutine pauses.
"""

import inspect
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from rclpy.context import Context
from rclpy.exceptions import InvalidHandle
from rclpy.executors import (
    Executor,
    ExternalShutdownException,
    ShutdownException,
    TimeoutException,
)
from rclpy.node import Node
from rclpy.task import Future, Task

from audio_interaction_ros.nodes.lifecycle.kept_wait_set import (
    EVENT,
    GUARD,
    KINDS,
    WAITABLE,
    KeptWaitSet,
    Member,
)

__all__ = ['KeptExecutor', 'is_supported']

_GATHER_EVERY_S = 5.0
"""At the latest: what somebody changes without saying so is seen all the same."""
_Offer = tuple[Any, Any, Node | None]
_INNER_PARTS = ('_context', '_guard', '_sigint_gc', '_is_shutdown', '_tasks', '_tasks_lock',
                '_take_waitable', *(f'_take_{kind}' for kind in KINDS))


def is_supported(executor: Executor) -> bool:
    """
    Tell whether an executor of rclpy has the inner parts that this one rests on.

    Humble takes messages in another way, and releases after Kilted keep tasks in another way.
    """
    made_from = list(inspect.signature(executor._make_handler).parameters)
    return (made_from == ['entity', 'node', 'take_from_wait_list']
            and not hasattr(executor, '_call_task_in_next_spin')
            and all(hasattr(executor, part) for part in _INNER_PARTS))


class KeptExecutor(Executor):
    """
    Finds callbacks that are ready; whoever runs one does so with ``run_task``, in any thread.

    One thread at a time may wait. A task is handed out once, and again only where it pauses.
    """

    _tasks: list[_Offer]

    def __init__(self, *, context: Context | None = None) -> None:
        """Gather nothing yet; rclpy must be up in the context (None: the usual one)."""
        self._changed, self._gathered_at = True, 0.0
        self._passed_over = False
        # Most callbacks are over before anything else of their group comes, so all is waited for
        # until something comes that has to wait: else each callback would need another wait.
        self._pass_over = False
        self._kept = KeptWaitSet()
        self._waiting = threading.RLock()
        self._ready: deque[Member] = deque()
        self._handed_out: dict[Any, int] = {}
        """Tasks under way, each with how many had ended when it was handed out."""
        self._ended = self._paused = 0
        super().__init__(context=context)
        self._take = {kind: getattr(self, f'_take_{kind}') for kind in (*KINDS, WAITABLE)}
        self._take[EVENT] = self._take[WAITABLE]

    def wake(self) -> None:
        """Gather anew: something was made or destroyed."""
        self._changed = True
        self._trigger()

    def add_node(self, node: Node) -> bool:
        """Take in a node; False where it is here already."""
        added = super().add_node(node)
        self.wake()
        return added

    def remove_node(self, node: Node) -> None:
        """Let a node go."""
        super().remove_node(node)
        self.wake()

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        """Stop waiting and let everything go; returns as rclpy's does."""
        ended = super().shutdown(timeout_sec)
        with self._waiting:
            self._ready.clear()
            self._kept.close()
        return ended

    def run_task(self, task: Any) -> None:
        """Run a task that was handed out; where it only pauses, it is handed out again."""
        try:
            task()
        finally:
            with self._tasks_lock:
                ended_before = self._handed_out.pop(task, self._ended)
                if task.done() or task.cancelled():
                    self._ended += 1
                    wakes = bool(self._paused) or self._passed_over
                else:  # it may wait for one that ended while it ran
                    self._paused += 1
                    wakes = ended_before != self._ended
            if wakes:
                self._trigger()

    def spin_once(self, timeout_sec: float | None = None) -> None:
        """Run one callback that is ready, waiting for it; raises what it raised."""
        self._spin_once_until_future_complete(None, timeout_sec)

    def spin_once_until_future_complete(
            self, future: Future[Any], timeout_sec: Any = None) -> None:
        """Run one callback that is ready; return without one when the future is done."""
        future.add_done_callback(lambda _: self.wake())
        self._spin_once_until_future_complete(future, timeout_sec)

    def _spin_once_until_future_complete(
            self, future: Future[Any] | None, timeout_sec: Any = None) -> None:
        timeout_s = getattr(timeout_sec, 'timeout', timeout_sec)
        try:
            task = self.wait_for_ready_callbacks(
                timeout_s, None, future.done if future else lambda: False)[0]
        except (ShutdownException, TimeoutException):
            return
        self.run_task(task)
        if task.done():
            task.result()

    def _wait_for_ready_callbacks(  # type: ignore[override]
            self, timeout_sec: float | None = None, _nodes: Any = None,
            condition: Callable[[], bool] = lambda: False) -> Iterator[_Offer]:
        """
        Yield what is ready, waiting for it; of all nodes.

        Raises TimeoutException after ``timeout_sec`` (None or negative: never) or where
        ``condition`` holds, ShutdownException and ExternalShutdownException as rclpy's does.
        """
        limit = None if timeout_sec is None or timeout_sec < 0 else time.monotonic() + timeout_sec
        while not condition():
            # before anything is handed out: a coroutine that pauses must not be all there is
            self._wait(limit)
            found = False
            for offer in self._find_offers():
                found = True
                yield offer
            if found:
                return
            if limit is not None and time.monotonic() >= limit:
                break
        raise TimeoutException

    def _wait(self, limit: float | None) -> None:
        """Wait until something is ready, this is woken or the time is over; note what is."""
        with self._waiting:
            self._check_for_end()
            now = time.monotonic()
            if self._changed or now - self._gathered_at > _GATHER_EVERY_S:
                self._changed = False  # before looking: what changes from here on is looked for
                self._gathered_at = now
                try:
                    self._kept.gather(
                        self.get_nodes(), [guard for guard in (self._guard, self._sigint_gc)
                                           if guard is not None], self._context)
                except BaseException:
                    self._changed = True  # something went while it was looked at; once more
                    raise
            self._passed_over = True  # before looking: who ends from here on wakes this thread
            self._passed_over = self._kept.fill(pass_over=self._pass_over)
            self._pass_over = self._passed_over  # until nothing is in the way any more
            if self._ready:  # looking at what was found failed the last time
                limit = 0.0
            self._kept.wait(None if limit is None else limit - time.monotonic())
            self._check_for_end()
            self._ready.extend(self._kept.find_ready())

    def _check_for_end(self) -> None:
        if self._is_shutdown:
            raise ShutdownException
        if not self._context.ok():
            raise ExternalShutdownException

    def _find_offers(self) -> Iterator[_Offer]:
        """Yield what is ready, then tasks that nobody has taken and those that paused."""
        while self._ready:
            member = self._ready.popleft()
            task = self._begin(member)
            if task is not None:
                yield task, member.entity, member.node
        with self._tasks_lock:
            self._tasks = [offer for offer in self._tasks
                           if not offer[0].done() and not offer[0].cancelled()]
            offers = [offer for offer in self._tasks if offer[0] not in self._handed_out]
            self._paused = 0
        for offer in offers:
            self._handed_out[offer[0]] = self._ended
            yield offer

    def _begin(self, member: Member) -> Any:
        """Take what came and return the task that calls back; None where that has to wait."""
        entity, group = member.entity, member.entity.callback_group
        if not group.beginning_execution(entity):  # another of its group runs
            self._pass_over = True
            if member.kind == GUARD:
                with suppress(InvalidHandle):  # destroyed meanwhile
                    entity.trigger()
            return None
        try:
            call = self._take[member.kind](entity)
        except BaseException:
            group.ending_execution(entity)
            raise
        if call is None:  # it is gone, or another took what came
            group.ending_execution(entity)
            self._changed = True
            return None

        async def run() -> None:
            try:
                await call()
            finally:
                group.ending_execution(entity)
        task: Any = Task(run, executor=self)
        with self._tasks_lock:
            self._tasks.append((task, entity, member.node))
            self._handed_out[task] = self._ended
        return task

    def _trigger(self) -> None:
        guard = self._guard
        if guard is not None:
            with suppress(InvalidHandle):  # this executor ends
                guard.trigger()
