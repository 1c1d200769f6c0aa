"""
A lifecycle node with one lock: what is made with ``managed_…`` is called with it held.

Owns these publishers, subscriptions, timers and services: they speak and hear only while the node
is active, and go at cleanup. Knows no parameters and no transitions.
"""

import threading
from collections.abc import Callable
from typing import Any

from rclpy.lifecycle import LifecycleNode
from rclpy.qos import QoSProfile

from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.nodes.lifecycle.endpoints import QosWatch
from audio_interaction_ros.nodes.lifecycle.host_node import LockHolder
from audio_interaction_ros.nodes.lifecycle.name_watch import NameWatch
from audio_interaction_ros.nodes.lifecycle.steady_timer import steady_timer

__all__ = ['LockedNode']


class LockedNode(LockHolder, LifecycleNode):
    """Base of ManagedNode: its lock and what it has in the graph of ROS."""

    def __init__(self, name: str, **options: Any) -> None:
        """Join the graph with nothing but what rclpy adds."""
        super().__init__(name, **options)
        self.lock = threading.RLock()
        """Held by whatever reads or changes the state of the node; never for long."""
        self.active = False
        self.qos_watch = QosWatch(node=self)
        self.name_watch = NameWatch(node=self)
        self._lifecycle_publishers: list[Any] = []
        self._entities: list[tuple[Callable[[Any], Any], Any]] = []
        self._life = object()
        """Another one after each cleanup: what was under way then must not be called."""

    def managed_publisher(self, kind: Any, topic: str, profile: QoSProfile, *,
                          always: bool = False) -> Any:
        """Create a publisher that speaks only while active, or ``always``, and goes at cleanup."""
        if always:
            plain = self.create_publisher(kind, topic, profile)
            self._entities.append((self.destroy_publisher, plain))
            return plain
        publisher = self.create_lifecycle_publisher(kind, topic, profile)
        self._lifecycle_publishers.append(publisher)
        return publisher

    def managed_subscription(self, kind: Any, topic: str, callback: Callable[[Any], None],
                             profile: QoSProfile, *, always: bool = False,
                             **options: Any) -> Any:
        """Create a subscription, heard only while active, or ``always``; it goes at cleanup."""
        life = self._life

        def call_if_active(message: Any) -> None:
            with self.lock:
                if life is self._life and (self.active or always):
                    callback(message)
        self.qos_watch.watch(topic, profile)
        subscription = self.create_subscription(kind, topic, call_if_active, profile, **options)
        self._entities.append((self.destroy_subscription, subscription))
        return subscription

    def managed_timer(self, period_s: float, callback: Callable[[], None], *,
                      always: bool = False, **options: Any) -> None:
        """
        Create a timer of real time that goes at cleanup.

        It calls only while the node is active, or ``always``.
        """
        life = self._life

        def call_if_active() -> None:
            with self.lock:
                if life is self._life and (self.active or always):
                    callback()
        self._entities.append(
            (self.destroy_timer, steady_timer(self, period_s, call_if_active, **options)))

    def managed_service(self, kind: Any, name: str, callback: Callable[[Any, Any], Any],
                        **options: Any) -> None:
        """Create a service that goes at cleanup; what its callback raises becomes its answer."""
        life = self._life

        def answer(request: Any, response: Any) -> Any:
            try:
                with self.lock:
                    if life is not self._life:
                        raise AudioInteractionError('the node was cleaned up; try again')
                    return callback(request, response)
            except Exception as error:  # noqa: BLE001 - a bad request must not end the node
                response.success, response.message = False, str(error)
                return response
        self._entities.append(
            (self.destroy_service, self.create_service(kind, name, answer, **options)))

    def destroy_entities(self) -> None:
        """Destroy all that was made with ``managed_…``; nothing of it is called any more."""
        self._life = object()
        while self._entities:
            destroy, entity = self._entities.pop()
            destroy(entity)
        while self._lifecycle_publishers:
            self.destroy_lifecycle_publisher(self._lifecycle_publishers.pop())
