"""
The backends: a shard at a time in this process, in worker processes, or through Ray Data.

Owns the life of the workers: whoever dies is replaced, its shard is done again, and a record that
takes a worker with it twice is rejected. Knows nothing of resuming or of reports.
"""

import contextlib
import multiprocessing
import os
import pickle
import signal
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from multiprocessing.connection import Connection, wait
from threading import Thread
from typing import Any

from audio_interaction_ros.errors import MissingDependencyError
from train.stages.shards import Job, Shard, ShardReport, StageError, build

__all__ = ['build_here', 'build_in_processes', 'build_on_ray', 'end_with_parent']

DEATHS = 2
"""As often may one record end its worker before it is given up."""
WAVE = 512
"""Shards handed to Ray at once, which bounds the driver's memory."""
Tick = Callable[[int], None]


def end_with_parent() -> None:
    """End this worker when the process that started it is gone; one that is killed ends nobody."""
    parent = multiprocessing.parent_process()
    assert parent is not None, 'a worker is started by another process'

    def watch() -> None:
        parent.join()
        os._exit(1)

    Thread(target=watch, daemon=True).start()


def build_here(job: Job, shards: Iterator[Shard], workers: int,
               tick: Tick) -> Iterator[ShardReport]:
    """Build the shards in this process, for a debugger and for tiny inputs."""
    for shard in shards:
        try:
            yield build(job, shard, tick)
        except Exception as error:
            raise _explain_failure(shard, error) from error


def _explain_failure(shard: Shard, error: Exception) -> StageError:
    """Return what ends the stage, of its own or of another kind, as one that says where."""
    if isinstance(error, StageError):
        return error
    return StageError(f'Shard {shard.index} failed: {type(error).__name__}: {error}')


def _serve(pipe: Connection, job: Job, at: Any) -> None:
    """Life of a worker: shards in, reports or failures out, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends the workers
    end_with_parent()  # or it would go on behind the back of the next build

    def record(position: int) -> None:
        at.value = position

    while True:
        try:
            shard = pipe.recv()
        except EOFError:
            return
        answer: ShardReport | str
        try:
            answer = build(job, shard, record)
        except Exception as error:
            answer = str(_explain_failure(shard, error))
        try:
            pipe.send(answer)
        except OSError:  # killed: nobody is left to tell
            return


class _Worker:
    def __init__(self, job: Job) -> None:
        # Forking a process that has threads (torch, the progress bar) can leave a lock held.
        context = multiprocessing.get_context('spawn')
        self.at = context.RawValue('q', -1)
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, daemon=True, args=(theirs, job, self.at))
        self.process.start()
        theirs.close()
        self.shard: Shard | None = None

    def give(self, shard: Shard) -> None:
        self.shard, self.at.value = shard, -1
        with contextlib.suppress(OSError):  # it died while idle, which the sentinel tells next
            self.pipe.send(shard)

    def answer(self, ready: list[Any]) -> ShardReport | str | None:
        """Return a report, a failure, or None for a worker that died; call when ready."""
        try:
            return self.pipe.recv() if self.pipe in ready or self.pipe.poll() else None
        except (EOFError, OSError):
            return None

    def stop(self) -> None:
        self.pipe.close()
        self.process.kill()
        self.process.join()


class _Deaths:
    """Counts workers that died at a record, and says what becomes of their shard."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._count: Counter[tuple[int, int]] = Counter()

    def count(self, worker: _Worker) -> Shard:
        """Return the shard to build again; raises StageError where that is hopeless."""
        assert worker.shard is not None
        shard, at = worker.shard, int(worker.at.value)
        worker.process.join()
        self._count[shard.index, at] += 1
        if self._count[shard.index, at] < DEATHS:
            return shard
        where = f'at its record {at}' if at >= 0 else 'before its first record'
        if at < 0 or self._job.on_error == 'raise':
            raise StageError(
                f'Shard {shard.index} failed: its worker died {DEATHS} times {where} (exit code '
                f'{worker.process.exitcode}; -9 is a kill, often for want of memory)')
        return replace(shard, doomed=shard.doomed | {at})


