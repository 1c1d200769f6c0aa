"""
The action ``listen``: wait for one final transcript, with partial ones as feedback.

Listens to the topic ``transcript`` like any other node, so it does not matter who makes
transcripts final. A goal waits as accepted and is executed, which takes no time, when its end is
known: a goal that waited in a callback would hold a thread of the executor, and one that waited
in a coroutine would keep the executor turning. The action is there as long as its node, for a
goal that has ended is told so by the executor later: an action that went at cleanup could not.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.callback_groups import MutuallyExclusiveCallbackGroup

from audio_interaction_msgs.action import Listen
from audio_interaction_msgs.msg import Transcript
from audio_interaction_ros.nodes.lifecycle import qos
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.nodes.lifecycle.steady_timer import steady_timer

__all__ = ['ListenAction', 'same_language']

_PERIOD_S = 0.1
_MOST_GOALS = 64
_TIMED_OUT = 'nothing was said within max_duration'


@dataclass
class _Waiting:
    goal: Any
    ends_at: float
    """Steady clock, seconds; infinity: never."""
    transcript: Transcript | None = None
    message: str = ''


class ListenAction:
    """The action server of one decoder node."""

    def __init__(self, *, node: ManagedNode, refusal: Callable[[], str]) -> None:
        """Offer the action; ``refusal`` says why no goal can be reached, empty where one can."""
        self._node, self._refusal = node, refusal
        self._waiting: list[_Waiting] = []
        self._ended: list[_Waiting] = []
        self._leaves = False
        self._lock = threading.Lock()
        self._group = MutuallyExclusiveCallbackGroup()
        self._timer = steady_timer(node, _PERIOD_S, self._end_overdue_goals,
                                   callback_group=self._group)
        self._server = ActionServer(
            node, Listen, 'listen', execute_callback=self._execute, callback_group=self._group,
            goal_callback=self._on_goal, handle_accepted_callback=self._on_accepted,
            cancel_callback=lambda _goal: CancelResponse.ACCEPT)

    def open(self) -> None:
        """Hear transcripts, until the cleanup of the node."""
        self._node.managed_subscription(
            Transcript, 'transcript', self._on_transcript, qos.EVENTS, callback_group=self._group)

    def leave(self) -> bool:
        """End every goal, as the node will end; tell whether that needs the executor."""
        self._leaves = True
        self.give_up('the node ends')
        return self.owes_answers

    @property
    def owes_answers(self) -> bool:
        """True while goals that have ended are not told so yet."""
        with self._lock:
            return bool(self._ended)

    def close(self) -> None:
        """Withdraw the action, at the end of the node; nobody is told anything after it."""
        with self._lock:
            self._waiting.clear()
        self._node.destroy_timer(self._timer)
        self._server.destroy()

    def give_up(self, message: str) -> None:
        """End every goal without a transcript."""
        for waiting in self._remove_goals(lambda _waiting: True):
            self._end(waiting, message=message)

    def _on_goal(self, _request: Any) -> GoalResponse:
        with self._lock:
            crowded = len(self._waiting) >= _MOST_GOALS
        reason = ('the node ends' if self._leaves else self._refusal()
                  or (f'{_MOST_GOALS} goals wait already' if crowded else ''))
        if not reason:
            return GoalResponse.ACCEPT
        self._node.get_logger().warning(
            f'a goal of listen is refused: {reason}', throttle_duration_sec=5.0)
        return GoalResponse.REJECT

    def _on_accepted(self, goal: Any) -> None:
        limit = goal.request.max_duration
        limit_s = limit.sec + limit.nanosec / 1e9
        ends_at = time.monotonic() + limit_s if limit_s > 0 else float('inf')
        with self._lock:
            self._waiting.append(_Waiting(goal, ends_at))
            self._timer.reset()

    def _on_transcript(self, message: Transcript) -> None:
        if not message.is_final:
            with self._lock:
                goals = [waiting.goal for waiting in self._waiting]
            for goal in goals:
                goal.publish_feedback(Listen.Feedback(transcript=message))
        elif message.text:
            for waiting in self._remove_goals(lambda waiting: same_language(
                    waiting.goal.request.language, message.language)):
                self._end(waiting, transcript=message)

    def _end_overdue_goals(self) -> None:
        """End the goals that were cancelled or have waited long enough."""
        now = time.monotonic()
        for waiting in self._remove_goals(lambda waiting: waiting.goal.is_cancel_requested):
            self._end(waiting, message='cancelled')
        for waiting in self._remove_goals(lambda waiting: waiting.ends_at <= now):
            self._end(waiting, message=_TIMED_OUT)
        with self._lock:
            if not self._waiting:  # it rests until somebody waits
                self._timer.cancel()

    def _remove_goals(self, wanted: Any) -> list[_Waiting]:
        """Remove and return the goals that are wanted, so that each ends once."""
        with self._lock:
            taken = [waiting for waiting in self._waiting if wanted(waiting)]
            self._waiting = [waiting for waiting in self._waiting
                             if not any(waiting is ended for ended in taken)]
            return taken

    def _end(self, waiting: _Waiting, *, transcript: Transcript | None = None,
             message: str = '') -> None:
        waiting.transcript, waiting.message = transcript, message
        with self._lock:
            self._ended.append(waiting)
        waiting.goal.execute()

    def _execute(self, goal: Any) -> Listen.Result:
        with self._lock:
            ended = next(waiting for waiting in self._ended if waiting.goal == goal)
        try:
            return self._make_result(goal, ended)
        finally:
            with self._lock:
                self._ended.remove(ended)

    def _make_result(self, goal: Any, ended: _Waiting) -> Listen.Result:
        if goal.is_cancel_requested:
            goal.canceled()
            return Listen.Result(message='cancelled')
        if ended.transcript is None:
            goal.abort()
            return Listen.Result(message=ended.message)
        goal.succeed()
        return Listen.Result(success=True, transcript=ended.transcript)


def same_language(wanted: str, tag: str) -> bool:
    """Tell whether a BCP-47 tag is what was wanted: en takes en-GB; an empty one fits any."""
    wanted, tag = wanted.lower(), tag.lower()
    return not wanted or not tag or tag == wanted or tag.startswith(f'{wanted}-')
