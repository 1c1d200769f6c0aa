"""
All that nodes have and somebody can wait for, gathered once and waited for many times.

A wait set of ROS 2 forgets what is in it at each wait, so it is filled again each time; but what
goes in is looked up only when it changes. Everything gathered is marked as in use: what a thread
destroys meanwhile lives until the next gathering, which is at once, for whoever destroys wakes
the executor.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

from rclpy.callback_groups import CallbackGroup
from rclpy.context import Context
from rclpy.exceptions import InvalidHandle
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.node import Node

__all__ = ['EVENT', 'GUARD', 'KINDS', 'WAITABLE', 'KeptWaitSet', 'Member']

GUARD = 'guard_condition'
KINDS = (GUARD, 'subscription', 'timer', 'client', 'service')
"""As WaitSet names them. Guards come first: one is ready once only, and must not be lost where
looking at something else fails."""
WAITABLE = 'waitable'
EVENT = 'event'
_EVENTS_EVERY_S = 1.0
"""So often is looked at what a topic has to say of itself, such as a quality of service that does
not fit. It is kept until then, nobody waits for it, and it is half of all that can be waited
for."""


class Member(NamedTuple):
    """What can be waited for: something of one of the kinds, or a waitable of several."""

    entity: Any
    node: Node
    kind: str


class KeptWaitSet:
    """Waits for what nodes have; for one thread at a time."""

    def __init__(self) -> None:
        """Know nothing yet; gather first."""
        self._held = ExitStack()
        self._guards: list[Any] = []
        self._members: dict[int, Member] = {}
        """By the pointer of the handle, by which the wait set names what is ready."""
        self._groups: list[tuple[CallbackGroup, list[Member]]] = []
        self._events_at = 0.0
        self._asked: list[Member] = []
        """The waitables of the wait under way."""
        self._wait_set: Any = None

    def gather(self, nodes: Sequence[Node], guards: Sequence[Any], context: Context) -> None:
        """
        Look at everything that the nodes have; ``guards`` only wake and are nobody's members.

        What is being destroyed is left out. Raises what rclpy raises where something goes while
        it is looked at; then nothing is gathered, and the caller tries again.
        """
        self.close()
        members = [_name_kind(member) for node in nodes for member in _list_members(node)
                   if self._hold(member)]
        for handle in [guard.handle for guard in guards] + [context.handle]:
            self._held.enter_context(handle)
        groups: dict[int, tuple[CallbackGroup, list[Member]]] = {}
        for member in members:
            group = member.entity.callback_group
            groups.setdefault(id(group), (group, []))[1].append(member)
        plain = [member for member in members if member.kind in KINDS]
        counts = [member.entity.get_num_entities() for member in members
                  if member.kind not in KINDS]
        sizes = {kind: sum(member.kind == kind for member in plain)
                 + sum(getattr(count, f'num_{kind}s') for count in counts) for kind in KINDS}
        self._wait_set = rclpy_implementation.WaitSet(
            sizes['subscription'], sizes[GUARD] + len(guards), sizes['timer'], sizes['client'],
            sizes['service'], sum(count.num_events for count in counts), context.handle)
        self._guards, self._groups = list(guards), list(groups.values())
        self._members = {member.entity.handle.pointer: member for member in plain}

    def close(self) -> None:
        """Forget what was gathered; what was destroyed meanwhile goes now."""
        self._guards, self._members, self._groups = [], {}, []
        self._asked, self._wait_set = [], None
        self._held.close()

    def fill(self, *, pass_over: bool) -> bool:
        """
        Put in what may run, and unless ``pass_over`` also what must wait for another of its group.

        Returns True where a group that is busy was passed over.
        """
        add = {kind: getattr(self._wait_set, f'add_{kind}') for kind in KINDS}
        self._wait_set.clear_entities()
        self._asked = []
        for guard in self._guards:
            add[GUARD](guard.handle)
        now, passed_over = time.monotonic(), False
        with_events = now >= self._events_at
        if with_events:
            self._events_at = now + _EVENTS_EVERY_S
        for group, members in self._groups:
            if pass_over and not group.can_execute(members[0].entity):
                passed_over = True
                continue
            for member in members:
                if member.kind in add:
                    add[member.kind](member.entity.handle)
                elif with_events or member.kind == WAITABLE:
                    member.entity.add_to_wait_set(self._wait_set)
                    self._asked.append(member)
        return passed_over

    def wait(self, timeout_s: float | None) -> None:
        """Wait until something of what was put in is ready; None: as long as that takes."""
        self._wait_set.wait(-1 if timeout_s is None else max(0, round(1e9 * timeout_s)))

    def find_ready(self) -> Iterator[Member]:
        """Yield what the last wait found ready, guards first."""
        for kind in KINDS:
            for pointer in self._wait_set.get_ready_entities(kind):
                member = self._members.get(pointer)  # None: of a waitable, or only wakes
                # a cancelled timer is told as ready by some releases of rcl
                if member is not None and (
                        kind != 'timer' or member.entity.handle.is_timer_ready()):
                    yield member
        for member in self._asked:
            if member.entity.is_ready(self._wait_set):
                yield member

    def _hold(self, member: Member) -> bool:
        """Mark something as in use; False where it is being destroyed."""
        entity = member.entity
        try:
            self._held.enter_context(entity.handle if member.kind in KINDS else entity)
        except InvalidHandle:
            return False
        return True


def _list_members(node: Node) -> Iterator[Member]:
    for kind, entities in zip(KINDS, (node.guards, node.subscriptions, node.timers, node.clients,
                                      node.services), strict=True):
        for entity in list(entities):
            yield Member(entity, node, kind)
    for waitable in list(node.waitables):
        yield Member(waitable, node, WAITABLE)


def _name_kind(member: Member) -> Member:
    """Tell a waitable that is nothing but an event from others; it must be held."""
    if member.kind == WAITABLE:
        counts = member.entity.get_num_entities()
        if not any(getattr(counts, f'num_{kind}s') for kind in KINDS):
            return member._replace(kind=EVENT)
    return member
