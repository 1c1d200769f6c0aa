"""
The action ``say``: a text to be said, with how much of it was heard as feedback.

A goal waits as accepted and is executed, which takes no time, when its end is known, as those of
``listen`` do: none holds a thread of the executor. The action is there as long as its node.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import CallbackGroup

from audio_interaction_msgs.action import Say
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.nodes.lifecycle.steady_timer import steady_timer
from audio_interaction_ros.nodes.speaking.mouth import Outcome

__all__ = ['SayAction']

_PERIOD_S = 0.1
_FEEDBACK_STEP = 0.05


@dataclass
class _Waiting:
    goal: Any
    told: float = -1.0
    """Feedback that was given last."""
    outcome: Outcome | None = None


class SayAction:
    """The action server of one speech node; all methods are called with the node's lock held."""

    def __init__(self, *, node: ManagedNode, group: CallbackGroup, refusal: Callable[[], str],
                 take_number: Callable[[], int], say: Callable[[int, Any], None],
                 withdraw: Callable[[int], None]) -> None:
        """
        Offer the action.

        ``say`` takes a number of ``take_number`` and a goal's request; what becomes of it comes
        by ``end``, perhaps at once. ``refusal`` says why nothing can be said.
        """
        self._node, self._refusal = node, refusal
        self._take_number, self._say, self._withdraw = take_number, say, withdraw
        self._waiting: dict[int, _Waiting] = {}
        self._ended: list[_Waiting] = []
        self._timer = steady_timer(node, _PERIOD_S, node.exclusive(self._look_for_cancelled),
                                   callback_group=group)
        self._server = ActionServer(
            node, Say, 'say', execute_callback=node.exclusive(self._execute),
            callback_group=group, goal_callback=node.exclusive(self._on_goal),
            handle_accepted_callback=node.exclusive(self._on_accepted),
            cancel_callback=lambda _goal: CancelResponse.ACCEPT)

    @property
    def owes_answers(self) -> bool:
        """True while goals that have ended are not told so yet."""
        return bool(self._ended)

    def close(self) -> None:
        """Withdraw the action, at the end of the node."""
        self._node.destroy_timer(self._timer)
        self._server.destroy()

    def note_progress(self, number: int, spoken: float) -> None:
        """Tell how much of a text was heard, in steps of 5 %."""
        waiting = self._waiting.get(number)
        if waiting is not None and spoken >= waiting.told + _FEEDBACK_STEP:
            waiting.told = spoken
            waiting.goal.publish_feedback(Say.Feedback(spoken=spoken))

    def end(self, number: int, outcome: Outcome) -> None:
        """End the goal of a text, where it has one."""
        waiting = self._waiting.pop(number, None)
        if waiting is not None:
            waiting.outcome = outcome
            self._ended.append(waiting)
            waiting.goal.execute()

    def _on_goal(self, request: Any) -> GoalResponse:
        reason = self._refusal() or ('' if request.text.strip() else 'the text is empty')
        if not reason:
            return GoalResponse.ACCEPT
        self._node.get_logger().warning(
            f'a goal of say is refused: {reason}', throttle_duration_sec=5.0)
        return GoalResponse.REJECT

    def _on_accepted(self, goal: Any) -> None:
        number = self._take_number()
        self._waiting[number] = _Waiting(goal)
        self._say(number, goal.request)

    def _look_for_cancelled(self) -> None:
        for number in [number for number, waiting in self._waiting.items()
                       if waiting.goal.is_cancel_requested]:
            self._withdraw(number)

    def _execute(self, goal: Any) -> Say.Result:
        waiting = next(item for item in self._ended if item.goal == goal)
        self._ended.remove(waiting)
        outcome = waiting.outcome
        assert outcome is not None, 'a goal is executed when it has ended'
        if goal.is_cancel_requested:
            goal.canceled()
        elif outcome.reason:
            goal.abort()
        else:
            goal.succeed()
        return Say.Result(success=not outcome.reason, message=outcome.reason,
                          spoken=outcome.spoken)
