"""
The backend on TensorRT: engines that ``python -m export tensorrt`` built on this machine.

Owns the loading of engines and the call of them. What is computed around them is that of every
backend of the static form.
"""

from collections.abc import Collection
from pathlib import Path
from typing import Any

import cuda.bindings.runtime  # noqa: F401 - the registry says how to get what is missing
import numpy as np
import tensorrt as trt

from audio_interaction_ros.checkpoints.config import CheckpointConfig
from audio_interaction_ros.errors import CheckpointError, ConfigurationError, ModelFaultError
from audio_interaction_ros.graphs import manifest
from audio_interaction_ros.graphs.manifest import GraphManifest
from audio_interaction_ros.runtimes import engine_files
from audio_interaction_ros.runtimes.base import NotLoaded, Runtime
from audio_interaction_ros.runtimes.cuda import CudaMemory, describe_gpu
from audio_interaction_ros.runtimes.engine_files import EngineRecord, Target
from audio_interaction_ros.runtimes.engine_step import EngineStepDevice
from audio_interaction_ros.runtimes.engine_tower import EngineTower
from audio_interaction_ros.runtimes.graph_folder import (
    describe,
    read_sound_head,
    read_tables,
    read_tokenizer,
)
from audio_interaction_ros.runtimes.static_decoder import StaticDecoder

__all__ = ['load']

_LOGGER = trt.Logger(trt.Logger.ERROR)


def load(model: str, *, device: str, threads: int | None, dtype: str, rope_index_dtype: str,
         halves: Collection[str]) -> Runtime:
    """Bring a model up on TensorRT; for load_runtime, which says what the arguments mean."""
    if device != 'cuda':
        raise ConfigurationError(f"device: the runtime tensorrt expects 'cuda', found {device!r}; "
                                 'change model.device or model.runtime')
    if dtype != 'auto':
        raise ConfigurationError(f"dtype: the runtime tensorrt expects 'auto', found {dtype!r}; "
                                 'the graphs have their precision from: python -m export onnx '
                                 '--precision')
    target = Target(trt.__version__, describe_gpu())
    encoder: Any = NotLoaded('encoder')
    decoder: Any = NotLoaded('decoder')
    tokenizer: Any = NotLoaded('decoder')
    sounds = None
    folders = {half: Path(model) / half for half in sorted(halves)}
    for half, folder in folders.items():
        _check_form(folder, model)
        said, config = describe(folder, half)
        found, record = engine_files.find(folder, said, target)
        if half == 'encoder':
            encoder = _encoder(folder, config, said, found)
            sounds = read_sound_head(folder, config)
        else:
            decoder = _decoder(folder, config, said, found, record, rope_index_dtype)
            tokenizer = read_tokenizer(folder, config)
    return Runtime(encoder=encoder, decoder=decoder, tokenizer=tokenizer, config=config,
                   sounds=sounds)


def _check_form(folder: Path, model: str) -> None:
    """Raise ConfigurationError, with what to run, where a folder has no graphs of our form."""
    write = (f'python -m export onnx MODEL --out DIR --form {manifest.STATIC} --precision fp16, '
             'then python -m export tensorrt DIR, and set model.path to DIR')
    if not manifest.has_graphs(folder):
        raise ConfigurationError('model.path: the runtime tensorrt expects a folder of graphs, '
                                 f'found {model!r}; run: {write}')
    form = manifest.read(folder).form
    if form != manifest.STATIC:
        raise ConfigurationError(f'{folder}: the runtime tensorrt expects the static form, found '
                                 f'{form}; run: {write}')


def _encoder(folder: Path, config: CheckpointConfig, said: GraphManifest,
             engines: Path) -> EngineTower:
    memory = CudaMemory()
    return EngineTower(config, model_id=said.model_id,
                       tower=_Engine(engines, manifest.AUDIO_TOWER, folder, memory),
                       memory=memory)


def _decoder(folder: Path, config: CheckpointConfig, said: GraphManifest, engines: Path,
             record: EngineRecord, rope_index_dtype: str) -> StaticDecoder:
    assert record.room is not None
    _, narrow = manifest.numbers(said.precision, said.form)
    memory = CudaMemory()
    step, head = (_Engine(engines, name, folder, memory)
                  for name in (manifest.DECODER_STEP, manifest.VOCABULARY_HEAD))
    device = EngineStepDevice(
        config.decoder, record.room, dtype=np.dtype(np.float16 if narrow else np.float32),
        step=step, head=head, memory=memory, command=engine_files.command(folder))
    return StaticDecoder(config, device, model_id=said.model_id,
                         rope_index_dtype=rope_index_dtype, **read_tables(folder))


class _Engine:
    def __init__(self, engines: Path, graph: str, graphs: Path, memory: CudaMemory) -> None:
        path = engines / engine_files.engine_name(graph)
        self._memory = memory
        # An engine lives no longer than the runtime that read it.
        self._runtime = trt.Runtime(_LOGGER)
        self._engine = self._runtime.deserialize_cuda_engine(path.read_bytes())
        if self._engine is None:
            raise CheckpointError(f'{path}: TensorRT {trt.__version__} cannot read it; remove '
                                  f'{engines}, then run: {engine_files.command(graphs)}')

    def context(self, profile: int) -> '_Context':
        return _Context(self._engine, profile, self._memory)


class _Context:
    def __init__(self, engine: Any, profile: int, memory: CudaMemory) -> None:
        self._context = engine.create_execution_context()
        self._inputs = {name for name in (engine.get_tensor_name(number)
                                          for number in range(engine.num_io_tensors))
                        if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT}
        # The first is chosen already.
        if profile and not self._context.set_optimization_profile_async(profile, memory.queue):
            raise ModelFaultError(f'TensorRT refused profile {profile}; build the engines again')
        memory.wait()

    def bind(self, name: str, address: int, shape: tuple[int, ...]) -> None:
        if name in self._inputs and not self._context.set_input_shape(name, shape):
            raise ModelFaultError(f'TensorRT refused {name} of shape {shape}; build the engines '
                                  'again')
        if not self._context.set_tensor_address(name, address):
            raise ModelFaultError(f'TensorRT refused the address of {name}; build the engines '
                                  'again')

    def run(self, queue: int) -> None:
        if not self._context.execute_async_v3(queue):
            raise ModelFaultError('TensorRT could not run a pass; its log says why')
