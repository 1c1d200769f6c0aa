"""What a node must have that listens to audio, whether or not it has a lifecycle."""

import functools
import threading
from collections.abc import Callable
from typing import Any, Protocol

__all__ = ['HostNode', 'LockHolder']


class HostNode(Protocol):
    """A node of rclpy with one lock for all that it knows."""

    create_subscription: Any
    destroy_subscription: Any
    create_timer: Any
    destroy_timer: Any
    get_clock: Any
    get_fully_qualified_name: Any
    get_logger: Any
    get_namespace: Any
    get_publishers_info_by_topic: Any
    get_subscriptions_info_by_topic: Any
    resolve_topic_name: Any

    def exclusive(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        """Return the callback so that it runs with the node's lock held."""


class LockHolder:
    """One lock for all that a node knows; whoever inherits makes it."""

    lock: threading.RLock

    def exclusive(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        """Return the callback so that it runs with the node's lock held."""
        @functools.wraps(callback)
        def call_locked(*arguments: Any) -> Any:
            with self.lock:
                return callback(*arguments)
        return call_locked
