"""
Workers that take turns, so that what comes of a stream does not depend on how long each takes.

It is as in a program without threads: whoever hands something out goes on when all that follows
of it is done. A worker stops before it takes what came, and after each thing that it hands out.
When nothing moves any more, one goes on: first who has something new to begin, then who handed
something out last. For replays; a robot's workers run freely. Knows no topics.
"""

import threading
from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ['Traffic', 'Turns']


class _Member(Protocol):
    @property
    def idle(self) -> bool: ...
    @property
    def handed_over(self) -> bool: ...


class Traffic:
    """Messages that are under way between nodes of one process, counted and not guessed."""

    def __init__(self) -> None:
        """Start with none."""
        self._lock = threading.Lock()
        self._listeners: Counter[str] = Counter()
        self._owed: Counter[str] = Counter()
        self._publishers: list[tuple[str, Any]] = []
        self.sent = 0
        """Messages that somebody here listens to, so far."""

    def count_sent(self, publisher: Any) -> Any:
        """Count what a publisher sends from now on; return it."""
        topic, publish = publisher.topic_name, publisher.publish

        def publish_counted(message: Any) -> None:
            if getattr(publisher, 'is_activated', True):
                with self._lock:
                    self._owed[topic] += self._listeners[topic]
                    self.sent += bool(self._listeners[topic])
            publish(message)
        publisher.publish = publish_counted
        self._publishers.append((topic, publisher))
        return publisher

    def count_received(self, topic: str, callback: Callable[[Any], None]
                       ) -> Callable[[Any], None]:
        """Return what calls back and then counts a message of a topic, by its full name."""
        self._listeners[topic] += 1

        def call_counted(message: Any) -> None:
            try:
                callback(message)
            finally:
                with self._lock:
                    self._owed[topic] -= 1
        return call_counted

    @property
    def still(self) -> bool:
        """True when everything that was sent was received and worked off."""
        with self._lock:
            return not any(self._owed.values())

    @property
    def connected(self) -> bool:
        """True when every publisher has found all who listen to it here."""
        return all(publisher.get_subscription_count() >= self._listeners[topic]
                   for topic, publisher in self._publishers)


class Turns:
    """Whose turn it is, among the workers of one process."""

    def __init__(self, traffic: Traffic) -> None:
        """Let nobody go on while ``traffic`` is not still."""
        self._traffic = traffic
        self._changed = threading.Condition()
        self._members: list[_Member] = []
        self._waiting: dict[_Member, bool] = {}
        self._over = False

    def join(self, member: _Member) -> None:
        """Take in a worker; who joined first begins first."""
        with self._changed:
            self._members.append(member)

    def leave(self, member: _Member) -> None:
        """Let a worker go its way."""
        with self._changed:
            self._members = [one for one in self._members if one is not member]
            self._waiting.pop(member, None)
            self._changed.notify_all()

    def wait(self, member: _Member, *, begins: bool) -> None:
        """Return when it is a worker's turn, in its own thread; ``begins``: to take what came."""
        with self._changed:
            if self._over or member not in self._members:
                return
            self._waiting[member] = begins
            self._changed.wait_for(lambda: self._over or member not in self._waiting)

    def advance(self) -> bool:
        """Let one go on where nothing moves; True where nobody waits either: all is done."""
        with self._changed:
            if not self._nothing_moves():
                return False
            who = next((one for one in self._members if self._waiting.get(one)),
                       next(reversed(self._waiting), None))
            if who is None:
                return True
            del self._waiting[who]
            self._changed.notify_all()
            return False

    def end(self) -> None:
        """Let all run freely from now on."""
        with self._changed:
            self._over = True
            self._waiting.clear()
            self._changed.notify_all()

    def _nothing_moves(self) -> bool:
        sent = self._traffic.sent
        return (self._traffic.still
                and all(one.handed_over if one in self._waiting else one.idle
                        for one in self._members)
                # no message came between the two looks, which a worker may have got
                and self._traffic.still and self._traffic.sent == sent)
