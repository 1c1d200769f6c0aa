"""
A lifecycle node that keeps the five rules which rclpy's lifecycle needs.

Transitions are quick (models load in the worker); an exception in one is logged and becomes a
failure instead of vanishing; releasing is idempotent; subscriptions are gated by ``active``;
diagnostics run in every state. Knows nothing of audio.
"""

import traceback
from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import QoSProfile

from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.nodes import parameters
from audio_interaction_ros.nodes.diagnostics import QosWatch
from audio_interaction_ros.nodes.live_parameters import answered, check_change, logger_service
from audio_interaction_ros.nodes.steady import steady_timer

__all__ = ['ManagedNode']

_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class ManagedNode(LifecycleNode):
    """
    Base of encoder_node and decoder_node.

    A subclass writes ``set_up``, ``start``, ``stop``, ``tear_down`` and ``apply``; each may raise.
    """

    def __init__(self, name: str, *, groups: tuple[str, ...], lanes: bool = False,
                 **options: Any) -> None:
        """Declare the parameters; nothing else happens before configure."""
        super().__init__(name, **{**logger_service(), **options})
        self.declare_parameter('autostart', True, ParameterDescriptor(
            description='Configure and activate the node when it starts.', read_only=True))
        self.active = False
        self.failure = ''
        """Why the node cannot work; empty while it can."""
        self.qos_watch = QosWatch(node=self)
        self._lifecycle_publishers: list[Any] = []
        self._entities: list[tuple[Callable[[Any], Any], Any]] = []
        self._groups, self._has_lanes = groups, lanes
        self._role = name  # the node itself may be called otherwise
        self._starting = self._broken = False
        self._declare_error = ''
        try:
            parameters.declare(self, groups, lanes=lanes)
        except Exception as error:  # noqa: BLE001 - rclpy raises several kinds for bad values
            self._declare_error = f'parameters: {error}'
            self.report_failure(self._declare_error)
        self.add_on_set_parameters_callback(self._on_set_parameters)
        steady_timer(self, 0.2, self._fall_back,
                     callback_group=MutuallyExclusiveCallbackGroup())

    def autostart(self) -> None:
        """Configure and activate, unless the parameter autostart says otherwise."""
        if not self.get_parameter('autostart').value:
            return
        self._starting = True
        try:
            if self.trigger_configure() == _SUCCESS:
                self.trigger_activate()
        finally:
            self._starting = False

    @property
    def state(self) -> str:
        """Name of the lifecycle state: unconfigured, inactive, active or finalized."""
        return str(self._state_machine.current_state[1])

    def report_failure(self, message: str) -> None:
        """Log and keep for diagnostics what stops the node from working."""
        self.failure = message
        self.get_logger().error(message)

    def give_up(self, message: str) -> None:
        """Report why the node cannot work; it becomes unconfigured, ready for another try."""
        self.report_failure(message)
        self._broken = True

    def _fall_back(self) -> None:
        """Leave the state in which the node cannot work, once no transition is under way."""
        if not self._broken or self._starting:
            return
        state = self.state
        if state == 'active':
            self.trigger_deactivate()
        elif state == 'inactive':
            self._broken = False
            self.trigger_cleanup()
        elif state == 'unconfigured':
            self._broken = False

    def managed_publisher(self, kind: Any, topic: str, profile: QoSProfile) -> Any:
        """Create a publisher that speaks only while active and goes at cleanup."""
        publisher = self.create_lifecycle_publisher(kind, topic, profile)
        self._lifecycle_publishers.append(publisher)
        return publisher

    def managed_subscription(self, kind: Any, topic: str, callback: Callable[[Any], None],
                             profile: QoSProfile, **options: Any) -> Any:
        """Create a subscription that is heard only while active and goes at cleanup."""
        def gated(message: Any) -> None:
            if self.active:
                callback(message)
        self.qos_watch.watch(topic, profile)
        subscription = self.create_subscription(kind, topic, gated, profile, **options)
        self._entities.append((self.destroy_subscription, subscription))
        return subscription

    def managed_timer(self, period_s: float, callback: Callable[[], None], *,
                      always: bool = False, **options: Any) -> None:
        """
        Create a timer of real time that goes at cleanup.

        It calls only while the node is active, or ``always``.
        """
        def gated() -> None:
            if self.active or always:
                callback()
        self._entities.append(
            (self.destroy_timer, steady_timer(self, period_s, gated, **options)))

    def managed_service(self, kind: Any, name: str, callback: Callable[[Any, Any], Any],
                        **options: Any) -> None:
        """Create a service that goes at cleanup; what its callback raises becomes its answer."""
        def answered(request: Any, response: Any) -> Any:
            try:
                return callback(request, response)
            except Exception as error:  # noqa: BLE001 - a bad request must not end the node
                response.success, response.message = False, str(error)
                return response
        self._entities.append(
            (self.destroy_service, self.create_service(kind, name, answered, **options)))

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters and set up."""
        return self._guarded('configure', self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to work."""
        super().on_activate(state)
        return self._guarded('activate', self._activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop working; the model stays loaded."""
        result = self._guarded('deactivate', self._deactivate)
        super().on_deactivate(state)
        return result

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything."""
        return self._guarded('cleanup', self.release)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything."""
        return self._guarded('shutdown', self.release)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything; the node can be configured again."""
        return self._guarded('error', self.release)

    def release(self) -> None:
        """Release everything that set_up made; may be called at any time, any number of times."""
        self.active = False
        self.tear_down()
        while self._entities:
            destroy, entity = self._entities.pop()
            destroy(entity)
        while self._lifecycle_publishers:
            self.destroy_lifecycle_publisher(self._lifecycle_publishers.pop())

    def destroy_node(self) -> None:
        """Release everything, then the node."""
        self.release()
        super().destroy_node()

    def set_up(self) -> None:
        """Create what the node needs."""
        raise NotImplementedError

    def start(self) -> None:
        """Begin to work."""
        raise NotImplementedError

    def stop(self) -> None:
        """Pause."""
        raise NotImplementedError

    def tear_down(self) -> None:
        """Stop threads and forget; idempotent."""
        raise NotImplementedError

    def apply(self, config: AssistantConfig) -> None:
        """
        Take what ``live_parameters.LIVE`` names from a new configuration; nothing else changed.

        Called in the callback group of the parameter services, with ``config`` not yet set.
        """
        raise NotImplementedError

    def _on_set_parameters(self, changed: list[Any]) -> SetParametersResult:
        configured = self.state != 'unconfigured'
        try:
            config = check_change(self, self._role, {one.name: one.value for one in changed},
                                  configured=configured)
            if configured and config is not None:
                self.apply(config)
                self.config = config
        except AudioInteractionError as error:
            return answered([str(error)])
        except Exception as error:  # noqa: BLE001 - a change must not end the node
            self.get_logger().error(traceback.format_exc())
            return answered([repr(error)])
        return answered([])

    def _configure(self) -> None:
        self.failure, self._broken = '', False
        if self._declare_error:
            raise AudioInteractionError(self._declare_error)
        parameters.refuse_unknown(self)
        self.config = parameters.read(self)
        self.set_up()

    def _activate(self) -> None:
        self.start()
        self.active = True

    def _deactivate(self) -> None:
        self.active = False
        self.stop()

    def _guarded(self, name: str, action: Callable[[], None]) -> TransitionCallbackReturn:
        try:
            action()
        except AudioInteractionError as error:
            self.report_failure(f'{name} failed: {error}')
        except Exception as error:  # noqa: BLE001 - rclpy would swallow it
            self.report_failure(f'{name} failed: {error!r}')
            self.get_logger().error(traceback.format_exc())
        else:
            return _SUCCESS
        if name == 'configure':
            self.release()
        return _FAILURE
