"""
A lifecycle node that keeps the five rules which rclpy's lifecycle needs.

Transitions are quick (models load in the worker); an exception in one is logged and becomes a
failure instead of vanishing; releasing is idempotent; subscriptions are gated by ``active``;
diagnostics run in every state. A node that starts by itself (``autostart``) and cannot work is
configured again, with back-off, until it can. Everything that a node knows is touched under its
one ``lock``: what is made with ``managed_…`` is called with it held, whatever its callback group,
and so are transitions, the outputs of a worker and diagnostics. Knows nothing of audio.
"""

import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.qos import QoSProfile

from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.errors import AudioInteractionError, ConfigurationError
from audio_interaction_ros.nodes.lifecycle import parameters
from audio_interaction_ros.nodes.lifecycle.backoff import BackOff
from audio_interaction_ros.nodes.lifecycle.diagnostics import ERROR, WARN, QosWatch, StatusReport
from audio_interaction_ros.nodes.lifecycle.host_node import LockHolder
from audio_interaction_ros.nodes.lifecycle.live_parameters import (
    check_change,
    logger_service,
    make_answer,
    name_unknown,
)
from audio_interaction_ros.nodes.lifecycle.name_watch import NameWatch
from audio_interaction_ros.nodes.lifecycle.steady_timer import steady_timer
from audio_interaction_ros.nodes.lifecycle.turns import Turns

__all__ = ['ManagedNode']

