"""
Engines on disk: what they were built of and for, where they lie, and whether they fit.

TensorRT makes engines for one version of itself and one GPU, so they are built where they run and
kept in the cache. Owns their record, and the sentences of refusal. Needs no TensorRT.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from audio_interaction_ros.checkpoints.cache import cache_root, sha256
from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.graphs.manifest import GraphManifest

__all__ = ['RECORD', 'EngineRecord', 'Room', 'Target', 'command', 'engine_folder', 'engine_name',
           'fault', 'find', 'graph_hash', 'seconds_of_another', 'write_record']

RECORD = 'engines.json'


@dataclass(frozen=True)
class Target:
    """What an engine runs on."""

    tensorrt: str
    """Version."""
    gpu: str
    """Its name, and its compute capability."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """For how much a decoder's engine was built."""

    lanes: int
    slots: int
    """Of a lane, without the reserve."""
    listening: int
    """Positions of a listening step."""
    longest: int
    """Positions of the longest pass: a drained backlog, a prompt; the reserve has as many."""

    @property
    def total(self) -> int:
        """Slots of a lane with the reserve."""
        return self.slots + self.longest

    @property
    def profiles(self) -> tuple[tuple[int, int, int], ...]:
        """Fewest, usual and most positions of one reply, a listening step, a backlog."""
        one = ((1, 1, 1), (self.listening,) * 3)
        if self.longest <= self.listening:
            return one
        return (*one, (self.listening + 1, min(self.longest, 4 * self.listening), self.longest))


@dataclass(frozen=True, kw_only=True)
class EngineRecord:
    """What lies beside the engines of half a model."""

    target: Target
    graphs: str
    """Hash of the graphs that they were built of (graph_hash)."""
    room: Room | None
    """None for an encoder."""
    seconds: Mapping[str, float]
    """Name of a graph to how long building its engine took."""
    files: Mapping[str, tuple[str, int]]
    """Name to sha256 and size in bytes."""


def graph_hash(said: GraphManifest) -> str:
    """Return one hash over the graphs and weights of a folder, wherever these lie."""
    files = {name: digest for name, (digest, _) in said.files.items()
             if name not in ('config.yaml', 'tokenizer.json')}
    return hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:16]


def engine_folder(said: GraphManifest, target: Target) -> Path:
    """Return where the engines of these graphs for this target lie, or will."""
    place = hashlib.sha256(f'{target.tensorrt}/{target.gpu}'.encode()).hexdigest()[:8]
    return cache_root() / 'tensorrt' / f'{said.model_id}-{said.half}-{graph_hash(said)}-{place}'


def engine_name(graph: str) -> str:
    """Return the name of the engine of a graph's file."""
    return f'{graph.removesuffix(".onnx")}.engine'


def write_record(folder: Path, *, target: Target, graphs: str, room: Room | None,
                 seconds: Mapping[str, float]) -> None:
    """Write the record of the engines that a folder holds."""
    files = {path.name: (sha256(path), path.stat().st_size)
             for path in sorted(folder.glob('*.engine'))}
    record = EngineRecord(target=target, graphs=graphs, room=room, seconds=seconds, files=files)
    (folder / RECORD).write_text(json.dumps(asdict(record), indent=1) + '\n', encoding='utf-8')


def find(graphs: Path, said: GraphManifest, target: Target) -> tuple[Path, EngineRecord]:
    """
    Return the folder of the engines of these graphs, and its record.

    CheckpointError names what there is instead, and the command that builds them, where there are
    none for this version of TensorRT, this GPU and these very graphs.
    """
    folder = engine_folder(said, target)
    wanted = f'for TensorRT {target.tensorrt} on {target.gpu}, of the graphs in {graphs}'
    if not (folder / RECORD).is_file():
        raise CheckpointError(f'expected engines {wanted}, found {_others(said)}; run: '
                              f'{command(graphs)}')
    record = _read(folder / RECORD, graphs)
    if (record.target, record.graphs) != (target, graph_hash(said)):
        raise CheckpointError(
            f'{folder}: expected engines {wanted}, found some for TensorRT '
            f'{record.target.tensorrt} on {record.target.gpu}, of graphs {record.graphs}; run: '
            f'{command(graphs)}')
    for name, (_, size) in record.files.items():
        found = (folder / name).stat().st_size if (folder / name).is_file() else 'no such file'
        if found != size:
            raise CheckpointError(f'{folder / name}: expected {size} bytes, found {found}; run: '
                                  f'{command(graphs)}')
    return folder, record


def fault(folder: Path, said: GraphManifest, target: Target, room: Room | None) -> str:
    """Return what is wrong with a folder of engines; empty if it is as it should be."""
    try:
        record = _read(folder / RECORD, folder)
    except CheckpointError as error:
        return str(error)
    if (record.target, record.graphs) != (target, graph_hash(said)):
        return 'they are of another GPU, TensorRT or graph'
    if record.room != room:
        return f'they are for {record.room}, asked for {room}'
    return ''


def seconds_of_another(said: GraphManifest) -> Mapping[str, float]:
    """Return how long it took to build engines of these graphs before, empty if nobody did."""
    return next((record.seconds for record in _records(said)
                 if record.graphs == graph_hash(said)), {})


def command(graphs: Path, options: str = '') -> str:
    """Return the command that builds the engines of half a model."""
    return f'python -m export tensorrt {graphs.parent}{options}'


def _read(path: Path, graphs: Path) -> EngineRecord:
    try:
        said: Any = json.loads(path.read_text(encoding='utf-8'))
        return EngineRecord(**said | {
            'target': Target(**said['target']), 'room': said['room'] and Room(**said['room']),
            'files': {name: (digest, int(size))
                      for name, (digest, size) in said['files'].items()}})
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise CheckpointError(f'{path}: expected a record of engines ({error!r}); run: '
                              f'{command(graphs)}') from error


def _records(said: GraphManifest) -> Iterator[EngineRecord]:
    root = cache_root() / 'tensorrt'
    for path in sorted(root.glob(f'{said.model_id}-{said.half}-*/{RECORD}')):
        try:
            yield _read(path, path)
        except CheckpointError:
            continue


def _others(said: GraphManifest) -> str:
    """Say which engines of this half of the model there are."""
    return '; '.join(sorted({
        f'for TensorRT {record.target.tensorrt} on {record.target.gpu}, of '
        f'{"these" if record.graphs == graph_hash(said) else "other"} graphs'
        for record in _records(said)})) or 'none'
