"""
A lifecycle node that keeps the five rules which rclpy's lifecycle needs.

Transitions are quick (models load in the worker); an exception in one is logged and becomes a
failure instead of vanishing; releasing is idempotent; subscriptions are gated by ``active``;
diagnostics run in every state. A node that starts by itself (``autostart``) and cannot work is
configured again until it can (``recovery``). Everything that a node knows is touched under its
one lock (``locked_node``), also in transitions, by the outputs of a worker and by diagnostics.
Knows nothing of audio.
"""

import traceback
from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor, SetParametersResult
from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn

from audio_interaction_ros.config import AssistantConfig
from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.nodes.lifecycle import parameters
from audio_interaction_ros.nodes.lifecycle.live_parameters import (
    check_change,
    logger_service,
    make_answer,
    name_unknown,
)
from audio_interaction_ros.nodes.lifecycle.locked_node import LockedNode
from audio_interaction_ros.nodes.lifecycle.recovery import Recovery
from audio_interaction_ros.nodes.lifecycle.turns import Turns

__all__ = ['ManagedNode']

_SUCCESS, _FAILURE = TransitionCallbackReturn.SUCCESS, TransitionCallbackReturn.FAILURE


class ManagedNode(LockedNode):
    """
    Base of encoder_node, decoder_node and speech_node.

    A subclass writes ``set_up``, ``start``, ``stop``, ``tear_down`` and ``apply``; each may raise.
    """

    turns: Turns | None = None
    """Where workers wait for their turn, as in a replay; None: they run freely."""

    def __init__(self, name: str, *, groups: tuple[str, ...], lanes: bool = False,
                 **options: Any) -> None:
        """Declare the parameters; nothing else happens before configure."""
        super().__init__(name, **{**logger_service(), **options})
        self.declare_parameter('autostart', True, ParameterDescriptor(
            description='Configure and activate the node when it starts.', read_only=True))
        self._role = name  # the node itself may be called otherwise
        self.recovery = Recovery(
            self, start_error=parameters.declare_checked(self, groups, lanes=lanes))
        self.add_on_set_parameters_callback(self.exclusive(self._on_set_parameters))

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

    @property
    def failure(self) -> str:
        """Why the node cannot work; empty while it can."""
        return self.recovery.failure

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
            self.recovery.note_cleanup()
        return self._run_transition('cleanup', self.release)

    def on_shutdown(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything."""
        self.recovery.note_success()
        return self._run_transition('shutdown', self.release)

    def on_error(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Release everything; the node can be configured again."""
        return self._run_transition('error', self.release)

    def release(self) -> None:
        """Release everything that set_up made; may be called at any time, any number of times."""
        with self.lock:
            self.active = False
            self.tear_down()
            self.destroy_entities()

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
        self.recovery.note_change(values)
        return make_answer([])

    def _configure(self) -> None:
        self.recovery.begin()
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
        plan = self.recovery.plan_retry(error) if name == 'configure' else ''
        self.recovery.report_failure(f'{name} failed: {error if expected else repr(error)}{plan}')
        if not expected:
            self.get_logger().error(traceback.format_exc())
