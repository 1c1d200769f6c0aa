"""
A stage from its records to its folder: resuming, progress, report.

Owns the folder ``out/name``: ``job.json`` (what is built), the shards, ``report.json`` (written
last: a folder without it is not finished). Knows no record type and no audio.

A function's result may depend on nothing but its record and its settings: draw random numbers from
``stable_seed`` of the record, read no clock. Then a build that was killed and run again gives the
bytes of one that was not.
"""

import dataclasses
import fcntl
import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from train.records import read_records
from train.stages.shards import (
    Job,
    Shard,
    ShardReport,
    StageError,
    explain_full_storage,
    hash_records,
    part_path,
    read_finished,
    write_whole,
)
from train.stages.workers import build_here, build_in_processes, build_on_ray

__all__ = ['StageReport', 'read_stage', 'run_stage', 'stable_seed']

T = TypeVar('T')
BACKENDS = {'processes': build_in_processes, 'ray': build_on_ray}


@dataclass(frozen=True, kw_only=True)
class StageReport:
    """What a stage did; on disk as ``report.json``."""

    name: str
    folder: str
    backend: str
    workers: int
    records_in: int
    records_out: int
    rejected: dict[str, int] = field(default_factory=dict)
    """Records left out, by reason; the most frequent first."""
    shards: int = 0
    resumed_shards: int = 0
    """Found whole from an earlier run of the same job."""
    seconds: float = 0.0
    """Wall clock of this run."""
    worker_seconds: float = 0.0
    """Wall clock of all shards, those of earlier runs too."""
    core_hours: float = 0.0
    """CPU time of all shards and of the programs that they ran, in hours."""
    audio_hours: float = 0.0
    """Length of the clips or streams written."""
    sha256: str = ''
    """Of all parts in order: two builds with the same value hold the same records."""

    @property
    def hours_per_core_hour(self) -> float:
        """Hours of audio per hour of one core; 0 where nothing was built."""
        return self.audio_hours / self.core_hours if self.core_hours else 0.0

    def core_hours_for(self, audio_hours: float) -> float:
        """Return the core-hours that so many hours of audio take at this stage's rate."""
        if not self.audio_hours:
            return float('inf')
        return self.core_hours * audio_hours / self.audio_hours


def stable_seed(*parts: Any) -> int:
    """Return 63 bits that depend on the parts' text only, the same in every process and year."""
    text = '\x1f'.join(map(str, parts)).encode()
    return int.from_bytes(hashlib.sha256(text).digest()[:8], 'big') >> 1