_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class ManagedNode(LockHolder, LifecycleNode):
    """
    Base of encoder_node and decoder_node.

    A subclass writes ``set_up``, ``start``, ``stop``, ``tear_down`` and ``apply``; each may raise.
    """

    turns: Turns | None = None
    """Where workers wait for their turn, as in a replay; None: they run freely."""

    def __init__(self, name: str, *, groups: tuple[str, ...], lanes: bool = False,
                 **options: Any) -> None:
        """Declare the parameters; nothing else happens before configure."""
        super().__init__(name, **{**logger_service(), **options})
        self.lock = threading.RLock()
        """Held by whatever reads or changes the state of the node; never for long."""
        self.declare_parameter('autostart', True, ParameterDescriptor(
            description='Configure and activate the node when it starts.', read_only=True))
        self.active = False
        self.failure = ''
        """Why the node cannot work; empty while it can."""
        self._last_failure = ''
        self.qos_watch = QosWatch(node=self)
        self._name_watch = NameWatch(node=self)
        self._lifecycle_publishers: list[Any] = []
        self._entities: list[tuple[Callable[[Any], Any], Any]] = []
        self._groups, self._has_lanes = groups, lanes
        self._role = name  # the node itself may be called otherwise
        self._broken = self._configuration_is_wrong = False
        self._attempts = BackOff()
        self._awaited: dict[str, Any] = {}
        """What was accepted for a wrong configuration and may not be stored yet."""
        self._start_error = parameters.declare_checked(self, groups, lanes=lanes)
        if self._start_error:
            self.failure = self._last_failure = self._start_error  # said when it is configured
        self.add_on_set_parameters_callback(self.exclusive(self._on_set_parameters))
        # It rests while nothing fails: each timer wakes the executor, which costs in a quiet room.
        self._recovery = steady_timer(self, 0.2, self.exclusive(self._recover),
                                      callback_group=MutuallyExclusiveCallbackGroup())

    def set_parameters_atomically(self, parameter_list: list[Any]) -> SetParametersResult:
        """Set parameters; what the services ask for and nobody declared is refused by name."""
        unknown = [parameter.name for parameter in parameter_list
                   if not self.has_parameter(parameter.name)]
        if unknown:
            return make_answer(name_unknown(name, self._parameters) for name in unknown)
        return super().set_parameters_atomically(parameter_list)

    def autostart(self) -> None:
        """Configure and activate an unconfigured node, unless autostart says otherwise."""
        with self.lock:
            if not self.get_parameter('autostart').value or self.state != 'unconfigured':
                return
            if self.trigger_configure() == _SUCCESS:
                self.trigger_activate()

    def leave(self) -> bool:
        """Begin to tell whoever waits that the process ends; True where that is under way."""
        return False

    @property
    def owes_answers(self) -> bool:
        """True while somebody is not told yet what ``leave`` wants them to know."""
        return False

    @property
    def state(self) -> str:
        """Name of the lifecycle state: unconfigured, inactive, active or finalized."""
        return str(self._state_machine.current_state[1])

    def report_failure(self, message: str) -> None:
        """Log and keep for diagnostics what stops the node from working."""
        self.failure = self._last_failure = message
        self._recovery.reset()
        self.get_logger().error(message)

    def give_up(self, message: str, error: BaseException | None = None) -> None:
        """
        Report why the node cannot work; it becomes unconfigured and is tried again.

        A ConfigurationError is tried again only when a parameter has changed.
        """
        self._broken = True
        self.report_failure(message + self._plan_retry(error))

    def note_success(self) -> None:
        """Note that the node does what it is for: earlier failures are forgiven."""
        self._attempts.succeed()

    def report_attempts(self, report: StatusReport) -> None:
        """Say what keeps the node from working, and how often it was configured again."""
        self._name_watch.check(report)
        report.values.update(failures=self._attempts.total, last_failure=self._last_failure)
        if self.failure:
            report.add(ERROR, self.failure)
            report.values['next_try_s'] = self._attempts.left_s(time.monotonic())
        elif self._attempts.failures:
            report.add(WARN, f'try {self._attempts.failures + 1} after: {self._last_failure}')

    def _plan_retry(self, error: BaseException | None) -> str:
        """Decide when to try again; return it in words."""
        self._awaited = {}
        if self._start_error:
            self._attempts.give_up()
            return '; then start the node again'
        if not self.get_parameter('autostart').value:
            self._attempts.give_up()
            return ''
        # What the machine refuses today, a folder or a file, may work tomorrow.
        self._configuration_is_wrong = (isinstance(error, ConfigurationError)
                                        and not isinstance(error.__cause__, OSError))
        if self._configuration_is_wrong:
            self._attempts.give_up()
            return '; not tried again before a parameter is set'
        return f'; next try in {self._attempts.fail(time.monotonic()):.0f} s'

    def _is_stored(self) -> bool:
        """Tell whether a change that a wrong configuration waited for can be read by now."""
        return bool(self._awaited) and all(
            self.has_parameter(name) and self.get_parameter(name).value == value
            for name, value in self._awaited.items())

    def _recover(self) -> None:
        """Leave the state in which the node cannot work, and start again when it is time."""
        if not self.failure:
            self._recovery.cancel()
            return
        state = self.state
        try:
            if self._broken and state == 'active':
                self.trigger_deactivate()
            elif self._broken and state == 'inactive':
                self.trigger_cleanup()
            elif state == 'unconfigured':
                self._broken = False
                if self._configuration_is_wrong and self._is_stored():
                    self._configuration_is_wrong = False
                    self._attempts.try_now()
                if self._attempts.is_due(time.monotonic()):
                    self._attempts.stop_waiting()
                    self.autostart()
        except Exception as error:  # noqa: BLE001 - another transition is under way
            self.get_logger().debug(f'not now: {error!r}')

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
        def call_if_active(message: Any) -> None:
            with self.lock:
                if self.active or always:
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
        def call_if_active() -> None:
            with self.lock:
                if self.active or always:
                    callback()
        self._entities.append(
            (self.destroy_timer, steady_timer(self, period_s, call_if_active, **options)))

    def managed_service(self, kind: Any, name: str, callback: Callable[[Any, Any], Any],
                        **options: Any) -> None:
        """Create a service that goes at cleanup; what its callback raises becomes its answer."""
        def answer(request: Any, response: Any) -> Any:
            try:
                with self.lock:
                    return callback(request, response)
            except Exception as error:  # noqa: BLE001 - a bad request must not end the node
                response.success, response.message = False, str(error)
                return response
        self._entities.append(
            (self.destroy_service, self.create_service(kind, name, answer, **options)))

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read the parameters and set up."""
        return self._run_transition('configure', self._configure)

    def on_activate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Begin to work."""
        super().on_activate(state)
        return self._run_transition('activate', self._activate)

    def on_deactivate(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Stop working; the model stays loaded."""
        result = self._run_transition('deactivate', self._deactivate)
        super().on_deactivate(state)
        return result

    def on_cleanup(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything; somebody who asks for it also ends the tries to start again."""
        with self.lock:
            if not self._broken:
                self._attempts.succeed()
                self._configuration_is_wrong = False
        return self._run_transition('cleanup', self.release)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything."""
        self._attempts.succeed()
        return self._run_transition('shutdown', self.release)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything; the node can be configured again."""
        return self._run_transition('error', self.release)

    def release(self) -> None:
        """Release everything that set_up made; may be called at any time, any number of times."""
        with self.lock:
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
        state = self.state
        values = {parameter.name: parameter.value for parameter in changed}
        try:
            config = check_change(self, self._role, values, state=state)
            if state != 'unconfigured' and config is not None:
                self.apply(config)
                self.config = config
        except AudioInteractionError as error:
            return make_answer([str(error)])
        except Exception as error:  # noqa: BLE001 - a change must not end the node
            self.get_logger().error(traceback.format_exc())
            return make_answer([repr(error)])
        # A callback after the change, which would know it stored, is not in Humble.
        self._awaited = values
        return make_answer([])

    def _configure(self) -> None:
        self.failure, self._broken = '', False
        self._configuration_is_wrong, self._awaited = False, {}
        self._attempts.stop_waiting()
        if self._start_error:
            raise ConfigurationError(self._start_error)
        self.config = parameters.read(self)
        self.set_up()

    def _activate(self) -> None:
        self.start()
        self.active = True

    def _deactivate(self) -> None:
        self.active = False
        self.stop()

    def _run_transition(self, name: str, action: Callable[[], None]) -> TransitionCallbackReturn:
        with self.lock:
            try:
                action()
            except Exception as error:  # noqa: BLE001 - rclpy would swallow it
                self._note_failed(name, error)
            else:
                return _SUCCESS
            if name == 'configure':
                self.release()
            return _FAILURE

    def _note_failed(self, name: str, error: Exception) -> None:
        """Report a transition that failed; a node that cannot be configured is tried again."""
        expected = isinstance(error, AudioInteractionError)
        plan = self._plan_retry(error) if name == 'configure' else ''
        self.report_failure(f'{name} failed: {error if expected else repr(error)}{plan}')
        if not expected:
            self.get_logger().error(traceback.format_exc())