class _Crew:
    """The workers of one build, and the shards that are to be built again."""

    def __init__(self, job: Job, size: int) -> None:
        self._job, self._size = job, size
        self._workers: list[_Worker] = []
        self._again: deque[Shard] = deque()
        self._deaths = _Deaths(job)

    @property
    def busy(self) -> list[_Worker]:
        return [worker for worker in self._workers if worker.shard is not None]

    def give(self, shards: Iterator[Shard]) -> None:
        """Give whoever is idle a shard, as long as there are any; hire where that needs more."""
        for place in range(self._size):
            hired = place < len(self._workers)
            if hired and self._workers[place].shard is not None:
                continue
            shard = self._again.popleft() if self._again else next(shards, None)
            if shard is None:
                return
            if not hired:
                self._workers.append(_Worker(self._job))
            self._workers[place].give(shard)

    def take(self, worker: _Worker, ready: list[Any]) -> ShardReport | None:
        """Return a report; None where the worker died. Raises StageError for a failed shard."""
        answer = worker.answer(ready)
        if isinstance(answer, str):
            raise StageError(answer)
        if answer is None:
            self._again.append(self._deaths.count(worker))
            worker.stop()
            self._workers[self._workers.index(worker)] = _Worker(self._job)
        else:
            worker.shard = None
        return answer

    def stop(self) -> None:
        for worker in self._workers:
            worker.stop()


def build_in_processes(job: Job, shards: Iterator[Shard], workers: int, tick: Tick
                       ) -> Iterator[ShardReport]:
    """Yield reports as shards finish in worker processes; ``tick`` gets records under way."""
    crew = _Crew(job, workers)
    try:
        while True:
            crew.give(shards)
            busy = crew.busy
            if not busy:
                return
            ready = wait([each for worker in busy
                          for each in (worker.pipe, worker.process.sentinel)], timeout=0.2)
            tick(sum(max(0, worker.at.value) for worker in busy))
            for worker in busy:
                if worker.pipe in ready or worker.process.sentinel in ready:
                    report = crew.take(worker, ready)
                    if report is not None:
                        yield report
    finally:
        crew.stop()


def _build_row(job: bytes, row: dict[str, Any]) -> dict[str, Any]:
    shard = pickle.loads(row['shard'])
    try:
        return {'report': pickle.dumps(build(pickle.loads(job), shard)), 'failure': ''}
    except Exception as error:
        return {'report': b'', 'failure': str(_explain_failure(shard, error))}


def build_on_ray(job: Job, shards: Iterator[Shard], workers: int, tick: Tick
                 ) -> Iterator[ShardReport]:
    """
    Yield reports of shards built as Ray Data tasks, on the cluster that ``RAY_ADDRESS`` names.

    Every node must see the stage's folder under the same path and be able to import the function.
    Ray itself runs the tasks of a dead worker or node again.
    """
    try:
        import ray
        import ray.data
    except ImportError as error:
        raise MissingDependencyError('The Ray backend needs Ray Data: pip install "ray[data]"'
                                     ) from error
    if not ray.is_initialized():
        os.environ.setdefault('RAY_USAGE_STATS_ENABLED', '0')  # a build reports to nobody
        ray.init(log_to_driver=False)
    ray.data.DataContext.get_current().enable_progress_bars = False
    work = partial(_build_row, ray.cloudpickle.dumps(job))
    while wave := list(islice(shards, WAVE)):
        rows = ray.data.from_items([{'shard': pickle.dumps(shard)} for shard in wave],
                                   override_num_blocks=len(wave))
        for row in rows.map(work, concurrency=workers).iter_rows():
            if row['failure']:
                raise StageError(row['failure'])
            yield pickle.loads(row['report'])
