"""
An executor that finds ready callbacks without asking every node anew at each message.

rclpy's own executor walks over everything of all nodes, and builds a wait set of it, each time
that it waits: some 3 ms for our nodes, a hundred times a second, which was two thirds of what
an assistant costs in a quiet room. What nodes have changes rarely, and whoever changes it wakes
the executor; so here it is gathered once, and again only after that. Callback groups, tasks and
the taking of messages are rclpy's own.
"""

import inspect
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Any, NamedTuple

from rclpy.context import Context
from rclpy.exceptions import InvalidHandle
from rclpy.executors import (
    Executor,
    ExternalShutdownException,
    ShutdownException,
    SingleThreadedExecutor,
    TimeoutException,
)
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node
from rclpy.task import Task

__all__ = ['KeptWaitSetExecutor', 'is_supported']

_KINDS = ('subscription', 'guard_condition', 'timer', 'client', 'service')
"""As WaitSet orders and names them; a sixth, events, belongs to waitables."""
_WAITABLE = 'waitable'
_EVENT = 'event'
_EVENTS_EVERY_S = 1.0
"""So often is looked at what a topic has to say of itself, such as a quality of service that does
not fit. It is kept until then, nobody waits for it, and it is half of all that can be waited
for."""
_Offer = tuple[Any, Any, Node | None]


def is_supported() -> bool:
    """Tell whether rclpy hands out callbacks as this executor expects; Humble's does not."""
    made_from = list(inspect.signature(Executor._make_handler).parameters)
    return made_from == ['self', 'entity', 'node', 'take_from_wait_list']


class _Member(NamedTuple):
    """What can be waited for: something of one of the kinds, or a waitable of several."""

    entity: Any
    node: Node
    kind: str


def _name_kind(waitable: Any) -> str:
    counts = waitable.get_num_entities()
    others = (counts.num_subscriptions, counts.num_guard_conditions, counts.num_timers,
              counts.num_clients, counts.num_services)
    return _WAITABLE if any(others) else _EVENT


