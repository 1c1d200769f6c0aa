"""
A worker of a part without which a node goes on: what it loads is tried again where that fails.

Owns when, and what diagnostics say meanwhile. What becomes of the work that nobody can do is the
part's own matter.
"""

import time
from collections.abc import Callable
from typing import Any

from rclpy.callback_groups import CallbackGroup

from audio_interaction_ros.nodes.lifecycle.backoff import BackOff
from audio_interaction_ros.nodes.lifecycle.managed_node import ManagedNode
from audio_interaction_ros.nodes.lifecycle.worker import Emit, Ready, Worker, WorkerFailure

__all__ = ['RetriedWorker']


class RetriedWorker:
    """
    Runs ``load() -> models`` and then ``compute(models, items, emit)``, as a Worker does.

    Where loading raises, models are None until another try succeeds. The thread stands back. What
    compute emits goes to ``publish``, the models with how long they took to ``adopt``.
    """

    def __init__(self, *, node: ManagedNode, group: CallbackGroup, load: Callable[[], Any],
                 compute: Callable[[Any, list[Any], Emit], bool],
                 publish: Callable[[Any], object], adopt: Callable[[Any, float], object],
                 loss: str, capacity: int, name: str) -> None:
        """Start the thread; ``loss`` says what the node does without it."""
        self._node, self._group = node, group
        self._load, self._compute = load, compute
        self._publish_output, self._adopt = publish, adopt
        self._loss, self._capacity, self._name = loss, capacity, name
        self.failure = ''
        """Why it does not work, and when it is tried again; empty while it does or is loading."""
        self._attempts = BackOff()
        self._worker = self._start()

    @property
    def idle(self) -> bool:
        """True when nothing waits, runs or is still to be published."""
        return self._worker.idle

    def put(self, item: Any, *, always: bool = False) -> bool:
        """Hand in an item; False where there is no room."""
        return self._worker.put(item, always=always)

    def look(self) -> None:
        """Try again where it is time; to be called about once a second."""
        if self._attempts.is_due(time.monotonic()) and self._worker.idle:
            self._attempts.stop_waiting()
            self._worker.close()
            self._worker = self._start()

    def close(self) -> None:
        """Stop the thread. Idempotent."""
        self._worker.close()

    def _start(self) -> Worker:
        worker = Worker(
            node=self._node, group=self._group, setup=self._set_up, compute=self._run,
            publish=self._publish, capacity=self._capacity, name=self._name, stand_back=True)
        worker.start()
        return worker

    def _set_up(self) -> Any:
        try:
            return self._load()
        except Exception as error:  # noqa: BLE001 - whatever it is, the node goes on
            return WorkerFailure(error)

    def _run(self, loaded: Any, items: list[Any], emit: Emit) -> bool:
        return self._compute(None if isinstance(loaded, WorkerFailure) else loaded, items, emit)

    def _publish(self, output: Any) -> None:
        """Take what the worker emitted (executor, the part's group)."""
        match output:
            case Ready(WorkerFailure() as failed):
                self._note_failure(failed)
            case WorkerFailure():
                self._note_failure(output)
            case Ready(models, seconds):
                self._attempts.succeed()
                self.failure = ''
                self._adopt(models, seconds)
            case _:
                self._publish_output(output)

    def _note_failure(self, failed: WorkerFailure) -> None:
        wait_s = self._attempts.fail(time.monotonic())
        self.failure = f'{self._loss}: {failed.error}; next try in {wait_s:.0f} s'
        self._node.get_logger().error(self.failure)
