"""
One shard of a stage: a run of consecutive records, the function over them, one file of lines.

Owns the files of a shard (``part-00000.jsonl`` and, once that one is safe on disk,
``part-00000.done.json``) and what counts as a rejection, an error and a full disk. Knows neither
processes nor Ray; both run ``build`` unchanged, so a shard's bytes never depend on who built it.
"""

import contextlib
import dataclasses
import errno
import hashlib
import json
import resource
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from audio_interaction_ros import whole_file
from audio_interaction_ros.errors import (
    AudioInteractionError,
    ConfigurationError,
    MissingDependencyError,
)
from audio_interaction_ros.protocol import CHUNK_S

__all__ = ['Job', 'Rejected', 'Shard', 'ShardReport', 'StageError', 'build', 'hash_records',
           'read_finished',
           'part_path', 'explain_full_storage', 'write_whole']

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
WORKER_KILLED = 'worker killed'


class StageError(AudioInteractionError, RuntimeError):
    """A stage cannot go on: its folder, its disk, its function or its workers."""


@dataclass(frozen=True)
class Rejected:
    """What a stage's function returns for a record that it leaves out."""

    reason: str
    """Short, the same for all records of its kind: the report counts by it."""
    detail: str = ''
    """What is particular to this record."""


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is done to every record of a stage, and where the results go."""

    folder: Path
    function: Callable[[Any], Any]
    on_error: str = 'skip'
    """skip | raise"""


@dataclass(frozen=True, kw_only=True)
class Shard:
    """A run of consecutive records of a stage."""

    index: int
    input_sha256: str
    """Of the records as JSON lines; a changed input makes the shard be built again."""
    records: tuple[Any, ...]
    doomed: frozenset[int] = frozenset()
    """Positions of records that killed their worker twice; they are rejected."""


@dataclass(frozen=True, kw_only=True)
class ShardReport:
    """What came of a shard."""

    index: int
    input_sha256: str
    output_sha256: str
    records_in: int
    records_out: int
    rejections: tuple[dict[str, str], ...]
    """Each with record, reason and detail."""
    seconds: float
    cpu_seconds: float
    """Of the worker and of the programs that it ran to their end."""
    audio_seconds: float
    """Length of the clips or streams written, 0 for records that have none."""


def part_path(folder: Path, index: int) -> Path:
    """Return where the records of a shard lie."""
    return folder / f'part-{index:05d}.jsonl'


def _done_path(folder: Path, index: int) -> Path:
    return folder / f'part-{index:05d}.done.json'


@contextlib.contextmanager
def explain_full_storage(folder: Path) -> Iterator[None]:
    """Turn a full disk, quota or file size limit into a StageError that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise StageError(
            f'No room left to write under {folder} ({error.strerror}); nothing that was finished '
            'is lost: free some space and run the same command again') from error


def write_whole(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a file as ``whole_file`` does; StageError for a full disk."""
    # Two writers of one shard (an orphan of a killed build and the next build) write the same
    # bytes; the later rename wins.
    with explain_full_storage(path.parent):
        whole_file.write_whole(path, data, durable=durable)


def _to_dict(record: Any) -> dict[str, Any]:
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        return dataclasses.asdict(record)
    if isinstance(record, Mapping):
        return dict(record)
    raise StageError(f'A record must be a dataclass or a dict, got {type(record).__name__}; '
                     'correct the function of the stage (it may also return Rejected)')


def _to_line(record: Any) -> bytes:
    return (json.dumps(_to_dict(record), ensure_ascii=False, allow_nan=False) + '\n').encode()


def hash_records(records: Iterable[Any]) -> str:
    """Return the SHA-256 of records as JSON lines."""
    sha = hashlib.sha256()
    for record in records:
        sha.update(_to_line(record))
    return sha.hexdigest()


def _audio_seconds(record: Any) -> float:
    values = _to_dict(record)
    if isinstance(values.get('chunks'), int):
        return float(values.get('chunk_s', CHUNK_S)) * values['chunks']
    seconds = values.get('seconds')
    return float(seconds) if isinstance(seconds, (int, float)) else 0.0


def _name_of(record: Any, position: int) -> str:
    return str(_to_dict(record).get('id', position))


def _apply(job: Job, record: Any) -> tuple[list[Any], list[Rejected]]:
    """Return the records and rejections that the function made of one record."""
    result = job.function(record)
    items = list(result) if isinstance(result, (list, tuple, Iterator)) else [result]
    return ([item for item in items if not isinstance(item, Rejected)],
            [item for item in items if isinstance(item, Rejected)])


def _apply_guarded(job: Job, record: Any, doomed: bool) -> tuple[list[Any], bytes, list[Rejected]]:
    """Return records, their lines and rejections; only what must end the stage is raised."""
    if doomed:
        return [], b'', [Rejected(WORKER_KILLED, 'twice at this record: memory or a crash')]
    try:
        with explain_full_storage(job.folder):
            kept, rejected = _apply(job, record)
            return kept, b''.join(map(_to_line, kept)), rejected
    except (StageError, ConfigurationError, MissingDependencyError):
        raise  # the next record would fail alike
    except Exception as error:
        if job.on_error == 'raise':
            raise
        return [], b'', [Rejected(f'error: {type(error).__name__}', str(error))]


def _cpu_seconds() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def build(job: Job, shard: Shard, at: Callable[[int], None] = lambda position: None
          ) -> ShardReport:
    """
    Run the function over a shard and write its part; ``at`` is told each record's position.

    Raises StageError for a full disk or a wrong result, what the function raised where errors
    are not skipped, and always a wrong configuration or a missing library.
    """
    began, cpu = time.perf_counter(), _cpu_seconds()
    lines: list[bytes] = []
    rejections: list[dict[str, str]] = []
    count, audio = 0, 0.0
    for position, record in enumerate(shard.records):
        at(position)
        kept, text, rejected = _apply_guarded(job, record, position in shard.doomed)
        lines.append(text)
        count += len(kept)
        audio += sum(map(_audio_seconds, kept))
        rejections += [{'record': _name_of(record, position), 'reason': each.reason,
                        'detail': each.detail} for each in rejected]
    data = b''.join(lines)
    report = ShardReport(
        index=shard.index, input_sha256=shard.input_sha256,
        output_sha256=hashlib.sha256(data).hexdigest(), records_in=len(shard.records),
        records_out=count, rejections=tuple(rejections), audio_seconds=audio,
        seconds=time.perf_counter() - began, cpu_seconds=_cpu_seconds() - cpu)
    write_whole(part_path(job.folder, shard.index), data)
    write_whole(_done_path(job.folder, shard.index), json.dumps(
        dataclasses.asdict(report), ensure_ascii=False).encode())
    return report


def read_finished(folder: Path, index: int, input_sha256: str) -> ShardReport | None:
    """Return the report of a shard that lies whole on disk for this input, else None."""
    try:
        values = json.loads(_done_path(folder, index).read_bytes())
        report = ShardReport(**{**values, 'rejections': tuple(values['rejections'])})
        data = part_path(folder, index).read_bytes()
    except (OSError, ValueError, TypeError, KeyError):
        return None
    whole = hashlib.sha256(data).hexdigest() == report.output_sha256
    return report if whole and report.input_sha256 == input_sha256 else None
