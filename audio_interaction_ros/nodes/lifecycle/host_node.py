"""What a node must have that listens to audio, whether or not it has a lifecycle."""

from collections.abc import Callable
from typing import Any, Protocol

__all__ = ['HostNode']


class HostNode(Protocol):
    """A node of rclpy with one lock for all that it knows."""

    create_subscription: Any
    destroy_subscription: Any
    create_timer: Any
    destroy_timer: Any
    get_clock: Any
    get_logger: Any
    get_namespace: Any
    get_publishers_info_by_topic: Any
    resolve_topic_name: Any

    def exclusive(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        """Return the callback so that it runs with the node's lock held."""
