"""
The action ``listen``: wait for one final transcript, with partial ones as feedback.

Listens to the topic ``transcript`` like any other node, so it does not matter who makes
transcripts final. A goal waits in a coroutine and holds no executor thread.
"""

from typing import Any

from audio_interaction_msgs.action import Listen
from audio_interaction_msgs.msg import Transcript
from rclpy.action import ActionServer, CancelResponse
from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.task import Future

from audio_interaction_ros.nodes import qos
from audio_interaction_ros.nodes.managed import ManagedNode

__all__ = ['ListenAction']


class ListenAction:
    """The action server of one decoder node."""

    def __init__(self, *, node: ManagedNode) -> None:
        """Offer the action."""
        self._node = node
        self._waiting: dict[Any, Future] = {}
        group = ReentrantCallbackGroup()
        node.managed_subscription(
            Transcript, 'transcript', self._on_transcript, qos.EVENTS, callback_group=group)
        self._group = group
        self._server = ActionServer(
            node, Listen, 'listen', execute_callback=self._execute, callback_group=group,
            cancel_callback=self._on_cancel)

    def close(self) -> None:
        """Give up every goal and withdraw the action."""
        for future in list(self._waiting.values()):
            self._give_up(future)
        self._server.destroy()

    async def _execute(self, goal: Any) -> Listen.Result:
        future: Future = Future()
        self._waiting[goal] = future
        limit = goal.request.max_duration
        limit_s = limit.sec + limit.nanosec / 1e9
        timer = None
        if limit_s > 0:
            timer = self._node.create_timer(
                limit_s, lambda: self._give_up(future),
                callback_group=self._group)
        transcript = await future
        if timer is not None:
            self._node.destroy_timer(timer)
        del self._waiting[goal]
        return self._result(goal, transcript)

    def _result(self, goal: Any, transcript: Transcript | None) -> Listen.Result:
        if transcript is not None:
            goal.succeed()
            return Listen.Result(success=True, transcript=transcript)
        if goal.is_cancel_requested:
            goal.canceled()
            return Listen.Result(message='cancelled')
        goal.abort()
        return Listen.Result(message='nothing was said within max_duration')

    def _on_cancel(self, goal: Any) -> CancelResponse:
        for handle, future in list(self._waiting.items()):
            executor = self._node.executor
            if executor is not None and bytes(handle.goal_id.uuid) == bytes(goal.goal_id.uuid):
                # later: the server marks the goal only after this returned
                executor.create_task(self._give_up, future)
        return CancelResponse.ACCEPT

    @staticmethod
    def _give_up(future: Future) -> None:
        if not future.done():
            future.set_result(None)

    def _on_transcript(self, message: Transcript) -> None:
        for goal, future in list(self._waiting.items()):
            wanted = goal.request.language
            if not message.is_final:
                goal.publish_feedback(Listen.Feedback(transcript=message))
            elif message.text and not future.done() and (
                    not wanted or not message.language or message.language == wanted):
                future.set_result(message)