def _describe(value: Any) -> Any:
    """Return what a function or setting is as JSON types, the same in every process."""
    if isinstance(value, partial):
        return {'partial': _describe(value.func), 'args': _describe(value.args),
                'keywords': _describe(value.keywords)}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [_describe(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted((_describe(item) for item in value), key=str)
    if isinstance(value, Mapping):
        return {str(key): _describe(item) for key, item in value.items()}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    name = value if hasattr(value, '__qualname__') else type(value)
    known = {'type': f'{name.__module__}.{name.__qualname__}'}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        known |= {each.name: _describe(getattr(value, each.name))
                  for each in dataclasses.fields(value)}
    return known


@contextmanager
def _hold_lock(folder: Path) -> Iterator[None]:
    with (folder / '.lock').open('w') as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StageError(f'Another build is at work in {folder}; wait for it, or give another '
                             'folder') from error
        yield


def _open_folder(folder: Path, job: dict[str, Any], resume: bool) -> None:
    """Make the folder ready; raises StageError where it holds another job."""
    known = folder / 'job.json'
    if not resume:
        for path in (*folder.glob('part-*.jsonl'), *folder.glob('part-*.done.json'), known):
            path.unlink(missing_ok=True)
    text = json.dumps(job, ensure_ascii=False, indent=1, sort_keys=True).encode()
    if known.exists() and known.read_bytes() != text:
        raise StageError(f'{folder} holds this stage with another function or other settings '
                         f'(see {known.name}); give another folder, or build anew without '
                         'resuming')
    write_whole(known, text)
    (folder / 'report.json').unlink(missing_ok=True)


class _Run:
    """One run over the records: what was found, what was built, how far it is."""

    def __init__(self, folder: Path, shard_size: int) -> None:
        self.reports: list[ShardReport] = []
        self.resumed = 0
        self._folder, self._shard_size = folder, shard_size

    def find_missing(self, records: Iterable[Any]) -> Iterator[Shard]:
        """Yield the shards that are not whole on disk; note the others."""
        source, index = iter(records), 0
        while batch := tuple(islice(source, self._shard_size)):
            sha = hash_records(batch)
            if report := read_finished(self._folder, index, sha):
                self.reports.append(report)
                self.resumed += 1
            else:
                yield Shard(index=index, input_sha256=sha, records=batch)
            index += 1

    @property
    def records_done(self) -> int:
        return sum(report.records_in for report in self.reports)

    def close(self) -> str:
        """Drop parts past the end of the input; return the digest of all parts."""
        self.reports.sort(key=lambda report: report.index)
        sha = hashlib.sha256()
        for report in self.reports:
            sha.update(part_path(self._folder, report.index).read_bytes())
        for path in self._folder.glob('part-*.*'):
            if int(path.name[5:].partition('.')[0]) >= len(self.reports):
                path.unlink()
        return sha.hexdigest()


def _sum_up(run: _Run, seconds: float, **known: Any) -> StageReport:
    reasons = Counter(each['reason'] for report in run.reports for each in report.rejections)
    return StageReport(
        **known, rejected=dict(reasons.most_common()), shards=len(run.reports),
        records_in=run.records_done, records_out=sum(each.records_out for each in run.reports),
        resumed_shards=run.resumed, seconds=round(seconds, 3),
        worker_seconds=round(sum(report.seconds for report in run.reports), 3),
        core_hours=sum(report.cpu_seconds for report in run.reports) / 3600,
        audio_hours=sum(report.audio_seconds for report in run.reports) / 3600)


def _make_bar(shown: bool) -> Progress:
    console = Console(stderr=True)
    return Progress(
        TextColumn('{task.description}'), BarColumn(), MofNCompleteColumn(),
        TextColumn('{task.fields[rejected]} rejected'), TimeElapsedColumn(),
        TimeRemainingColumn(), console=console, disable=not (shown and console.is_terminal))


def _take_reports(run: _Run, bar: Progress, name: str, total: int | None,
                  reports: Callable[[Callable[[int], None]], Iterator[ShardReport]]) -> None:
    """Take reports in until there are no more, and keep the bar up to date."""
    task = bar.add_task(name, total=total, rejected=0)
    rejected = 0
    for report in reports(
            lambda under_way: bar.update(task, completed=run.records_done + under_way)):
        run.reports.append(report)
        rejected += len(report.rejections)
        bar.update(task, completed=run.records_done, rejected=rejected)
    bar.update(task, completed=run.records_done, total=run.records_done)


def run_stage(name: str, records: Iterable[Any], function: Callable[[Any], Any], *, out: Path,
              workers: int = 1, resume: bool = True, on_error: str = 'skip',
              backend: str = 'processes', settings: Mapping[str, Any] | None = None,
              shard_size: int = 64, progress: bool = True) -> StageReport:
    """
    Run a function over records (dataclasses or dicts) and leave the results in ``out/name``.

    The function takes one record and returns a record, a list of records, or ``Rejected``; it must
    be importable by name (or a ``functools.partial`` of one). Results keep the order of the
    records in ``part-NNNNN.jsonl``; read them with ``read_stage``. ``workers`` 0 runs in this
    process. ``settings`` is whatever else decides the result; with the function's name and
    arguments it says whether an earlier run may be resumed.

    An exception of the function is a rejection ``error: Type`` (``on_error`` 'skip') or ends the
    stage ('raise'). Raises StageError for a full disk, a folder of another job or in use, workers
    that die again and again; ConfigurationError and MissingDependencyError of the function end the
    stage always, as StageError.
    """
    if backend not in BACKENDS or on_error not in ('skip', 'raise'):
        raise StageError(f'Expected backend processes or ray and on_error skip or raise, got '
                         f'{backend!r} and {on_error!r}; correct the call')
    began, folder = time.perf_counter(), Path(out).absolute() / name
    with explain_full_storage(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with _hold_lock(folder), _make_bar(progress) as bar:
        _open_folder(folder, {'format': 1, 'name': name, 'shard_size': shard_size,
                              'function': _describe(function),
                              'settings': _describe(settings or {})}, resume)
        run = _Run(folder, shard_size)
        job = Job(folder=folder, function=function, on_error=on_error)
        build = BACKENDS[backend] if workers or backend == 'ray' else build_here
        _take_reports(run, bar, name, len(records) if isinstance(records, Sized) else None,
                      lambda tick: build(job, run.find_missing(records), max(1, workers), tick))
        sha = run.close()
        report = _sum_up(run, time.perf_counter() - began, name=name, folder=str(folder),
                         backend=backend, workers=workers, sha256=sha)
        write_whole(folder / 'report.json', json.dumps(
            dataclasses.asdict(report), ensure_ascii=False, indent=1).encode())
    return report


def read_stage(folder: Path, kind: type[T]) -> Iterator[T]:
    """Yield the records of a finished stage in order; raises StageError where it is not."""
    report = folder / 'report.json'
    if not report.exists():
        raise StageError(f'{folder} has no {report.name}, so its stage is not finished; run the '
                         'stage again, it goes on where it stopped')
    for index in range(json.loads(report.read_bytes())['shards']):
        yield from read_records(part_path(folder, index), kind)