class KeptWaitSetExecutor(SingleThreadedExecutor):
    """
    Finds callbacks that are ready; whoever has run one says so with ``note_run``.

    A task is offered once until then. Everything gathered is marked as in use, so what a thread
    destroys meanwhile lives until this one has seen it, which is at once.
    """

    _tasks: list[_Offer]

    def __init__(self, *, context: Context | None = None) -> None:
        """Gather nothing yet; rclpy must be up in the context (None: the usual one)."""
        self._changed = True
        self._waiting = threading.RLock()
        self._held = ExitStack()
        self._members: dict[int, _Member] = {}
        """By the pointer of the handle, by which the wait set names what is ready."""
        self._waitables: list[_Member] = []
        self._deferred: dict[Any, _Member] = {}
        """What is ready and waits for its group, by entity."""
        self._events_at = 0.0
        self._wait_set: Any = None
        self._offered: set[Any] = set()
        self._take: dict[str, Callable[[Any], Any]] = {}
        super().__init__(context=context)
        for kind in _KINDS:
            self._take[kind] = getattr(self, f'_take_{kind}')
        self._take[_WAITABLE] = self._take[_EVENT] = self._take_waitable

    def note_run(self, task: Any) -> None:
        """Note that a task has run; where it only pauses, it is offered again."""
        self._offered.discard(task)
        if not task.done() and self._guard:
            self._guard.trigger()

    def wake(self) -> None:
        """Gather anew: something was made or destroyed."""
        self._changed = True
        super().wake()

    def add_node(self, node: Node) -> bool:
        """Take in a node; False where it is here already."""
        self._changed = True
        return super().add_node(node)

    def remove_node(self, node: Node) -> None:
        """Let a node go."""
        self._changed = True
        super().remove_node(node)

    def shutdown(self, timeout_sec: float | None = None) -> bool:
        """Stop waiting and let everything go; returns as rclpy's does."""
        ended = super().shutdown(timeout_sec)
        with self._waiting:
            self._let_go()
        return ended

    def _wait_for_ready_callbacks(  # type: ignore[override]
            self, timeout_sec: float | None = None, *_more: Any) -> Iterator[_Offer]:
        """Yield what is ready, waiting for it; raises as rclpy's does."""
        limit = None if timeout_sec is None or timeout_sec < 0 else time.monotonic() + timeout_sec
        found = False
        while not found:
            for offer in self._offer_tasks():
                found = True
                yield offer
            for member in self._wait(limit):
                task = self._begin(member)
                if task is not None:
                    found = True
                    yield task, member.entity, member.node
            if not found and limit is not None and time.monotonic() >= limit:
                raise TimeoutException

    def _offer_tasks(self) -> Iterator[_Offer]:
        """Yield tasks that nobody has taken, and those that pause until something comes."""
        with self._tasks_lock:
            self._tasks = [offer for offer in self._tasks
                           if not offer[0].done() and not offer[0].cancelled()]
            offers = list(self._tasks)
        for offer in offers:
            task = offer[0]
            if task not in self._offered and not task.executing() and not task.done():
                self._offered.add(task)
                yield offer

    def _begin(self, member: _Member) -> Any:
        """
        Take what came and return the task that calls back; None where that has to wait.

        It waits where another of its group runs. Who ends that looks whether somebody waits, and
        this thread looks whether the group is free before it waits for more, so nobody is missed.
        """
        group = member.entity.callback_group
        if not group.beginning_execution(member.entity):
            self._deferred[member.entity] = member
            return None
        try:
            call = self._take[member.kind](member.entity)
        except BaseException:
            group.ending_execution(member.entity)
            raise

        async def run() -> None:
            try:
                if call is not None:
                    await call()
            finally:
                group.ending_execution(member.entity)
                if self._deferred and self._guard:
                    with suppress(InvalidHandle):  # this executor ends
                        self._guard.trigger()
        task: Any = Task(run, executor=self)
        self._offered.add(task)
        with self._tasks_lock:
            self._tasks.append((task, member.entity, member.node))
        return task

    def _wait(self, limit: float | None) -> list[_Member]:
        """Wait until something is ready, this is woken or the time is over; return what is."""
        with self._waiting:
            if self._is_shutdown:
                raise ShutdownException
            if self._changed:
                self._changed = False  # before looking: what changes from here on is looked for
                try:
                    self._gather()
                except BaseException:
                    self._changed = True  # something went while it was looked at; once more
                    raise
            free = [member for member in self._deferred.values()
                    if member.entity.callback_group.can_execute(member.entity)]
            if free:
                for member in free:
                    del self._deferred[member.entity]
                return free
            waitables = self._fill()
            self._wait_set.wait(
                -1 if limit is None else max(0, round(1e9 * (limit - time.monotonic()))))
            if self._is_shutdown:
                raise ShutdownException
            if not self._context.ok():
                raise ExternalShutdownException
            return self._find_ready(waitables)

    def _gather(self) -> None:
        """Look at everything that the nodes have, and keep it from being destroyed."""
        self._let_go()
        sizes = dict.fromkeys(_KINDS, 0)
        for node in self.get_nodes():
            for kind, entities in zip(_KINDS, (node.subscriptions, node.guards, node.timers,
                                               node.clients, node.services), strict=True):
                for entity in filter(self._hold, list(entities)):
                    self._members[entity.handle.pointer] = _Member(entity, node, kind)
                    sizes[kind] += 1
            self._waitables += (_Member(waitable, node, _name_kind(waitable))
                                for waitable in list(node.waitables) if self._hold(
                                    waitable, waitable))
        # what waits and is still there; the rest was destroyed
        here = {member.entity for member in (*self._members.values(), *self._waitables)}
        self._deferred = {entity: member for entity, member in self._deferred.items()
                          if entity in here}
        counts = [member.entity.get_num_entities() for member in self._waitables]
        for guard in (self._guard, self._sigint_gc):
            if guard is not None:
                self._hold(guard)
        self._held.enter_context(self._context.handle)
        self._wait_set = rclpy_implementation.WaitSet(
            sizes['subscription'] + sum(count.num_subscriptions for count in counts),
            # this executor's own and that of signals
            sizes['guard_condition'] + 2 + sum(count.num_guard_conditions for count in counts),
            sizes['timer'] + sum(count.num_timers for count in counts),
            sizes['client'] + sum(count.num_clients for count in counts),
            sizes['service'] + sum(count.num_services for count in counts),
            sum(count.num_events for count in counts), self._context.handle)

    def _hold(self, entity: Any, held: Any = None) -> bool:
        """Mark something as in use; False where it is being destroyed."""
        try:
            self._held.enter_context(held or entity.handle)
        except InvalidHandle:
            return False
        return True

    def _let_go(self) -> None:
        """Forget what was gathered; what was destroyed meanwhile goes now."""
        self._members, self._waitables, self._wait_set = {}, [], None
        self._held.close()

    def _fill(self) -> list[_Member]:
        """Put into the wait set whatever is not known to be ready; return its waitables."""
        self._wait_set.clear_entities()
        add = {kind: getattr(self._wait_set, f'add_{kind}') for kind in _KINDS}
        for member in self._members.values():
            if member.entity not in self._deferred:
                add[member.kind](member.entity.handle)
        for guard in (self._guard, self._sigint_gc):
            if guard is not None:
                add['guard_condition'](guard.handle)
        now = time.monotonic()
        seldom = now >= self._events_at
        if seldom:
            self._events_at = now + _EVENTS_EVERY_S
        waitables = [member for member in self._waitables
                     if member.entity not in self._deferred
                     and (seldom or member.kind != _EVENT)]
        for member in waitables:
            member.entity.add_to_wait_set(self._wait_set)
        return waitables

    def _find_ready(self, waitables: list[_Member]) -> list[_Member]:
        ready = [member for member in waitables if member.entity.is_ready(self._wait_set)]
        for kind in _KINDS:
            for pointer in self._wait_set.get_ready_entities(kind):
                member = self._members.get(pointer)  # None: of a waitable, or our own guard
                # a cancelled timer is told as ready by some releases of rcl
                if member is not None and (
                        kind != 'timer' or member.entity.handle.is_timer_ready()):
                    ready.append(member)
        return ready
