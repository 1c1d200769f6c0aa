"""
Who hears: several processes, each with the model of its own and several streams at the same time.

Owns the processes. Work comes from an iterator that is read no further than needed, and results
come back as they are done. A process with one thread per core gets more done than one process with
as many threads. Knows no audio and no figure.
"""

import argparse
import multiprocessing
import os
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from queue import Empty
from typing import Any, TypeVar

from audio_interaction_ros.errors import AudioInteractionError
from audio_interaction_ros.runtimes.base import Runtime
from audio_interaction_ros.runtimes.registry import load_runtime
from eval.batched_streams import run_batched
from train.stages.workers import end_with_parent

__all__ = ['WorkerPool', 'WorkerPoolError', 'add_pool_arguments', 'make_pool', 'processes_for']

T = TypeVar('T')
R = TypeVar('R')
MOST = 4
POLL_S = 5.0


class WorkerPoolError(AudioInteractionError, RuntimeError):
    """A process of the crew failed; its message says what the caller must correct."""


def processes_for(device: str) -> int:
    """Return how many processes pay: one per core that we may use, on a GPU one."""
    return min(MOST, len(os.sched_getaffinity(0))) if device == 'cpu' else 1


@dataclass(frozen=True)
class WorkerPool:
    """How many processes, how many streams in each, and how a process gets its model."""

    make: Callable[[], Runtime] | None = None
    """Can be sent to another process; None: the model of the caller, in this process."""
    processes: int = 1
    streams: int = 8

    def work(self, runtime: Runtime, tasks: Iterator[T], do: Callable[[Runtime, T], R]) -> \
            Iterator[R]:
        """Yield ``do(runtime, task)`` of each task, as they are done."""
        if self.processes < 2 or self.make is None:
            yield from run_batched(runtime, tasks, do, self.streams)
            return
        first = next(tasks, None)
        if first is not None:
            yield from self._work_in_processes(_chain(first, tasks), do)

    def _work_in_processes(self, tasks: Iterator[T], do: Callable[[Runtime, T], R]) -> Iterator[R]:
        context = multiprocessing.get_context('spawn')
        inbox, outbox = context.Queue(), context.Queue()
        crew = [context.Process(target=_serve, daemon=True, args=(
            self.make, do, inbox, outbox, self.streams)) for _ in range(self.processes)]
        for process in crew:
            process.start()
        try:
            # As many at a time as are heard at a time, so that no thread waits for work while
            # its neighbours wait for it.
            places = self.processes * self.streams
            under_way, at_end = 0, False
            while not at_end or under_way:
                while not at_end and under_way < places:
                    task = next(tasks, None)
                    if task is None:
                        at_end = True
                        for _ in range(places):
                            inbox.put(None)
                    else:
                        inbox.put(task)
                        under_way += 1
                if under_way:
                    yield _take_result(outbox, crew)
                    under_way -= 1
        finally:
            inbox.cancel_join_thread()  # nobody reads any more what is still in it
            for process in crew:
                process.terminate()
                process.join()


def _chain(first: T, rest: Iterator[T]) -> Iterator[T]:
    yield first
    yield from rest


def _take_result(outbox: Any, crew: list[Any]) -> Any:
    while True:
        try:
            fine, value = outbox.get(timeout=POLL_S)
        except Empty:
            dead = [process.exitcode for process in crew if process.exitcode]
            if dead:
                raise WorkerPoolError(
                    f'expected processes that go on, one ended with code {dead[0]}; for want of '
                    f'memory, give fewer --workers') from None
            continue
        if not fine:
            raise WorkerPoolError(f'a process that heard streams failed:\n{value}')
        return value


def _serve(make: Callable[[], Runtime], do: Callable[[Runtime, Any], Any], inbox: Any, outbox: Any,
           streams: int) -> None:
    """Hear what comes until every thread was told that nothing does, or who asked is gone."""
    end_with_parent()
    try:
        for result in run_batched(make(), iter(inbox.get, None), do, streams):
            outbox.put((True, result))
    except BaseException:  # noqa: BLE001 - raised again by the one that asked
        outbox.put((False, traceback.format_exc()))


def add_pool_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of commands that hear many streams at the same time."""
    parser.add_argument('--workers', type=int, default=0, metavar='N',
                        help='processes with the model, which share --threads (default: one per '
                             'core, 4 at most; 1 on a GPU)')
    parser.add_argument('--streams', type=int, default=8, metavar='N',
                        help='streams that a process hears at the same time (default: 8)')


def make_pool(options: argparse.Namespace, given: Runtime | None) -> WorkerPool:
    """Return who hears; with a given model it is this process alone."""
    if given is not None:
        return WorkerPool(streams=options.streams)
    processes = options.workers or processes_for(options.device)
    make = partial(load_runtime, options.model, runtime=options.runtime, device=options.device,
                   dtype=options.dtype, threads=max(1, options.threads // processes))
    return WorkerPool(make=make, processes=processes, streams=options.streams)
