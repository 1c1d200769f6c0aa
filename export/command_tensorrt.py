"""``python -m export tensorrt DIR``: engines of written graphs, for the GPU of this machine."""

import argparse
import importlib
import time
from functools import partial
from pathlib import Path
from typing import Any

from audio_interaction_ros.checkpoints.cache import ensure_filled
from audio_interaction_ros.checkpoints.config import CheckpointConfig, load_config
from audio_interaction_ros.errors import ConfigurationError, MissingDependencyError
from audio_interaction_ros.graphs import manifest
from audio_interaction_ros.graphs.manifest import GraphManifest
from audio_interaction_ros.model.shapes import DecoderConfig
from audio_interaction_ros.protocol import listening_block
from audio_interaction_ros.runtimes import engine_files
from audio_interaction_ros.runtimes.cuda import describe_gpu
from audio_interaction_ros.runtimes.engine_files import Room, Target
from export.engines import build, sizes_of
from export.progress import Progress, Timings, monitor

__all__ = ['GRAPHS', 'add_arguments', 'compile_ahead', 'run']

GRAPHS = {'encoder': (manifest.AUDIO_TOWER,),
          'decoder': (manifest.DECODER_STEP, manifest.VOCABULARY_HEAD)}
"""Half of a model to the graphs that become engines."""
_INSTALL = 'pip install -r requirements/tensorrt.txt (on a Jetson, JetPack brings TensorRT)'
_INSTALL_RTX = 'pip install tensorrt-rtx-cu12-bindings tensorrt-rtx-cu12-libs'


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument('folder', type=Path, metavar='DIR',
                        help='what python -m export onnx wrote with --form static')
    parser.add_argument('--lanes', type=int, default=3,
                        help='lanes that listen at once (default: 3)')
    parser.add_argument('--slots', type=int, default=1024,
                        help='positions that a lane keeps, model.slots or more (default: 1024)')
    parser.add_argument('--longest', type=int, default=256,
                        help='positions of one pass at most; what is longer is cut (default: 256)')
    parser.add_argument('--ahead', metavar='SM,SM,…', default='',
                        help='build nothing to keep: try whether the graphs compile for these '
                             'GPUs, by TensorRT for RTX, which needs no GPU (80,86,89,120)')


def run(options: argparse.Namespace) -> int:
    """Build what is missing for this GPU, or try other ones."""
    config = load_config(options.folder / 'decoder' / 'config.yaml')
    rooms = {'encoder': None, 'decoder': _room(options, config)}
    for half, room in rooms.items():
        folder = options.folder / half
        said = manifest.read(folder)
        if options.ahead:
            _try(folder, half, config, room, options.ahead)
        elif said.form != manifest.STATIC:
            raise ConfigurationError(
                f'{folder}: expected the static form, which the runtime tensorrt runs, found '
                f'{said.form}; run: python -m export onnx MODEL --out {options.folder} --form '
                'static --precision fp16')
        else:
            _keep(folder, said, config, room)
    return 0


def _room(options: argparse.Namespace, config: CheckpointConfig) -> Room:
    for name, least in (('lanes', 1), ('slots', 128), ('longest', 16)):
        if getattr(options, name) < least:
            raise ConfigurationError(f'--{name}: expected {least} or more, found '
                                     f'{getattr(options, name)}')
    ids = config.token_ids
    listening = len(listening_block(
        ids, config.audio_tower.features_per_chunk, [ids.silence]).ids)
    return Room(lanes=options.lanes, slots=options.slots, listening=listening,
                longest=max(options.longest, listening))


def _try(folder: Path, half: str, config: CheckpointConfig, room: Room | None,
         capabilities: str) -> None:
    for capability in capabilities.split(','):
        for name in GRAPHS[half]:
            began = time.monotonic()
            size = compile_ahead(folder / name, config.decoder, room, capability)
            print(f'{folder / name}: compiles for SM {capability}, {size / 1e6:.0f} MB, '
                  f'{time.monotonic() - began:.1f} s')


def compile_ahead(graph: Path, config: DecoderConfig, room: Room | None, capability: str) -> int:
    """
    Return how large the engine of a graph is that TensorRT for RTX makes for a GPU elsewhere.

    ``capability``: that of the GPU, such as 86. CheckpointError where the graph does not compile.
    """
    trt = _library('tensorrt_rtx_bindings', _INSTALL_RTX)
    known = [name[2:] for name in trt.ComputeCapability.__members__ if name[2:].isdigit()]
    if capability not in known:
        raise ConfigurationError(f'--ahead: expected some of {", ".join(known)}, found '
                                 f'{capability!r}')
    progress = Progress(f'{graph.name} for SM {capability}')

    def configure(chosen: Any) -> None:
        chosen.num_compute_capabilities = 1
        chosen.set_compute_capability(getattr(trt.ComputeCapability, f'SM{capability}'), 0)
        chosen.progress_monitor = monitor(trt, progress)

    return len(build(trt, graph, sizes_of(graph.name, config, room), configure=configure))


def _keep(graphs: Path, said: GraphManifest, config: CheckpointConfig, room: Room | None) -> None:
    trt, _ = _library('tensorrt', _INSTALL), _library('cuda.bindings', _INSTALL)
    target = Target(trt.__version__, describe_gpu())
    earlier = engine_files.seconds_of_another(said)

    def fill(folder: Path) -> None:
        seconds = {}
        for name in GRAPHS[said.half]:
            progress = Progress(f'{name} for {target.gpu}', expected_s=earlier.get(name, 0.0))
            timings = Timings(target, progress)
            engine = build(trt, graphs / name, sizes_of(name, config.decoder, room),
                           configure=partial(timings.configure, trt))
            timings.save()
            (folder / engine_files.engine_name(name)).write_bytes(engine)
            seconds[name] = progress.seconds
        engine_files.write_record(folder, target=target, graphs=engine_files.graph_hash(said),
                                  room=room, seconds=seconds)

    folder = ensure_filled(engine_files.engine_folder(said, target), build=fill,
                           fault=lambda folder: engine_files.fault(folder, said, target, room))
    print(f'{folder}: engines of {graphs} for TensorRT {target.tensorrt} on {target.gpu}')


def _library(name: str, install: str) -> Any:
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:  # OSError: libraries of its own that it does not find
        raise MissingDependencyError(f'export tensorrt needs {name} ({error}); run: {install}'
                                     ) from error
