"""
Many units on a few processes, each for a part at a time, until all are done or time is over.

Owns which unit is next and what a person sees. Seeds go first, so that a run that is ended early
has all arms with fewer seeds.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import AbstractContextManager
from multiprocessing import get_context

from audio_interaction_ros.errors import AudioInteractionError
from measure.report import progress_bar
from train.ablate.unit import Unit, advance, make_recipe
from train.stages.workers import end_with_parent

__all__ = ['UnitError', 'train_units']


class UnitError(AudioInteractionError):
    """A process that trained died; the same command goes on."""


class _Here(Executor):
    """Does what is submitted at once, in this process."""

    def submit(self, work, /, *arguments, **named):  # type: ignore[no-untyped-def,override]
        future: Future[int] = Future()
        future.set_result(work(*arguments, **named))
        return future


def _open(workers: int) -> AbstractContextManager[Executor]:
    if not workers:
        return _Here()
    # A fork of a process that has threads can leave a lock held.
    return ProcessPoolExecutor(workers, mp_context=get_context('spawn'),
                               initializer=end_with_parent)


def train_units(units: Sequence[Unit], *, workers: int, minutes: float | None,
                now: Callable[[], float] = time.monotonic) -> int:
    """
    Train and score units; return how many are done.

    ``workers`` 0 trains in this process. After so many minutes what is begun is kept and nothing
    more is begun. Raises UnitError where a process died, and what ``unit.advance`` raises.
    """
    began, done = now(), 0
    waiting, under_way = deque(units), dict[Future[int], Unit]()
    with progress_bar() as bar, _open(workers) as pool:
        task = bar.add_task('steps', total=sum(make_recipe(unit)[0].run.steps for unit in units))
        steps = dict.fromkeys(units, 0)
        while waiting or under_way:
            while waiting and len(under_way) < max(1, workers):
                if minutes is not None and now() - began >= minutes * 60:
                    waiting.clear()
                    break
                unit = waiting.popleft()
                under_way[pool.submit(advance, unit)] = unit
            for future in wait(under_way, return_when=FIRST_COMPLETED).done:
                unit = under_way.pop(future)
                steps[unit] = _take(future, unit)
                bar.update(task, completed=sum(steps.values()))
                if steps[unit] < make_recipe(unit)[0].run.steps:
                    waiting.appendleft(unit)
                    continue
                done += 1
                bar.console.print(f'{done} of {len(units)}: {unit}')
    return done


def _take(future: Future[int], unit: Unit) -> int:
    try:
        return future.result()
    except BrokenProcessPool as error:
        raise UnitError(f'{unit}: its process died, often for want of memory; give fewer '
                        '--workers and run the same command again, it goes on') from error
