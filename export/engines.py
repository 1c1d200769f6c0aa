"""
From a graph to an engine of TensorRT, or of TensorRT for RTX, which needs no GPU for it.

Owns how a graph is read, which of its sizes are fixed, and the profiles. Both libraries have the
same interface, so the module comes as an argument and what is tried without a GPU is what a robot
runs, but for the library.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from audio_interaction_ros.errors import CheckpointError
from audio_interaction_ros.graphs import manifest
from audio_interaction_ros.model.shapes import DecoderConfig
from audio_interaction_ros.runtimes.engine_files import Room

__all__ = ['Sizes', 'build', 'sizes_of']

Profile = Mapping[str, tuple[int, int, int]]
"""Name of a size to its least, usual and largest value."""


@dataclass(frozen=True)
class Sizes:
    """The sizes that a graph leaves open."""

    fixed: Mapping[str, int]
    """Name of a size to the one value that an engine knows."""
    profiles: tuple[Profile, ...] = ()
    """Of the other sizes; an engine is made fast for each."""


def sizes_of(graph: str, config: DecoderConfig, room: Room | None) -> Sizes:
    """Return the sizes of a graph's file (a name of graphs.manifest) in a room."""
    if graph == manifest.AUDIO_TOWER:
        return Sizes({})
    assert room is not None
    if graph == manifest.VOCABULARY_HEAD:
        return Sizes({}, ({'rows': (1, 1, room.lanes)},))
    group = config.heads // config.kv_heads
    return Sizes({'rows': room.lanes, 'slots': room.total, 'mask_rows': 1}, tuple(
        {'time': (least, usual, most),
         'group_time': (group * least, group * usual, group * most)}
        for least, usual, most in room.profiles))


def build(trt: Any, graph: Path, sizes: Sizes, *,
          configure: Callable[[Any], None] = lambda config: None) -> bytes:
    """
    Return the engine of a graph, strongly typed: numbers are of the kind that the graph says.

    ``configure`` sets what else the configuration of a build should know. CheckpointError says in
    the words of TensorRT why a graph cannot be read or built.
    """
    messages = _Messages(trt)
    builder = trt.Builder(messages.logger)
    network = builder.create_network(_strongly_typed(trt))
    model = _with_sizes(graph, sizes.fixed)
    parser = trt.OnnxParser(network, messages.logger)
    if not parser.parse(model.SerializeToString(), str(graph)):
        errors = [parser.get_error(number).desc() for number in range(parser.num_errors)]
        raise CheckpointError(f'{graph}: TensorRT {trt.__version__} cannot read it '
                              f'({_short(errors)}); {_remedy(model)}')
    config = builder.create_builder_config()
    for profile in sizes.profiles:
        config.add_optimization_profile(_profile(builder, network, model, profile))
    configure(config)
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise CheckpointError(f'{graph}: TensorRT {trt.__version__} cannot build it '
                              f'({_short(messages.errors)}); {_remedy(model)}')
    return bytes(engine)


class _Messages:
    """Collects what TensorRT says of errors, so that it can stand in one."""

    def __init__(self, trt: Any) -> None:
        errors: list[str] = []

        class Logger(trt.ILogger):  # type: ignore[misc, name-defined]
            def __init__(self) -> None:
                trt.ILogger.__init__(self)

            def log(self, severity: Any, text: str) -> None:
                if severity in (trt.ILogger.Severity.ERROR, trt.ILogger.Severity.INTERNAL_ERROR):
                    errors.append(text)

        self.errors = errors
        self.logger = Logger()


def _strongly_typed(trt: Any) -> int:
    flag = getattr(trt.NetworkDefinitionCreationFlag, 'STRONGLY_TYPED', None)
    return 0 if flag is None else 1 << int(flag)  # TensorRT that knows nothing else has no flag


def _with_sizes(graph: Path, fixed: Mapping[str, int]) -> onnx.ModelProto:
    """Return a graph, its weights left in their file, with some of its sizes fixed."""
    model = onnx.load(str(graph), load_external_data=False)
    for value in (*model.graph.input, *model.graph.output):
        for size in value.type.tensor_type.shape.dim:
            if size.dim_param in fixed:
                size.dim_value = fixed[size.dim_param]
    return model


def _profile(builder: Any, network: Any, model: onnx.ModelProto, profile: Profile) -> Any:
    shapes = {value.name: [size.dim_param or size.dim_value
                           for size in value.type.tensor_type.shape.dim]
              for value in model.graph.input}
    made = builder.create_optimization_profile()
    for number in range(network.num_inputs):
        name = network.get_input(number).name
        made.set_shape(name, *(tuple(profile[size][which] if isinstance(size, str) else size
                                     for size in shapes[name]) for which in range(3)))
    return made


def _short(messages: Sequence[str]) -> str:
    text = ' '.join(' '.join(messages).split())
    return text if len(text) < 600 else f'{text[:600]} …'


def _remedy(model: onnx.ModelProto) -> str:
    """Say what may help against a graph that a library does not take."""
    opset = next(entry.version for entry in model.opset_import if not entry.domain)
    if any(entry.domain for entry in model.opset_import):
        return ('it holds operators of ONNX Runtime; write it again: python -m export onnx MODEL '
                '--out DIR --form static --precision fp16')
    if opset > 18:
        return ('the static form needs float16 and TensorRT 10.15 or newer; for an older one: '
                'python -m export onnx MODEL --out DIR --form delta --precision fp16')
    return 'try another version of TensorRT'
